/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA's verification (FIPS 186-5 section 6.4.2) on hogweed's multiplication. hogweed has one of its own,
 * which in nettle 3.8 refuses good signatures whose two points to be added are the same (Wycheproof: "point
 * duplication"). All of it is public, so GMP's plain arithmetic will do. */
#include "ecc.h"

#include <nettle/bignum.h>

struct field {
    mpz_t p, q; /* the field's prime and the group's order */
};

static void field_init(struct field *field, size_t n)
{
    static const char p256[] = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    static const char q256[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    static const char p384[] =
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000"
        "ffffffff";
    static const char q384[] =
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196a"
        "ccc52973";
    mpz_init_set_str(field->p, n == 32 ? p256 : p384, 16);
    mpz_init_set_str(field->q, n == 32 ? q256 : q384, 16);
}

static void field_done(struct field *field)
{
    mpz_clear(field->p);
    mpz_clear(field->q);
}

struct affine {
    bool infinite;
    mpz_t x, y;
};

static void affine_init(struct affine *point)
{
    point->infinite = true;
    mpz_init(point->x);
    mpz_init(point->y);
}

static void affine_done(struct affine *point)
{
    mpz_clear(point->x);
    mpz_clear(point->y);
}

/* u times the base, or the generator when there is none. */
static void multiply(struct affine *product, const struct ecc_curve *curve, const mpz_t u,
                     const struct ecc_point *base)
{
    struct ecc_scalar scalar;
    struct ecc_point point;
    ecc_scalar_init(&scalar, curve);
    ecc_point_init(&point, curve);
    if (ecc_scalar_set(&scalar, u) != 0) { /* not 0 */
        if (base != NULL)
            ecc_point_mul(&point, &scalar, base);
        else
            ecc_point_mul_g(&point, &scalar);
        ecc_point_get(&point, product->x, product->y);
        product->infinite = false;
    }
    ecc_point_clear(&point);
    ecc_scalar_clear(&scalar);
}

/* The slope of the line through both points, or of the tangent. False when the line is vertical. */
static bool slope(mpz_t m, const struct affine *a, const struct affine *b, const mpz_t p)
{
    mpz_t over, under;
    mpz_init(over);
    mpz_init(under);
    mpz_sub(under, b->x, a->x);
    mpz_sub(over, b->y, a->y);
    if (mpz_sgn(under) == 0 && mpz_sgn(over) == 0) { /* the same point: (3 x^2 - 3) / 2 y */
        mpz_mul(over, a->x, a->x);
        mpz_sub_ui(over, over, 1);
        mpz_mul_ui(over, over, 3);
        mpz_mul_ui(under, a->y, 2);
    }
    bool exists = mpz_invert(under, under, p) != 0;
    if (exists) {
        mpz_mul(m, over, under);
        mpz_mod(m, m, p);
    }
    mpz_clear(over);
    mpz_clear(under);
    return exists;
}

/* x of the sum; false when the sum is infinity. */
static bool sum_x(mpz_t x, const struct affine *a, const struct affine *b, const mpz_t p)
{
    if (a->infinite || b->infinite) {
        mpz_set(x, a->infinite ? b->x : a->x);
        return !a->infinite || !b->infinite;
    }
    mpz_t m;
    mpz_init(m);
    bool finite = slope(m, a, b, p);
    if (finite) {
        mpz_mul(x, m, m);
        mpz_sub(x, x, a->x);
        mpz_sub(x, x, b->x);
        mpz_mod(x, x, p);
    }
    mpz_clear(m);
    return finite;
}

/* r and s are in range. */
static bool check(const struct ecc_curve *curve, const struct ecc_point *key, const struct field *field,
                  mpz_t hash, const mpz_t r, const mpz_t s)
{
    mpz_t w, u, x;
    struct affine a, b;
    mpz_init(w);
    mpz_init(u);
    mpz_init(x);
    affine_init(&a);
    affine_init(&b);
    mpz_invert(w, s, field->q); /* exists: the order is prime */
    mpz_mul(u, hash, w);
    mpz_mod(u, u, field->q);
    multiply(&a, curve, u, NULL);
    mpz_mul(u, r, w);
    mpz_mod(u, u, field->q);
    multiply(&b, curve, u, key);
    bool good = sum_x(x, &a, &b, field->p);
    mpz_mod(x, x, field->q);
    good = good && mpz_cmp(x, r) == 0;
    affine_done(&a);
    affine_done(&b);
    mpz_clear(w);
    mpz_clear(u);
    mpz_clear(x);
    return good;
}

bool ecc_verify(const struct ecc_curve *curve, const uint8_t *point, const uint8_t *hash, size_t hash_len,
                const uint8_t *signature)
{
    size_t n = ecc_bytes(curve);
    struct field field;
    struct ecc_point key;
    mpz_t x, y, h, r, s;
    field_init(&field, n);
    ecc_point_init(&key, curve);
    nettle_mpz_init_set_str_256_u(x, n, point);
    nettle_mpz_init_set_str_256_u(y, n, point + n);
    nettle_mpz_init_set_str_256_u(h, hash_len < n ? hash_len : n, hash); /* the leftmost bits */
    nettle_mpz_init_set_str_256_u(r, n, signature);
    nettle_mpz_init_set_str_256_u(s, n, signature + n);
    bool good = ecc_point_set(&key, x, y) != 0 && mpz_sgn(r) > 0 && mpz_cmp(r, field.q) < 0 &&
                mpz_sgn(s) > 0 && mpz_cmp(s, field.q) < 0 && check(curve, &key, &field, h, r, s);
    mpz_clears(x, y, h, r, s, NULL);
    ecc_point_clear(&key);
    field_done(&field);
    return good;
}
