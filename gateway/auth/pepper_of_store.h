/* SPDX-License-Identifier: Apache-2.0 */
/* The pepper that a database's digests were made under, told from any other. */
#ifndef POSTERN_AUTH_PEPPER_OF_STORE_H
#define POSTERN_AUTH_PEPPER_OF_STORE_H

#include "postern/auth/pepper.h"
#include "postern/db/keys_store.h"

/* Reads data_dir/pepper as pst_pepper_load() does; makes it, with `may_make`, only beside a database in which
 * nothing depends on one yet: over keys and tokens a new one would make them useless. -PST_EACCES also when
 * it is another one than theirs; -PST_EDB when the database never had a secret in it, and there were keys in
 * this directory. Notes that there are keys, when there are. */
int pst_pepper_of_store(struct pst_keys_store *store, const char *data_dir, bool may_make,
                        struct pst_pepper *ret, struct pst_why *why) PST_MUSTCHECK;
/* Before the database is opened, which makes it: whether it may be made. Refuses (-PST_EDB) when there were
 * keys in this directory; logs a warning when it will be made beside a pepper that is there already. */
int pst_pepper_before_store(const char *data_dir, struct pst_why *why) PST_MUSTCHECK;
/* Writes down what this pepper is told by: in the transaction that stores a digest made under it. One with
 * which nothing was made yet may be the wrong one. */
int pst_pepper_note(struct pst_keys_store *store, const uint8_t digest[static PST_SHA256_BYTES],
                    struct pst_why *why) PST_MUSTCHECK;
/* What it is told by. */
void pst_pepper_check_digest(const struct pst_pepper *pepper, uint8_t ret[static PST_SHA256_BYTES]);

#endif
