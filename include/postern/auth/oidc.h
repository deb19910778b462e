/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of other issuers (Entra ID, any OpenID Connect provider): checked on the worker that has the
 * request, against keys that a thread of its own fetches and keeps fresh.
 *
 *     thread "issuers" ── file or HTTPS ──▶ key sets ◀── read by workers, without a lock
 *
 * A worker announces the set that it reads (a hazard pointer), for the time of one signature; the thread
 * frees a replaced set when nobody reads it any more. A token that was found good is kept in the worker's
 * cache until it ends or its issuer's keys change.
 *
 * A kid that is not known makes the thread look for new keys at once, but no more often than every ten
 * seconds. When keys cannot be had, those known stay in use, and it is tried again, less and less often.
 *
 * Threads: open and close by the owner; check by the worker that owns the number `reader`. */
#ifndef POSTERN_AUTH_OIDC_H
#define POSTERN_AUTH_OIDC_H

#include "postern/auth/issuers.h"
#include "postern/auth/jwt.h"
#include "postern/auth/key_format.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdint.h>

struct pst_oidc;

struct pst_oidc_options {
    const struct pst_issuers *issuers; /* live longer than what is opened */
    const char *ca_file;               /* for issuers without one of their own; "" or NULL: system's roots */
    const char *proxy;                 /* as in fetch.h; "" or NULL: direct */
    unsigned n_readers;
};

/* Reads key sets that are files, and starts the thread that fetches the others. pst_tls_init() has run.
 * 0, -PST_ENOMEM, -PST_EIO; a set that cannot be had is no error: it is logged, and tried again. */
int pst_oidc_open(const struct pst_oidc_options *options, struct pst_oidc **ret) PST_MUSTCHECK;
/* Waits for the thread, which may be in the middle of fetching, at most ten seconds. No reader may be inside
 * any more. NULL is fine. */
void pst_oidc_close(struct pst_oidc *oidc);

struct pst_oidc_found {
    char key_id[PST_KEY_ID_SIZE]; /* whose the token is to count as; whether that key may be used is asked of
                                     the keyring */
    int64_t good_until_s;         /* its exp and the leeway */
};

/* OK with `ret` filled, or why not. */
enum pst_jwt_verdict pst_oidc_check(struct pst_oidc *oidc, unsigned reader, struct pst_str token,
                                    int64_t now_real_us, struct pst_oidc_found *ret) PST_MUSTCHECK;

#endif
