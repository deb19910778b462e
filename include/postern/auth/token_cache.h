/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that were found good, so that the next request with the same one costs a comparison and not a
 * signature. Refusals are not kept: they would let anybody push good ones out.
 *
 * One per worker, never shared. A token is found by its end, which is its signature, and compared whole and
 * without a tell-tale. What a hit says is what was true then: whoever asks still has to look whether the key
 * may be used now (pst_keyring_check_id()), and whether `generation` is still the one of the keys it was
 * verified with. */
#ifndef POSTERN_AUTH_TOKEN_CACHE_H
#define POSTERN_AUTH_TOKEN_CACHE_H

#include "postern/auth/keyring.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdint.h>

/* Tokens kept for each worker: one per client that calls within a token's hour. They have 1.5 KB mostly; of
 * those with hundreds of groups fewer fit. More clients than that pay for a signature (0.1 ms) now and then.
 */
#define PST_TOKEN_CACHE_ENTRIES 1024
#define PST_TOKEN_CACHE_BYTES   ((size_t)2 * 1024 * 1024)

struct pst_token_verdict {
    int64_t good_until_s; /* since 1970: the token's exp, and the leeway */
    uint32_t source;      /* whose keys verified it; the caller's numbers */
    uint64_t generation;  /* which ones of theirs */
    struct pst_key_match match;
};

struct pst_token_cache;

/* 0, -PST_EIO (no random bytes) or -PST_ENOMEM. */
int pst_token_cache_new(struct pst_token_cache **ret) PST_MUSTCHECK;
/* Wipes and frees it. NULL is fine. */
void pst_token_cache_free(struct pst_token_cache *cache);
/* What the tokens in it take together; at most PST_TOKEN_CACHE_BYTES. */
size_t pst_token_cache_bytes(const struct pst_token_cache *cache);

/* What was found out about the token, until the next call with this cache; NULL when it is not there or over.
 */
const struct pst_token_verdict *pst_token_cache_find(struct pst_token_cache *cache, struct pst_str token,
                                                     int64_t now_s);
/* Keeps it (a copy), in the place of older ones perhaps. Without memory it is not kept, and that is all. */
void pst_token_cache_put(struct pst_token_cache *cache, struct pst_str token,
                         const struct pst_token_verdict *verdict);

#endif
