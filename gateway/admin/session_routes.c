/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in and out: /admin/v1/session and /admin/v1/sessions. */
#include "internal.h"
#include "postern/auth/audit.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"

#include <stdio.h>
#include <string.h>

static const char *role_text(enum pst_admin_role role)
{
    return role == PST_ADMIN_ADMIN ? "admin" : "viewer";
}

static json_t *session_json(const struct admin_session *session, enum pst_admin_role role, bool current)
{
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:o, s:o, s:o, s:s}", "id", session->id, "current", current, "name",
                  session->name, "role", role_text(role), "created", admin_time(session->created_us),
                  "last_used", admin_time(session->used_us), "expires",
                  admin_time(admin_session_expires_us(session)), "address", session->address);
    if (object != NULL && current)
        json_object_set_new(object, "csrf_token", json_string(session->csrf));
    return object;
}

static void set_cookie(struct admin_request *r, const char *value, int64_t seconds)
{
    snprintf(r->cookie, sizeof(r->cookie),
             ADMIN_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=%lld", value,
             (long long)seconds);
}

/* A trail that cannot be written is no reason to keep out whoever comes to look why. */
static void note(struct admin_request *r, const char *action, const struct admin_session *session)
{
    struct pst_why why = {0};
    char after[PST_KEYS_ID_MAX + 32];
    int len = snprintf(after, sizeof(after), "{\"token\":\"%s\"}", session->token_id);
    const struct pst_str nothing = {NULL, 0};
    if (pst_audit_note(r->admin->keys, action, pst_str_of(session->id), nothing,
                       (struct pst_str){after, (size_t)len}, &why) < 0)
        pst_warn("admin", "request %s: %s is not in the audit trail: %s", r->request_id, action, why.text);
}

/* It is theirs from its first moment on. */
static void note_opened(struct admin_request *r, const struct admin_session *session)
{
    r->caller.kind = CALLER_SESSION;
    pst_str_clip(pst_str_of(session->token_id), r->caller.id, sizeof(r->caller.id));
    pst_str_clip(pst_str_of(session->name), r->caller.name, sizeof(r->caller.name));
    admin_audit_actor(r);
    note(r, "session.open", session);
}

/* What may come of a clipboard: blanks around it, but nothing that no token has. */
static bool is_token_text(const json_t *text)
{
    const char *at = json_string_value(text);
    if (at == NULL || json_string_length(text) < 8 || json_string_length(text) > 128)
        return false;
    while (*at > 0 && *at < 0x7f)
        at++;
    return *at == '\0';
}

/* The body's one field, a token that is valid now. False: the answer has been made. */
static bool read_token(struct admin_request *r, struct pst_admin_token_row *ret)
{
    static admin_names known = {"token", NULL};
    const json_t *text = json_object_get(r->input, "token");
    admin_refuse_unknown(r, known);
    if (!is_token_text(text))
        admin_invalid(r, "token", NULL, "must be an admin token: 8 to 128 characters of ASCII");
    if (admin_failed(r))
        return false;
    const struct pst_str given = {json_string_value(text), json_string_length(text)};
    return admin_caller_token(r, pst_str_trim(given), ret);
}

void admin_session_open_route(struct admin_request *r)
{
    struct pst_admin_token_row token;
    struct admin_session *session;
    char cookie[ADMIN_SESSION_TEXT_SIZE];
    if (r->listener->tls == NULL) {
        admin_fail(r, 403, "Forbidden", "Sessions are for browsers over HTTPS; this socket needs none.");
        return;
    }
    if (!read_token(r, &token))
        return;
    int err = admin_session_open(&r->admin->sessions, &token, r->caller.address, pst_clock_real_us(), cookie,
                                 &session);
    if (err < 0) {
        admin_fail(r, 503, "StoreUnavailable", "No random bytes are available from the kernel.");
        return;
    }
    set_cookie(r, cookie, ADMIN_SESSION_LIFE_US / 1000000);
    pst_wipe(cookie, sizeof(cookie));
    note_opened(r, session);
    r->status = 201;
    r->output = session_json(session, token.role, true);
}

void admin_session_confirm_route(struct admin_request *r)
{
    struct admin_session *session = r->caller.session;
    struct pst_admin_token_row token;
    char cookie[ADMIN_SESSION_TEXT_SIZE];
    int64_t now_us = pst_clock_real_us();
    if (session == NULL) {
        admin_fail(r, 404, "NotFound", "This request has no session.");
        return;
    }
    if (!read_token(r, &token))
        return;
    if (strcmp(token.id, session->token_id) != 0) {
        admin_invalid(r, "token", NULL, "must be the token this session was opened with");
        return;
    }
    if (admin_session_confirm(session, now_us, cookie) < 0) {
        admin_fail(r, 503, "StoreUnavailable", "No random bytes are available from the kernel.");
        return;
    }
    set_cookie(r, cookie, (admin_session_expires_us(session) - now_us) / 1000000);
    pst_wipe(cookie, sizeof(cookie));
    note(r, "session.confirm", session);
    r->status = 200;
    r->output = session_json(session, token.role, true);
}

bool admin_session_may_change_access(struct admin_request *r)
{
    if (r->caller.session == NULL || admin_session_is_confirmed(r->caller.session, pst_clock_real_us()))
        return true;
    admin_fail(r, 403, "ConfirmationNeeded",
               "Confirm this session with its admin token first: POST /admin/v1/session/confirm.");
    return false;
}

void admin_session_get(struct admin_request *r)
{
    if (r->caller.session == NULL) {
        admin_fail(r, 404, "NotFound", "This request has no session.");
        return;
    }
    r->status = 200;
    r->output = session_json(r->caller.session, r->caller.role, true);
}

void admin_session_close_route(struct admin_request *r)
{
    if (r->caller.session != NULL) {
        note(r, "session.close", r->caller.session);
        admin_session_end(r->caller.session);
    }
    set_cookie(r, "", 0);
    r->status = 204;
}

void admin_sessions_list(struct admin_request *r)
{
    struct admin_sessions *all = &r->admin->sessions;
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    int64_t now_us = pst_clock_real_us();
    json_t *items = json_array();
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        struct admin_session *session = &all->at[i];
        struct pst_admin_token_row token;
        if (!admin_session_is_open(session, now_us))
            continue;
        if (pst_admin_tokens_get(store, pst_str_of(session->token_id), &token) < 0 || token.revoked_us != 0) {
            if (session != r->caller.session)
                admin_session_end(session);
            continue;
        }
        json_t *item = session_json(session, token.role, session == r->caller.session);
        if (item != NULL)
            json_object_del(item, "csrf_token");
        json_array_append_new(items, item);
    }
    r->status = 200;
    r->output = json_pack("{s:o}", "items", items);
}

void admin_sessions_end(struct admin_request *r)
{
    if (!admin_session_may_change_access(r))
        return;
    struct admin_session *session =
        admin_session_by_id(&r->admin->sessions, r->params[0], pst_clock_real_us());
    if (session == NULL) {
        admin_fail(r, 404, "NotFound", "No such session, or it has ended.");
        return;
    }
    note(r, "session.end", session);
    admin_session_end(session);
    r->status = 204;
}
