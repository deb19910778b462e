/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that sign access tokens: the present one and the one before it, in a file of two lines,
 * "<kid> <made, seconds since 1970> <secret, base64url>". A set never changes once it is made. */
#ifndef POSTERN_AUTH_STS_KEYS_H
#define POSTERN_AUTH_STS_KEYS_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/crypto/hash.h"
#include "postern/crypto/signature.h"

#define STS_KEYS    2
#define STS_KID_LEN 16

struct sts_key {
    char kid[STS_KID_LEN + 1];
    int64_t made_s;
    struct pst_sign_key *sign;
    struct pst_verify_key *verify;
    struct pst_hmac_key mask; /* derived from the secret */
    char header[160];         /* the first part of every token it signs, with the dot behind it */
};

struct sts_keys {
    size_t n;
    struct sts_key at[STS_KEYS]; /* the present one first */
};

/* Reads the file, or makes it with a first key. Logs. */
int sts_keys_load(const char *data_dir, struct sts_keys **ret) PST_MUSTCHECK;
/* A set with a new key before the present one of `keys`, written to the file. Logs. */
int sts_keys_next(const struct sts_keys *keys, const char *data_dir, struct sts_keys **ret) PST_MUSTCHECK;
/* NULL is fine. */
void sts_keys_free(struct sts_keys *keys);
/* The key that a token says it is signed with, by its first part; NULL: none of ours. */
const struct sts_key *sts_keys_find(const struct sts_keys *keys, struct pst_str token);
int sts_keys_publish(const struct sts_keys *keys, struct pst_buf *out) PST_MUSTCHECK;

#endif
