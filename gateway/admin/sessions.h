/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of people who signed in with an admin token in a browser. In memory alone: a restart ends all. Of
 * the cookie only its SHA-256 is kept. Under the admin side's lock. */
#ifndef POSTERN_ADMIN_SESSIONS_H
#define POSTERN_ADMIN_SESSIONS_H

#include "postern/base/err.h"
#include "postern/crypto/base64.h"
#include "postern/crypto/hash.h"
#include "postern/db/admin_tokens.h"

#include <stdbool.h>

#define ADMIN_COOKIE          "__Host-postern-admin"
#define ADMIN_SESSIONS_MAX    256
#define ADMIN_SESSION_IDLE_US (INT64_C(30) * 60 * 1000000)
#define ADMIN_SESSION_LIFE_US (INT64_C(12) * 3600 * 1000000)
/* How long a session may do what its token must have been shown for. */
#define ADMIN_SESSION_CONFIRMED_US (INT64_C(5) * 60 * 1000000)
#define ADMIN_SESSION_BYTES        32
#define ADMIN_SESSION_TEXT_SIZE    PST_BASE64_SIZE(ADMIN_SESSION_BYTES)

struct admin_session {
    bool open;
    char id[17]; /* names it to people; opens nothing */
    uint8_t cookie_sha256[PST_SHA256_BYTES];
    char csrf[ADMIN_SESSION_TEXT_SIZE];
    char token_id[PST_KEYS_ID_MAX + 1];
    char name[PST_KEYS_NAME_MAX + 1];
    char address[48];
    int64_t created_us; /* real time */
    int64_t used_us;
    int64_t confirmed_us; /* when its token was last shown again; 0: never */
};

struct admin_sessions {
    struct admin_session at[ADMIN_SESSIONS_MAX];
};

/* Opens one; when there are too many, the one that was unused longest ends. `cookie` gets its text. -PST_EIO
 * (no random bytes). */
int admin_session_open(struct admin_sessions *all, const struct pst_admin_token_row *token,
                       const char *address, int64_t now_us, char cookie[static ADMIN_SESSION_TEXT_SIZE],
                       struct admin_session **ret) PST_MUSTCHECK;
/* Its token was shown again: it gets another cookie, and may do more for a while. -PST_EIO. */
int admin_session_confirm(struct admin_session *session, int64_t now_us,
                          char cookie[static ADMIN_SESSION_TEXT_SIZE]) PST_MUSTCHECK;
bool admin_session_is_confirmed(const struct admin_session *session, int64_t now_us);
/* By its cookie; NULL when there is none that is still open. */
struct admin_session *admin_session_find(struct admin_sessions *all, struct pst_str cookie, int64_t now_us);
struct admin_session *admin_session_by_id(struct admin_sessions *all, struct pst_str id, int64_t now_us);
void admin_session_end(struct admin_session *session);
/* When it ends at the latest. */
int64_t admin_session_expires_us(const struct admin_session *session);
/* Whether it is open still; ends it when its time is over. */
bool admin_session_is_open(struct admin_session *session, int64_t now_us);

#endif
