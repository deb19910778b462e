/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that carried an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), in keys.db. Errors as
 * the keys store's. */
#ifndef POSTERN_DB_IDEMPOTENCY_H
#define POSTERN_DB_IDEMPOTENCY_H

#include "postern/db/keys_store.h"

#define PST_IDEMPOTENCY_DIGEST_BYTES 32

struct pst_idempotency_row {
    uint8_t asked[PST_IDEMPOTENCY_DIGEST_BYTES]; /* of who asked and the key that he sent */
    uint8_t body[PST_IDEMPOTENCY_DIGEST_BYTES];
    char key_id[16]; /* what was made */
    int64_t time_us;
};

/* 1 when it was asked before and not before `since_us`, 0 when not. */
int pst_idempotency_find(struct pst_keys_store *store,
                         const uint8_t asked[static PST_IDEMPOTENCY_DIGEST_BYTES], int64_t since_us,
                         struct pst_idempotency_row *ret) PST_MUSTCHECK;
/* Notes it in the transaction that makes the key, and forgets what is older than `since_us`. */
int pst_idempotency_add(struct pst_keys_store *store, const struct pst_idempotency_row *row,
                        int64_t since_us) PST_MUSTCHECK;

#endif
