/* SPDX-License-Identifier: Apache-2.0 */
/* What tells the pepper of the digests in keys.db from another one. Errors as the keys store's. */
#ifndef POSTERN_DB_PEPPER_CHECK_H
#define POSTERN_DB_PEPPER_CHECK_H

#include "postern/db/keys_store.h"

/* 1 and the digest, or 0 when no secret was made yet (or none since the schema knows of it). */
int pst_pepper_check_get(struct pst_keys_store *store,
                         uint8_t ret[static PST_KEYS_DIGEST_BYTES]) PST_MUSTCHECK;
/* Whether a key or an admin token is there whose digest was made under it. */
int pst_pepper_is_needed(struct pst_keys_store *store, bool *ret) PST_MUSTCHECK;
/* Notes it, in the place of any other; part of the transaction under way. */
int pst_pepper_check_note(struct pst_keys_store *store,
                          const uint8_t digest[static PST_KEYS_DIGEST_BYTES]) PST_MUSTCHECK;

#endif
