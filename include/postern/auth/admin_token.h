/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use the admin side: named tokens with a role.
 *     pa_<id>_<secret>_<checksum>
 * built like keys (key_format.h); only their HMAC under the pepper is stored. On the same service, and by the
 * same rules for threads and `why`, as keys.h. A token never opens the data plane, a key never the admin. */
#ifndef POSTERN_AUTH_ADMIN_TOKEN_H
#define POSTERN_AUTH_ADMIN_TOKEN_H

#include "postern/auth/keys.h"
#include "postern/db/admin_tokens.h"

#define PST_ADMIN_TOKEN_PREFIX "pa_"
#define PST_ADMIN_TOKEN_FILE   "admin.token"

struct pst_admin_token_made {
    char id[PST_KEY_ID_SIZE];
    struct pst_secret token; /* the caller wipes it */
    int64_t created_us;
};

/* `expires_us` 0: never. -PST_EINVAL (why->field: name, expires), -PST_ELIMIT, errors of the store. */
int pst_admin_token_make(struct pst_keys *keys, struct pst_str name, enum pst_admin_role role,
                         int64_t expires_us, struct pst_admin_token_made *ret,
                         struct pst_why *why) PST_MUSTCHECK;
/* The public id inside, or the empty slice when that is no token. */
struct pst_str pst_admin_token_id(struct pst_str text);
/* Whose token it is. -PST_EACCES: not a token, unknown, wrong, revoked or expired; `why` says which, for the
 * log: who asks is not to be told. As costly for an unknown one as for a wrong one. Notes the use, to the
 * minute. */
int pst_admin_token_check(struct pst_keys *keys, struct pst_str presented, int64_t now_us,
                          struct pst_admin_token_row *ret, struct pst_why *why) PST_MUSTCHECK;
/* At once and for good. -PST_ENOENT. */
int pst_admin_token_revoke(struct pst_keys *keys, struct pst_str id, struct pst_why *why) PST_MUSTCHECK;
/* Takes over a token that was made elsewhere. -PST_EINVAL: it is not one. -PST_EEXIST: its id is taken. */
int pst_admin_token_take(struct pst_keys *keys, struct pst_str text, struct pst_str name,
                         enum pst_admin_role role, struct pst_why *why) PST_MUSTCHECK;
/* At the first start: when there is no token at all, makes one of role admin and writes it to
 * data_dir/admin.token (0600); or takes the one that is in that file, when it is mounted there: a link, or
 * another user's, which must not be able to be read by others (base/access.h). 1: done; 0: there are some
 * already. */
int pst_admin_token_first(struct pst_keys *keys, const char *data_dir, struct pst_why *why) PST_MUSTCHECK;

#endif
