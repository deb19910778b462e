/* SPDX-License-Identifier: Apache-2.0 */
#include "ecc.h"

#include <nettle/bignum.h>
#include <nettle/curve25519.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <string.h>

/* Chance of one draw being out of range: 2^-32 for P-256, less for P-384. */
#define MAX_DRAWS 64

const struct ecc_curve *ecc_curve_of(mbedtls_ecp_group_id id)
{
    return id == MBEDTLS_ECP_DP_SECP256R1   ? nettle_get_secp_256r1()
           : id == MBEDTLS_ECP_DP_SECP384R1 ? nettle_get_secp_384r1()
                                            : NULL;
}

size_t ecc_bytes(const struct ecc_curve *curve)
{
    return (ecc_bit_size(curve) + 7) / 8;
}

/* Fails for 0 and for what is not below the order. The caller clears it in either case. */
static bool take_scalar(struct ecc_scalar *scalar, const struct ecc_curve *curve, const uint8_t *bytes)
{
    mpz_t number;
    ecc_scalar_init(scalar, curve);
    nettle_mpz_init_set_str_256_u(number, ecc_bytes(curve), bytes);
    bool ok = ecc_scalar_set(scalar, number) != 0;
    mpz_clear(number);
    return ok;
}

static bool take_point(struct ecc_point *point, const struct ecc_curve *curve, const uint8_t *bytes)
{
    mpz_t x, y;
    size_t n = ecc_bytes(curve);
    ecc_point_init(point, curve);
    nettle_mpz_init_set_str_256_u(x, n, bytes);
    nettle_mpz_init_set_str_256_u(y, n, bytes + n);
    bool ok = ecc_point_set(point, x, y) != 0;
    mpz_clear(x);
    mpz_clear(y);
    return ok;
}

static void give_point(const struct ecc_point *point, size_t n, uint8_t *x_bytes, uint8_t *y_bytes)
{
    mpz_t x, y;
    mpz_init(x);
    mpz_init(y);
    ecc_point_get(point, x, y);
    nettle_mpz_get_str_256(n, x_bytes, x);
    if (y_bytes != NULL)
        nettle_mpz_get_str_256(n, y_bytes, y);
    mpz_clear(x);
    mpz_clear(y);
}

bool ecc_scalar_is_valid(const struct ecc_curve *curve, const uint8_t *scalar)
{
    struct ecc_scalar number;
    bool ok = take_scalar(&number, curve, scalar);
    ecc_scalar_clear(&number);
    return ok;
}

bool ecc_point_is_valid(const struct ecc_curve *curve, const uint8_t *point)
{
    struct ecc_point taken;
    bool ok = take_point(&taken, curve, point);
    ecc_point_clear(&taken);
    return ok;
}

int ecc_scalar_make(const struct ecc_curve *curve, ecc_random *draw, void *arg, uint8_t *scalar)
{
    for (int i = 0; i < MAX_DRAWS; i++) {
        if (draw(arg, scalar, ecc_bytes(curve)) != 0)
            break;
        if (ecc_scalar_is_valid(curve, scalar))
            return 0;
    }
    explicit_bzero(scalar, ecc_bytes(curve));
    return ECC_ERROR_RANDOM;
}

int ecc_public_of(const struct ecc_curve *curve, const uint8_t *scalar, uint8_t *point)
{
    struct ecc_scalar number;
    struct ecc_point product;
    size_t n = ecc_bytes(curve);
    bool ok = take_scalar(&number, curve, scalar);
    ecc_point_init(&product, curve);
    if (ok) {
        ecc_point_mul_g(&product, &number);
        give_point(&product, n, point, point + n);
    }
    ecc_point_clear(&product);
    ecc_scalar_clear(&number);
    return ok ? 0 : ECC_ERROR_SCALAR;
}

int ecc_shared_of(const struct ecc_curve *curve, const uint8_t *scalar, const uint8_t *point, uint8_t *x)
{
    struct ecc_scalar number;
    struct ecc_point theirs;
    bool scalar_ok = take_scalar(&number, curve, scalar);
    bool point_ok = take_point(&theirs, curve, point);
    if (scalar_ok && point_ok) {
        /* Neither factor is zero modulo the order, which is prime, and the curve has no other points: the
         * product is no infinity. */
        ecc_point_mul(&theirs, &number, &theirs);
        give_point(&theirs, ecc_bytes(curve), x, NULL);
    }
    ecc_point_clear(&theirs);
    ecc_scalar_clear(&number);
    return !scalar_ok ? ECC_ERROR_SCALAR : point_ok ? 0 : ECC_ERROR_POINT;
}

/* nettle's random functions cannot fail. When ours does, it gets something that ends its search, and what it
 * made of that is thrown away. */
struct source {
    ecc_random *draw;
    void *arg;
    bool failed;
};

static void draw_surely(void *arg, size_t len, uint8_t *out)
{
    struct source *source = arg;
    if (source->failed || source->draw(source->arg, out, len) != 0) {
        source->failed = true;
        memset(out, 1, len);
    }
}

int ecc_sign(const struct ecc_curve *curve, const uint8_t *scalar, const uint8_t *hash, size_t hash_len,
             ecc_random *draw, void *arg, uint8_t *signature)
{
    struct ecc_scalar key;
    struct source source = {.draw = draw, .arg = arg};
    size_t n = ecc_bytes(curve);
    bool ok = take_scalar(&key, curve, scalar);
    if (ok) {
        struct dsa_signature made;
        dsa_signature_init(&made);
        ecdsa_sign(&key, &source, draw_surely, hash_len, hash, &made);
        if (!source.failed) {
            nettle_mpz_get_str_256(n, signature, made.r);
            nettle_mpz_get_str_256(n, signature + n, made.s);
        }
        dsa_signature_clear(&made);
    }
    ecc_scalar_clear(&key);
    return !ok ? ECC_ERROR_SCALAR : source.failed ? ECC_ERROR_RANDOM : 0;
}

bool x25519_shared(const uint8_t scalar[static X25519_BYTES], const uint8_t point[static X25519_BYTES],
                   uint8_t shared[static X25519_BYTES])
{
    uint8_t product[X25519_BYTES], any = 0;
    curve25519_mul(product, scalar, point);
    for (size_t i = 0; i < sizeof(product); i++)
        any |= product[i];
    if (any != 0)
        memcpy(shared, product, sizeof(product));
    explicit_bzero(product, sizeof(product));
    return any != 0;
}
