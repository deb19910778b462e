/* SPDX-License-Identifier: Apache-2.0 */
/* What checking tokens and fetching keys share. */
#ifndef POSTERN_AUTH_OIDC_PRIVATE_H
#define POSTERN_AUTH_OIDC_PRIVATE_H

#include "postern/auth/oidc.h"
#include "postern/auth/token_cache.h"
#include "postern/base/ticker.h"
#include "postern/crypto/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* One version of an issuer's keys; never changes. */
struct keyset {
    struct pst_jwks *jwks;
    uint64_t generation;
    uint8_t digest[PST_SHA256_BYTES]; /* of the text it was read from */
    struct keyset *next_retired;
};

/* One issuer's keys and where they come from. */
struct key_source {
    const struct pst_issuer *issuer;

    /* Between threads: */
    _Atomic(struct keyset *) set; /* NULL: none yet */
    atomic_ullong generation;     /* of `set`; what tokens in the caches are compared with */
    atomic_bool wanted;           /* a worker met a kid that is not known */

    /* The thread's: */
    uint64_t next_us;
    uint64_t last_us; /* of the last try */
    unsigned failures;
    struct stat file; /* as it was when it was read */
};

struct oidc_reader {
    _Alignas(64) _Atomic(struct keyset *) reads; /* the hazard pointer; a cache line of its own */
    struct pst_token_cache *cache;
};

struct pst_oidc {
    struct pst_oidc_options options;
    struct key_source *sources; /* one per issuer, in their order */
    struct oidc_reader *readers;
    struct keyset *retired;   /* the thread's */
    struct pst_ticker ticker; /* the thread "issuers" */
};

/* oidc_keys.c */

/* One round over all sources: fetches what is due. */
void oidc_keys_refresh(struct pst_oidc *oidc, bool files_only);
int oidc_keys_start(struct pst_oidc *oidc) PST_MUSTCHECK;
void oidc_keys_free(struct pst_oidc *oidc);

#endif
