/* SPDX-License-Identifier: Apache-2.0 */
/* The pepper: 32 random bytes in data_dir/pepper, beside the database and not in it. Only HMACs under a
 * key derived from it are stored, so a copy of the database alone is of no use for guessing or making
 * keys. Made once; without it no stored key can be checked any more, hence it is never made anew over a
 * database that has keys. Read at start and by the command line; any thread. */
#ifndef POSTERN_AUTH_PEPPER_H
#define POSTERN_AUTH_PEPPER_H

#include "postern/auth/why.h"
#include "postern/base/err.h"
#include "postern/crypto/hash.h"

#include <stdbool.h>

#define PST_PEPPER_BYTES 32
#define PST_PEPPER_FILE  "pepper"

struct pst_pepper {
    uint8_t bytes[PST_PEPPER_BYTES];
};

/* Reads data_dir/pepper (64 hex digits, or 32 raw bytes); when it is missing and `may_create`, makes it with
 * mode 0600. It may be mounted from a secret store (pst_data_dir_file(); links are followed). It must be a
 * regular file that other users cannot read (base/access.h); the mode of one of ours is put right. 0, or with
 * `why` filled: -PST_ENOENT (missing, and not to be made), -PST_EACCES (owner or mode), -PST_EPARSE (not a
 * pepper), -PST_EIO, -PST_EFULL, -PST_ENOMEM. */
int pst_pepper_load(const char *data_dir, bool may_create, struct pst_pepper *ret,
                    struct pst_why *why) PST_MUSTCHECK;
/* The same, but makes and changes nothing: a mode that pst_pepper_load() would put right passes. */
int pst_pepper_look(const char *data_dir, struct pst_pepper *ret, struct pst_why *why) PST_MUSTCHECK;
/* Whether a start would take the pepper in data_dir, for the keys that are there. Changes nothing. 0, also
 * when there is no keys.db yet, or one that cannot be read (pst_db_examine() tells); else an error of
 * pst_pepper_load(), -PST_EACCES also for another pepper than the keys', -PST_EDB when keys.db is a new one
 * though there were keys. */
int pst_pepper_examine(const char *data_dir, struct pst_why *why) PST_MUSTCHECK;
void pst_pepper_done(struct pst_pepper *pepper);
/* What keys' digests are made under. */
#define PST_KEY_DIGEST_PURPOSE "postern key digest 1"
/* The HMAC key for one purpose: HMAC-SHA-256(pepper, purpose). Purposes never share a key. */
void pst_pepper_derive(const struct pst_pepper *pepper, const char *purpose, struct pst_hmac_key *ret);

#endif
