/* SPDX-License-Identifier: Apache-2.0 */
/* Digital signatures as JOSE has them (RFC 7518 section 3, RFC 8037): verifying with public keys that came as
 * numbers, and signing with ES256. hogweed does the arithmetic; nothing here reads DER, and nothing here
 * knows a symmetric algorithm or "none".
 *
 * GMP, on which hogweed stands, ends the process when it gets no memory; an operation takes a few KiB.
 *
 * Keys live on the heap, never change once they are made, and may be used by any number of threads. Numbers
 * and signatures are big-endian bytes. */
#ifndef POSTERN_CRYPTO_SIGNATURE_H
#define POSTERN_CRYPTO_SIGNATURE_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pst_signature_alg {
    PST_ALG_UNKNOWN,
    PST_ALG_RS256, /* RSASSA-PKCS1-v1_5 */
    PST_ALG_RS384,
    PST_ALG_RS512,
    PST_ALG_PS256, /* RSASSA-PSS; the salt is as long as the hash */
    PST_ALG_PS384,
    PST_ALG_PS512,
    PST_ALG_ES256, /* P-256 */
    PST_ALG_ES384, /* P-384 */
    PST_ALG_ES512, /* P-521 */
    PST_ALG_EDDSA, /* Ed25519 only */
    PST_ALG_MAX
};

/* "RS256" and so on; "unknown" for anything else. Static. */
const char *pst_signature_alg_text(enum pst_signature_alg alg);
/* By its registered name, in its spelling; PST_ALG_UNKNOWN for others, "none" and HMAC among them. */
enum pst_signature_alg pst_signature_alg_of(struct pst_str name);

enum pst_curve { PST_CURVE_P256, PST_CURVE_P384, PST_CURVE_P521 };

struct pst_verify_key;

/* RSA moduli have this many bits: below, they can be factored; above, one signature would cost too much. */
#define PST_RSA_BITS_MIN  2048
#define PST_RSA_BITS_MAX  8192
#define PST_SIGNATURE_MAX (PST_RSA_BITS_MAX / 8) /* bytes: the longest signature of any algorithm */

/* Each takes a public key apart into its numbers and returns 0, -PST_EINVAL (a key that nobody should trust;
 * *ret_reason says why, in a static text that completes "the key …") or -PST_ENOMEM. */
int pst_verify_key_rsa(struct pst_str modulus, struct pst_str exponent, struct pst_verify_key **ret,
                       const char **ret_reason) PST_MUSTCHECK;
/* Coordinates have the curve's full length (RFC 7518 section 6.2.1.2); the point has to lie on the curve. */
int pst_verify_key_ec(enum pst_curve curve, struct pst_str x, struct pst_str y, struct pst_verify_key **ret,
                      const char **ret_reason) PST_MUSTCHECK;
int pst_verify_key_ed25519(struct pst_str x, struct pst_verify_key **ret,
                           const char **ret_reason) PST_MUSTCHECK;
/* NULL is fine. */
void pst_verify_key_free(struct pst_verify_key *key);

/* Whether this kind of key can check signatures of this algorithm at all. */
bool pst_verify_key_fits(const struct pst_verify_key *key, enum pst_signature_alg alg);
/* Whether `signature` is one of `message`. False also for an algorithm that does not fit the key, and for a
 * signature that is not exactly as long as it has to be. */
bool pst_verify(const struct pst_verify_key *key, enum pst_signature_alg alg, struct pst_str message,
                struct pst_str signature) PST_MUSTCHECK;

/* A key to sign with, ES256. Secret: free wipes it. */
struct pst_sign_key;

#define PST_SIGN_KEY_BYTES   32 /* the secret number */
#define PST_SIGN_COORD_BYTES 32
#define PST_SIGN_BYTES       64 /* a signature, r and s */

/* A new one. 0, -PST_EIO (no random bytes) or -PST_ENOMEM. */
int pst_sign_key_make(struct pst_sign_key **ret) PST_MUSTCHECK;
/* From its secret number, and back. -PST_EINVAL when it is 0 or not below the group's order. Whoever holds
 * the bytes wipes them. */
int pst_sign_key_load(const uint8_t secret[static PST_SIGN_KEY_BYTES],
                      struct pst_sign_key **ret) PST_MUSTCHECK;
void pst_sign_key_save(const struct pst_sign_key *key, uint8_t secret[static PST_SIGN_KEY_BYTES]);
void pst_sign_key_public(const struct pst_sign_key *key, uint8_t x[static PST_SIGN_COORD_BYTES],
                         uint8_t y[static PST_SIGN_COORD_BYTES]);
/* NULL is fine. */
void pst_sign_key_free(struct pst_sign_key *key);

/* 0, or -PST_EIO (no random bytes; `signature` is then all zero). */
int pst_sign(const struct pst_sign_key *key, struct pst_str message,
             uint8_t signature[static PST_SIGN_BYTES]) PST_MUSTCHECK;

#endif
