/* SPDX-License-Identifier: Apache-2.0 */
/* Elliptic curves by nettle's hogweed, as the hooks need them: big-endian bytes in and out. Secret: private
 * scalars and shared secrets. hogweed's multiplication, inversion and signing are side-channel silent (no
 * branch and no address depends on the operands); of the conversions from and to bytes only the number of
 * leading zero limbs may show, which is 0 but once in 2^64. Points and signatures are public. What hogweed
 * allocates is wiped by GMP's free (engine.c). */
#ifndef POSTERN_CRYPTO_HOOKS_ECC_H
#define POSTERN_CRYPTO_HOOKS_ECC_H

#include <mbedtls/ecp.h>
#include <nettle/ecc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECC_MAX_BYTES    48
#define ECC_POINT_MAX    (2 * ECC_MAX_BYTES)
#define X25519_BYTES     32
#define ECC_UNCOMPRESSED 0x04 /* what a point begins with (SEC 1 section 2.3.3) */
#define ECC_ERROR_RANDOM (-1)
#define ECC_ERROR_SCALAR (-2) /* 0, or the group's order or more */
#define ECC_ERROR_POINT  (-3) /* not on the curve, or infinity */

/* mbedTLS's shape of a random source. */
typedef int ecc_random(void *arg, unsigned char *out, size_t len);

/* NULL for a group that hogweed does not do: Curve25519 has functions of its own. */
const struct ecc_curve *ecc_curve_of(mbedtls_ecp_group_id id);
/* Bytes of a coordinate, and of a scalar: 32 or 48. */
size_t ecc_bytes(const struct ecc_curve *curve);

bool ecc_scalar_is_valid(const struct ecc_curve *curve, const uint8_t *scalar);
/* `point` is x and y, 2 * ecc_bytes(). */
bool ecc_point_is_valid(const struct ecc_curve *curve, const uint8_t *point);
/* An even choice from 1 to the order - 1 (FIPS 186-5 A.2.2, by rejection). 0 or ECC_ERROR_RANDOM. */
int ecc_scalar_make(const struct ecc_curve *curve, ecc_random *draw, void *arg, uint8_t *scalar);
/* The scalar times the generator. 0 or ECC_ERROR_SCALAR. */
int ecc_public_of(const struct ecc_curve *curve, const uint8_t *scalar, uint8_t *point);
/* The x of the scalar times the point. 0, ECC_ERROR_SCALAR or ECC_ERROR_POINT. */
int ecc_shared_of(const struct ecc_curve *curve, const uint8_t *scalar, const uint8_t *point, uint8_t *x);
/* ECDSA (FIPS 186-5 section 6.4). r and s: ecc_bytes() each, one behind the other. 0, ECC_ERROR_SCALAR or
 * ECC_ERROR_RANDOM. */
int ecc_sign(const struct ecc_curve *curve, const uint8_t *scalar, const uint8_t *hash, size_t hash_len,
             ecc_random *draw, void *arg, uint8_t *signature);
bool ecc_verify(const struct ecc_curve *curve, const uint8_t *point, const uint8_t *hash, size_t hash_len,
                const uint8_t *signature);

/* X25519 (RFC 7748). False when the shared secret is all zero (section 6.1): then nothing is given out. */
bool x25519_shared(const uint8_t scalar[static X25519_BYTES], const uint8_t point[static X25519_BYTES],
                   uint8_t shared[static X25519_BYTES]);

#endif
