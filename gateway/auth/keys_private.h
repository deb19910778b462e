/* SPDX-License-Identifier: Apache-2.0 */
/* What of the keys service its neighbours use. */
#ifndef POSTERN_AUTH_KEYS_PRIVATE_H
#define POSTERN_AUTH_KEYS_PRIVATE_H

#include "postern/auth/audit.h"
#include "postern/crypto/hash.h"

/* The digest of an admin token under the pepper, by a key of its own. */
int pst_keys_token_digest(struct pst_keys *keys, struct pst_str text, uint8_t digest[static PST_SHA256_BYTES],
                          struct pst_why *why) PST_MUSTCHECK;

/* To be called in the transaction that stores a digest. */
int pst_keys_note_pepper(struct pst_keys *keys, struct pst_why *why) PST_MUSTCHECK;

bool pst_keys_is_bulk(const struct pst_keys *keys);
const struct pst_actor *pst_keys_actor(const struct pst_keys *keys);

#endif
