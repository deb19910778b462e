/* SPDX-License-Identifier: Apache-2.0 */
/* mbedTLS's own primitives, unhooked: the same library, built with -Dcrypto=stock, its symbols renamed
 * (tools/deps). 0 is success, everything else mbedTLS's error. */
#ifndef POSTERN_TEST_CRYPTO_REFERENCE_H
#define POSTERN_TEST_CRYPTO_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ref_message {
    const uint8_t *key;
    unsigned key_bits; /* 256 for ChaCha20-Poly1305 */
    const uint8_t *iv; /* 12 bytes there */
    size_t iv_len;
    const uint8_t *ad;
    size_t ad_len;
    const uint8_t *in;
    size_t len;
};

int ref_gcm_seal(const struct ref_message *message, uint8_t *out, uint8_t tag[static 16]);
int ref_chachapoly_seal(const struct ref_message *message, uint8_t *out, uint8_t tag[static 16]);
/* 32 or 48 bytes; `wide` for SHA-384 and SHA-512. */
int ref_sha256(const uint8_t *in, size_t len, uint8_t out[static 32]);
int ref_sha512(const uint8_t *in, size_t len, bool is384, uint8_t out[static 64]);

/* bits: 256 or 384, of P-256 and P-384; 255 of X25519. Coordinates and scalars of the field's size, points
 * without the byte before them. */
int ref_public(unsigned bits, const uint8_t *scalar, uint8_t *point);
int ref_shared(unsigned bits, const uint8_t *scalar, const uint8_t *point, uint8_t *x);
int ref_sign(unsigned bits, const uint8_t *scalar, const uint8_t *hash, size_t hash_len, uint8_t *signature);
int ref_verify(unsigned bits, const uint8_t *point, const uint8_t *hash, size_t hash_len,
               const uint8_t *signature);

#endif
