/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"

#include <string.h>

static const char hex[] = "0123456789abcdef";

int64_t admin_session_expires_us(const struct admin_session *session)
{
    return session->created_us + ADMIN_SESSION_LIFE_US;
}

void admin_session_end(struct admin_session *session)
{
    pst_wipe(session, sizeof(*session));
}

bool admin_session_is_open(struct admin_session *session, int64_t now_us)
{
    if (!session->open)
        return false;
    if (now_us < admin_session_expires_us(session) && now_us < session->used_us + ADMIN_SESSION_IDLE_US)
        return true;
    admin_session_end(session);
    return false;
}

static struct admin_session *find_place(struct admin_sessions *all, int64_t now_us)
{
    struct admin_session *oldest = &all->at[0];
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        if (!admin_session_is_open(&all->at[i], now_us))
            return &all->at[i];
        if (all->at[i].used_us < oldest->used_us)
            oldest = &all->at[i];
    }
    return oldest;
}

static int make_cookie(struct admin_session *session, char cookie[static ADMIN_SESSION_TEXT_SIZE])
{
    uint8_t bytes[ADMIN_SESSION_BYTES];
    int err = pst_random_bytes(bytes, sizeof(bytes));
    if (err < 0)
        return err;
    size_t len = pst_base64_encode(PST_BASE64URL, bytes, sizeof(bytes), cookie);
    pst_sha256(cookie, len, session->cookie_sha256);
    pst_wipe(bytes, sizeof(bytes));
    return 0;
}

int admin_session_confirm(struct admin_session *session, int64_t now_us,
                          char cookie[static ADMIN_SESSION_TEXT_SIZE])
{
    int err = make_cookie(session, cookie);
    if (err == 0)
        session->confirmed_us = now_us;
    return err;
}

/* A clock that was set back ends it too. */
bool admin_session_is_confirmed(const struct admin_session *session, int64_t now_us)
{
    return session->confirmed_us > 0 && now_us >= session->confirmed_us &&
           now_us < session->confirmed_us + ADMIN_SESSION_CONFIRMED_US;
}

int admin_session_open(struct admin_sessions *all, const struct pst_admin_token_row *token,
                       const char *address, int64_t now_us, char cookie[static ADMIN_SESSION_TEXT_SIZE],
                       struct admin_session **ret)
{
    uint8_t bytes[ADMIN_SESSION_BYTES];
    struct admin_session made = {.open = true, .created_us = now_us, .used_us = now_us};
    int err = pst_random_text(made.id, sizeof(made.id) - 1, hex, 16);
    if (err == 0)
        err = make_cookie(&made, cookie);
    if (err == 0)
        err = pst_random_bytes(bytes, sizeof(bytes));
    if (err < 0)
        return err;
    pst_base64_encode(PST_BASE64URL, bytes, sizeof(bytes), made.csrf);
    pst_wipe(bytes, sizeof(bytes));
    pst_str_clip(pst_str_of(token->id), made.token_id, sizeof(made.token_id));
    pst_str_clip(pst_str_of(token->name), made.name, sizeof(made.name));
    pst_str_clip(pst_str_of(address), made.address, sizeof(made.address));
    *ret = find_place(all, now_us);
    **ret = made;
    pst_wipe(&made, sizeof(made));
    return 0;
}

struct admin_session *admin_session_find(struct admin_sessions *all, struct pst_str cookie, int64_t now_us)
{
    uint8_t digest[PST_SHA256_BYTES];
    struct admin_session *found = NULL;
    pst_sha256(cookie.len > 0 ? cookie.p : "", cookie.len, digest);
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        if (all->at[i].open && pst_ct_equal(all->at[i].cookie_sha256, digest, sizeof(digest)))
            found = &all->at[i];
    }
    return found != NULL && admin_session_is_open(found, now_us) ? found : NULL;
}

struct admin_session *admin_session_by_id(struct admin_sessions *all, struct pst_str id, int64_t now_us)
{
    for (size_t i = 0; i < ADMIN_SESSIONS_MAX; i++) {
        if (admin_session_is_open(&all->at[i], now_us) && pst_str_eq(id, pst_str_of(all->at[i].id)))
            return &all->at[i];
    }
    return NULL;
}
