/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of public keys (RFC 7517): what an issuer publishes, and what Postern publishes itself.
 *
 * A set is read once and never changes after that; any number of threads may use it. Each key has exactly one
 * algorithm: its own "alg", or, for the many that have none, the first of the allowed ones that it can do. */
#ifndef POSTERN_AUTH_JWKS_H
#define POSTERN_AUTH_JWKS_H

#include "postern/auth/jwt.h"
#include "postern/auth/why.h"
#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/crypto/signature.h"

#include <stddef.h>

#define PST_JWKS_BYTES_MAX 65536 /* of a set's text; Entra ID's is about 15 KiB */
#define PST_JWKS_KEYS_MAX  64

struct pst_jwk {
    char kid[PST_JWT_KID_MAX + 1]; /* empty: none */
    enum pst_signature_alg alg;
    struct pst_verify_key *key;
};

struct pst_jwks {
    size_t n;
    size_t n_skipped; /* keys that were no use: encryption, symmetric, unknown, weak */
    struct pst_jwk at[PST_JWKS_KEYS_MAX];
};

/* Algorithms in their order of preference, ended by PST_ALG_UNKNOWN. */
struct pst_alg_list {
    enum pst_signature_alg at[PST_ALG_MAX];
};

/* Reads a set. Keys that are of no use are left out, and `why` has the reason for the first of them (else it
 * is empty). 0; -PST_EPARSE (not a set), -PST_ELIMIT (its text or its keys are too many), -PST_EINVAL (not
 * one key of use), -PST_ENOMEM. */
int pst_jwks_parse(struct pst_str text, const struct pst_alg_list *allowed, struct pst_jwks **ret,
                   struct pst_why *why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_jwks_free(struct pst_jwks *jwks);

/* The key that a token has to be signed with: of its kid, or, when it names none, the only one of its
 * algorithm. OK, NO_KEY, or KEY_ALG when the key of that kid has another algorithm. */
enum pst_jwt_verdict pst_jwks_find(const struct pst_jwks *jwks, const struct pst_jws *jws,
                                   const struct pst_jwk **ret) PST_MUSTCHECK;

/* Appends the public half of a key of ours as one member of a set's "keys". 0, -PST_ELIMIT, -PST_ENOMEM. */
int pst_jwk_write(const struct pst_sign_key *key, struct pst_str kid, struct pst_buf *out) PST_MUSTCHECK;

#endif
