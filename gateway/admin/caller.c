/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"

#include "certificate.h"
#include "internal.h"
#include "postern/auth/audit.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/base/net.h"
#include "postern/http/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *header(const struct admin_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

/* A Unix socket's peer. Anyone who can open a socket of mode 0600 is root or its owner already; the kernel's
 * word on it counts all the same, should its mode have been changed. */
static void take_peer(struct admin_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof(peer);
    bool known = info != NULL && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0;
    snprintf(r->caller.address, sizeof(r->caller.address), "unix");
    if (!known || (peer.uid != 0 && peer.uid != geteuid())) {
        admin_fail(r, 403, "Forbidden", "Only root and the gateway's own user may use this socket.");
        return;
    }
    r->caller.kind = CALLER_SOCKET;
    r->caller.role = PST_ADMIN_ADMIN;
    snprintf(r->caller.name, sizeof(r->caller.name), "uid %u", (unsigned)peer.uid);
}

static void take_address(struct admin_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    uint16_t port;
    if (info == NULL || info->client_addr == NULL)
        return;
    pst_addr_to_v6(info->client_addr, r->address, &port);
    pst_addr_format_host(info->client_addr, r->caller.address, sizeof(r->caller.address));
}

/* Rules for browsers */

/* The host without its port. IPv6 keeps no brackets. */
static struct pst_str host_name(struct pst_str authority)
{
    struct pst_str rest, name;
    if (authority.len > 0 && authority.p[0] == '[')
        return pst_str_cut(pst_str_skip(authority, 1), ']', &rest);
    name = pst_str_cut(authority, ':', &rest);
    if (pst_str_ends(name, PST_STR(".")))
        name.len--;
    return name;
}

static bool is_literal(struct pst_str name)
{
    struct pst_cidr ignored;
    return pst_cidr_parse(name, &ignored) == 0 && pst_str_find(name, '/') < 0;
}

/* A web page can point a name of its own at this machine (DNS rebinding); it cannot choose another name. */
static bool host_is_ours(const struct admin_request *r)
{
    const struct pst_settings *settings = r->admin->parts.settings;
    struct pst_str authority = pst_str_of(header(r, "Host")), name = host_name(authority);
    if (!pst_authority_is_valid(authority))
        return false;
    if (pst_str_ieq(name, PST_STR("localhost")) || is_literal(name))
        return true;
    for (size_t i = 0; i < settings->n_admin_hosts; i++) {
        if (pst_str_ieq(name, pst_str_of(settings->admin_hosts[i])))
            return true;
    }
    return false;
}

/* From a page of another origin? Programs send neither field. */
static bool is_foreign(const struct admin_request *r)
{
    const char *origin = header(r, "Origin"), *site = header(r, "Sec-Fetch-Site");
    char own[300];
    int n = snprintf(own, sizeof(own), "https://%s", header(r, "Host"));
    bool other_origin = origin != NULL && (n < 0 || (size_t)n >= sizeof(own) || strcasecmp(origin, own) != 0);
    bool other_site = site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
    return other_origin || other_site;
}

static bool changes_something(const struct admin_request *r)
{
    return strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0;
}

/* Of whom we know; what nobody in particular sends is not worth a line each time. */
static void log_refused(const struct admin_request *r, const char *who, const char *why)
{
    pst_warn("admin", "request %s of %s from %s refused: %s", r->request_id, who, r->caller.address, why);
}

/* Tokens */

static void refuse(struct admin_request *r, const char *message)
{
    r->unauthorized = true;
    admin_fail(r, 401, "Unauthorized", "%s", message);
}

/* Into the audit trail; who it was, nobody knows, but from where. */
static void note_refused(struct admin_request *r, struct pst_str token, unsigned n,
                         const struct pst_why *reason)
{
    struct pst_why why = {0};
    char after[sizeof(reason->text) + 64];
    const struct pst_str nothing = {NULL, 0};
    int len = snprintf(after, sizeof(after), "{\"wrong_tokens\":%u,\"reason\":\"%s\"}", n, reason->text);
    admin_audit_actor(r);
    if (pst_audit_note(r->admin->keys, "admin_token.refuse", pst_admin_token_id(token), nothing,
                       (struct pst_str){after, (size_t)len}, &why) < 0)
        pst_warn("admin", "request %s: its refusal is not in the audit trail: %s", r->request_id, why.text);
}

bool admin_caller_token(struct admin_request *r, struct pst_str token, struct pst_admin_token_row *ret)
{
    struct admin_guesses *guesses = &r->admin->guesses;
    struct pst_why why = {0};
    int64_t now_us = pst_clock_real_us();
    r->retry_after_s = admin_guesses_wait_s(guesses, r->address, now_us);
    if (r->retry_after_s > 0) {
        admin_fail(r, 429, "TooManyWrongTokens",
                   "Too many wrong tokens from this address; try again in %u s.", r->retry_after_s);
        return false;
    }
    int err = pst_admin_token_check(r->admin->keys, token, now_us, ret, &why);
    if (err == 0)
        return true;
    if (err != -PST_EACCES) {
        admin_fail_err(r, err, NULL, why.text);
        return false;
    }
    unsigned n = admin_guesses_add(guesses, r->address, now_us);
    if (admin_guesses_is_noted(guesses, n, now_us))
        note_refused(r, token, n, &why);
    pst_warn("admin", "request %s from %s refused: %s", r->request_id, r->caller.address, why.text);
    refuse(
        r,
        "The admin token is wrong, expired or revoked. `postern admin-token list` lists the valid ones; the "
        "first one is in the file admin.token in data_dir.");
    return false;
}

static void become(struct admin_request *r, const struct pst_admin_token_row *token)
{
    r->caller.kind = CALLER_TOKEN;
    r->caller.role = token->role;
    pst_str_clip(pst_str_of(token->id), r->caller.id, sizeof(r->caller.id));
    pst_str_clip(pst_str_of(token->name), r->caller.name, sizeof(r->caller.name));
}

static void take_bearer(struct admin_request *r, const char *authorization)
{
    struct pst_admin_token_row token;
    struct pst_str value = pst_str_of(authorization);
    if (!pst_str_istarts(value, PST_STR("Bearer "))) {
        refuse(r, "Send an admin token as Authorization: Bearer pa_…");
        return;
    }
    if (admin_caller_token(r, pst_str_trim(pst_str_skip(value, 7)), &token))
        become(r, &token);
}

/* Sessions */

/* A session lives as long as the token it was opened with. */
static bool token_lives(struct admin_request *r, const struct admin_session *session,
                        struct pst_admin_token_row *ret)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    int64_t now_us = pst_clock_real_us();
    return pst_admin_tokens_get(store, pst_str_of(session->token_id), ret) == 0 && ret->revoked_us == 0 &&
           (ret->expires_us == 0 || now_us < ret->expires_us);
}

static bool has_csrf_token(const struct admin_request *r, const struct admin_session *session)
{
    struct pst_str given = pst_str_of(header(r, "X-CSRF-Token"));
    return given.len == strlen(session->csrf) && pst_ct_equal(given.p, session->csrf, given.len);
}

/* RFC 6265 section 5.4. */
static struct pst_str find_cookie(const char *text)
{
    struct pst_str rest = pst_str_of(text);
    while (rest.len > 0) {
        struct pst_str value, pair = pst_str_trim(pst_str_cut(rest, ';', &rest));
        if (pst_str_eq(pst_str_cut(pair, '=', &value), PST_STR(ADMIN_COOKIE)))
            return value;
    }
    return PST_STR("");
}

static void take_session(struct admin_request *r, struct pst_str cookie)
{
    struct pst_admin_token_row token;
    int64_t now_us = pst_clock_real_us();
    struct admin_session *session = admin_session_find(&r->admin->sessions, cookie, now_us);
    if (session != NULL && !token_lives(r, session, &token)) {
        admin_session_end(session);
        session = NULL;
    }
    if (session == NULL) {
        refuse(r, "The session has ended; sign in again.");
        return;
    }
    if (changes_something(r) && !has_csrf_token(r, session)) {
        log_refused(r, session->name, "a session's change without its CSRF token");
        admin_fail(r, 403, "CsrfTokenMissing",
                   "A change made with a session must carry the session's csrf_token in X-CSRF-Token.");
        return;
    }
    session->used_us = now_us;
    become(r, &token);
    r->caller.kind = CALLER_SESSION;
    r->caller.session = session;
}

/* What a request brings itself decides; a certificate is its connection's, and may be there without anybody
 * having thought of it. */
static void take_credential(struct admin_request *r)
{
    const char *authorization = header(r, "Authorization");
    struct pst_str cookie = find_cookie(header(r, "Cookie"));
    if (authorization != NULL)
        take_bearer(r, authorization);
    else if (cookie.len > 0)
        take_session(r, cookie);
    else if (!admin_certificate_take(r, changes_something(r)))
        refuse(r, "Send an admin token as Authorization: Bearer pa_…, or sign in on the page.");
}

void admin_caller_check(struct admin_request *r, enum admin_needs needs)
{
    r->caller = (struct admin_caller){0};
    if (r->listener->tls == NULL) {
        take_peer(r);
        return;
    }
    take_address(r);
    if (!host_is_ours(r)) {
        admin_fail(r, 400, "UnknownHost", "Unknown host name; add it to the setting admin_hosts.");
        return;
    }
    if (changes_something(r) && is_foreign(r)) {
        admin_fail(r, 403, "ForeignOrigin", "Changes are accepted from the admin page's own origin only.");
        return;
    }
    if (needs == ADMIN_NEEDS_NOTHING)
        return;
    take_credential(r);
    if (admin_failed(r) || needs != ADMIN_NEEDS_ADMIN || r->caller.role == PST_ADMIN_ADMIN)
        return;
    log_refused(r, r->caller.name, "the role admin is required");
    admin_fail(r, 403, "Forbidden", "The role admin is required; %s is a viewer.", r->caller.name);
}
