/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens that Postern issues itself, as the cloud does at /sts/v1.0/issueToken: who has a key gets a
 * JWT (RFC 7519, ES256) that stands for it for ten minutes, so that the key need not leave the server that
 * has it.
 *
 * A token names its key, which of the key's secrets asked for it, and that secret's generation, masked; so it
 * ends with the secret: disabled, deleted, rotated away. The signing key is in data_dir/token.keys (0600),
 * beside the one before it: a token outlives the change of keys.
 *
 *     owner: open ─▶ keeper: rotate, now and then ─▶ workers: issue, check
 *
 * A set of keys that was replaced is kept until the next change, a day later: workers hold one for the time
 * of a signature, so they need no lock. */
#ifndef POSTERN_AUTH_STS_H
#define POSTERN_AUTH_STS_H

#include "postern/auth/jwt.h"
#include "postern/auth/keyring.h"
#include "postern/base/buf.h"
#include "postern/base/err.h"

#include <stdint.h>

#define PST_STS_FILE "token.keys"

struct pst_sts;

struct pst_sts_options {
    const char *data_dir;
    const char *region;   /* what the tokens name as theirs; "" for none */
    int64_t lifetime_s;   /* of a token */
    int64_t key_period_s; /* how long a signing key signs; at least a token's lifetime */
    unsigned n_readers;   /* workers, numbered from 0 */
};

/* Reads the signing keys, or makes the first. Logs what is wrong: -PST_EACCES (others can read the file),
 * -PST_EPARSE, -PST_EIO, -PST_ENOMEM. */
int pst_sts_open(const struct pst_sts_options *options, struct pst_sts **ret) PST_MUSTCHECK;
/* No reader may be inside any more. NULL is fine. */
void pst_sts_close(struct pst_sts *sts);
/* By one thread, now and then: makes a new signing key when the present one's time is over. Logs. */
void pst_sts_rotate(struct pst_sts *sts, int64_t now_real_us);

/* Appends a token for the secret that was matched (match->secret_slot is not 0). The same caller within a
 * minute gets the same token again: a signature costs more than a request. -PST_EIO, -PST_ENOMEM,
 * -PST_ELIMIT. */
int pst_sts_issue(struct pst_sts *sts, unsigned reader, const struct pst_key_match *match,
                  int64_t now_real_us, struct pst_buf *out) PST_MUSTCHECK;

/* OK with the match, for pst_keyring_still_valid(), and until when; NO_KEY when it is none of ours (another
 * issuer's perhaps); or what is wrong with it. */
enum pst_jwt_verdict pst_sts_check(struct pst_sts *sts, unsigned reader, struct pst_str token,
                                   int64_t now_real_us, struct pst_key_match *ret_match,
                                   int64_t *ret_good_until_s) PST_MUSTCHECK;

/* The public keys, as a JWK set (RFC 7517 section 5). */
int pst_sts_publish(const struct pst_sts *sts, struct pst_buf *out) PST_MUSTCHECK;

#endif
