/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/signature.h"

#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <nettle/eddsa.h>
#include <nettle/rsa.h>
#include <nettle/sha2.h>
#include <stdlib.h>

enum key_kind { KIND_RSA, KIND_EC, KIND_ED25519 };
enum padding { PKCS1, PSS };

struct pst_verify_key {
    enum key_kind kind;
    enum pst_curve curve; /* EC */
    union {
        struct rsa_public_key rsa;
        struct ecc_point ec;
        uint8_t ed25519[ED25519_KEY_SIZE];
    };
};

#define HASH_BYTES_MAX 64

struct hash {
    size_t bytes;
    /* DigestInfo up to the digest itself (RFC 8017 section 9.2, note 1). */
    uint8_t prefix[19];
    int (*verify_pss)(const struct rsa_public_key *key, size_t salt_length, const uint8_t *digest,
                      const mpz_t signature);
};

static const struct hash sha256 = {
    SHA256_DIGEST_SIZE,
    {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
     0x04, 0x20},
    rsa_pss_sha256_verify_digest,
};
static const struct hash sha384 = {
    SHA384_DIGEST_SIZE,
    {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
     0x04, 0x30},
    rsa_pss_sha384_verify_digest,
};
static const struct hash sha512 = {
    SHA512_DIGEST_SIZE,
    {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
     0x04, 0x40},
    rsa_pss_sha512_verify_digest,
};

static const struct alg {
    const char *name;
    enum key_kind kind;
    const struct hash *hash; /* EdDSA hashes by itself */
    enum padding padding;    /* RSA */
    enum pst_curve curve;    /* EC */
} algs[PST_ALG_MAX] = {
    [PST_ALG_RS256] = {"RS256", KIND_RSA, &sha256, .padding = PKCS1},
    [PST_ALG_RS384] = {"RS384", KIND_RSA, &sha384, .padding = PKCS1},
    [PST_ALG_RS512] = {"RS512", KIND_RSA, &sha512, .padding = PKCS1},
    [PST_ALG_PS256] = {"PS256", KIND_RSA, &sha256, .padding = PSS},
    [PST_ALG_PS384] = {"PS384", KIND_RSA, &sha384, .padding = PSS},
    [PST_ALG_PS512] = {"PS512", KIND_RSA, &sha512, .padding = PSS},
    [PST_ALG_ES256] = {"ES256", KIND_EC, &sha256, .curve = PST_CURVE_P256},
    [PST_ALG_ES384] = {"ES384", KIND_EC, &sha384, .curve = PST_CURVE_P384},
    [PST_ALG_ES512] = {"ES512", KIND_EC, &sha512, .curve = PST_CURVE_P521},
    [PST_ALG_EDDSA] = {"EdDSA", KIND_ED25519, NULL, .padding = PKCS1},
};

const char *pst_signature_alg_text(enum pst_signature_alg alg)
{
    return alg > PST_ALG_UNKNOWN && alg < PST_ALG_MAX ? algs[alg].name : "unknown";
}

enum pst_signature_alg pst_signature_alg_of(struct pst_str name)
{
    for (int i = PST_ALG_UNKNOWN + 1; i < PST_ALG_MAX; i++) {
        if (pst_str_eq(name, pst_str_of(algs[i].name)))
            return (enum pst_signature_alg)i;
    }
    return PST_ALG_UNKNOWN;
}

static const struct ecc_curve *nettle_curve(enum pst_curve curve)
{
    switch (curve) {
    case PST_CURVE_P256:
        return nettle_get_secp_256r1();
    case PST_CURVE_P384:
        return nettle_get_secp_384r1();
    case PST_CURVE_P521:
    default:
        return nettle_get_secp_521r1();
    }
}

static size_t coordinate_bytes(enum pst_curve curve)
{
    return (ecc_bit_size(nettle_curve(curve)) + 7) / 8;
}

static int refuse(struct pst_verify_key *key, const char *reason, const char **ret_reason)
{
    pst_verify_key_free(key);
    *ret_reason = reason;
    return -PST_EINVAL;
}

static struct pst_verify_key *new_key(enum key_kind kind)
{
    struct pst_verify_key *key = calloc(1, sizeof(*key));
    if (key)
        key->kind = kind;
    return key;
}

static void set_number(mpz_t number, struct pst_str bytes)
{
    nettle_mpz_set_str_256_u(number, bytes.len, (const uint8_t *)bytes.p);
}

/* Why nobody should trust this RSA key, or NULL. An even modulus or exponent is no RSA key at all; an
 * exponent above 64 bits has no use but to make verifying slow. */
static const char *rsa_weakness(const struct rsa_public_key *rsa)
{
    size_t bits = mpz_sizeinbase(rsa->n, 2);
    if (bits < PST_RSA_BITS_MIN)
        return "has fewer than 2048 bits";
    if (bits > PST_RSA_BITS_MAX)
        return "has more than 8192 bits";
    if (mpz_even_p(rsa->n))
        return "has an even modulus";
    if (mpz_even_p(rsa->e) || mpz_cmp_ui(rsa->e, 3) < 0)
        return "has an exponent that is even or below 3";
    return mpz_sizeinbase(rsa->e, 2) > 64 ? "has an exponent of more than 64 bits" : NULL;
}

int pst_verify_key_rsa(struct pst_str modulus, struct pst_str exponent, struct pst_verify_key **ret,
                       const char **ret_reason)
{
    /* A zero byte in front is not canonical, but common; more are not. */
    if (modulus.len > PST_SIGNATURE_MAX + 1 || exponent.len > PST_SIGNATURE_MAX)
        return refuse(NULL, "has more than 8192 bits", ret_reason);
    struct pst_verify_key *key = new_key(KIND_RSA);
    if (!key)
        return -PST_ENOMEM;
    rsa_public_key_init(&key->rsa);
    set_number(key->rsa.n, modulus);
    set_number(key->rsa.e, exponent);
    const char *weakness = rsa_weakness(&key->rsa);
    if (!weakness && !rsa_public_key_prepare(&key->rsa))
        weakness = "is not an RSA key";
    if (weakness)
        return refuse(key, weakness, ret_reason);
    *ret = key;
    return 0;
}

int pst_verify_key_ec(enum pst_curve curve, struct pst_str x, struct pst_str y, struct pst_verify_key **ret,
                      const char **ret_reason)
{
    size_t bytes = coordinate_bytes(curve);
    if (x.len != bytes || y.len != bytes)
        return refuse(NULL, "has coordinates of another length than its curve's", ret_reason);
    struct pst_verify_key *key = new_key(KIND_EC);
    if (!key)
        return -PST_ENOMEM;
    key->curve = curve;
    ecc_point_init(&key->ec, nettle_curve(curve));
    mpz_t at_x, at_y;
    mpz_inits(at_x, at_y, NULL);
    set_number(at_x, x);
    set_number(at_y, y);
    bool on_curve = ecc_point_set(&key->ec, at_x, at_y) != 0;
    mpz_clears(at_x, at_y, NULL);
    if (!on_curve)
        return refuse(key, "is not a point of its curve", ret_reason);
    *ret = key;
    return 0;
}

/* The y coordinates, little-endian, of Ed25519's points of small order (0, 1, -1 and the two of order 8), and
 * p and p + 1, which are 0 and 1 again: a signature under such a key says nothing. */
static const uint8_t small_order[][ED25519_KEY_SIZE] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

int pst_verify_key_ed25519(struct pst_str x, struct pst_verify_key **ret, const char **ret_reason)
{
    if (x.len != ED25519_KEY_SIZE)
        return refuse(NULL, "has not 32 bytes", ret_reason);
    uint8_t y[ED25519_KEY_SIZE];
    memcpy(y, x.p, sizeof(y));
    y[ED25519_KEY_SIZE - 1] &= 0x7f; /* the highest bit is the sign of x */
    for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
        if (memcmp(y, small_order[i], sizeof(y)) == 0)
            return refuse(NULL, "is a point of small order", ret_reason);
    }
    struct pst_verify_key *key = new_key(KIND_ED25519);
    if (!key)
        return -PST_ENOMEM;
    memcpy(key->ed25519, x.p, sizeof(key->ed25519));
    *ret = key;
    return 0;
}

void pst_verify_key_free(struct pst_verify_key *key)
{
    if (!key)
        return;
    if (key->kind == KIND_RSA)
        rsa_public_key_clear(&key->rsa);
    else if (key->kind == KIND_EC)
        ecc_point_clear(&key->ec);
    free(key);
}

bool pst_verify_key_fits(const struct pst_verify_key *key, enum pst_signature_alg alg)
{
    return alg > PST_ALG_UNKNOWN && alg < PST_ALG_MAX && algs[alg].kind == key->kind &&
           (key->kind != KIND_EC || algs[alg].curve == key->curve);
}

static void make_digest(const struct hash *hash, struct pst_str message,
                        uint8_t digest[static HASH_BYTES_MAX])
{
    struct sha512_ctx wide;
    struct sha256_ctx narrow;
    if (hash == &sha256) {
        sha256_init(&narrow);
        sha256_update(&narrow, message.len, (const uint8_t *)message.p);
        sha256_digest(&narrow, hash->bytes, digest);
    } else if (hash == &sha384) {
        sha384_init(&wide);
        sha384_update(&wide, message.len, (const uint8_t *)message.p);
        sha384_digest(&wide, hash->bytes, digest);
    } else {
        sha512_init(&wide);
        sha512_update(&wide, message.len, (const uint8_t *)message.p);
        sha512_digest(&wide, hash->bytes, digest);
    }
}

static bool verify_rsa(const struct rsa_public_key *key, const struct alg *alg, struct pst_str message,
                       struct pst_str signature)
{
    if (signature.len != key->size)
        return false;
    uint8_t info[sizeof(alg->hash->prefix) + HASH_BYTES_MAX];
    uint8_t *digest = info + sizeof(alg->hash->prefix);
    memcpy(info, alg->hash->prefix, sizeof(alg->hash->prefix));
    make_digest(alg->hash, message, digest);
    mpz_t number;
    nettle_mpz_init_set_str_256_u(number, signature.len, (const uint8_t *)signature.p);
    /* RFC 8017 section 5.2.2: not below the modulus is no signature. Said here, whatever hogweed says. */
    bool good = mpz_cmp(number, key->n) < 0;
    if (good && alg->padding == PKCS1)
        good = rsa_pkcs1_verify(key, sizeof(alg->hash->prefix) + alg->hash->bytes, info, number) != 0;
    else if (good)
        good = alg->hash->verify_pss(key, alg->hash->bytes, digest, number) != 0;
    mpz_clear(number);
    return good;
}

static bool verify_ec(const struct pst_verify_key *key, const struct alg *alg, struct pst_str message,
                      struct pst_str signature)
{
    size_t half = coordinate_bytes(key->curve);
    if (signature.len != 2 * half)
        return false;
    uint8_t digest[HASH_BYTES_MAX];
    make_digest(alg->hash, message, digest);
    struct dsa_signature rs;
    dsa_signature_init(&rs);
    set_number(rs.r, (struct pst_str){signature.p, half});
    set_number(rs.s, (struct pst_str){signature.p + half, half});
    bool good = ecdsa_verify(&key->ec, alg->hash->bytes, digest, &rs) != 0;
    dsa_signature_clear(&rs);
    return good;
}

bool pst_verify(const struct pst_verify_key *key, enum pst_signature_alg alg, struct pst_str message,
                struct pst_str signature)
{
    if (!pst_verify_key_fits(key, alg))
        return false;
    switch (key->kind) {
    case KIND_RSA:
        return verify_rsa(&key->rsa, &algs[alg], message, signature);
    case KIND_EC:
        return verify_ec(key, &algs[alg], message, signature);
    case KIND_ED25519:
        return signature.len == ED25519_SIGNATURE_SIZE &&
               ed25519_sha512_verify(key->ed25519, message.len, (const uint8_t *)message.p,
                                     (const uint8_t *)signature.p) != 0;
    }
    return false;
}
