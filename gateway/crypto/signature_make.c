/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/hash.h"
#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"
#include "postern/crypto/signature.h"

#include <nettle/bignum.h>
#include <nettle/dsa.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/ecdsa.h>
#include <stdlib.h>

struct pst_sign_key {
    struct ecc_scalar secret;
    uint8_t x[PST_SIGN_COORD_BYTES];
    uint8_t y[PST_SIGN_COORD_BYTES];
};

/* hogweed's source of random bytes cannot fail, and asks again while it does not like what it got. So a
 * failure is noted, answered with a number that it takes, and what was made of it is thrown away. */
static void draw(void *failed, size_t len, uint8_t *out)
{
    if (pst_random_bytes(out, len) == 0)
        return;
    *(bool *)failed = true;
    memset(out, 1, len);
}

/* Clears a number that was secret; GMP would leave it in freed memory. */
static void clear_secret(mpz_t number)
{
    size_t limbs = mpz_size(number);
    if (limbs > 0)
        pst_wipe(mpz_limbs_modify(number, (mp_size_t)limbs), limbs * sizeof(mp_limb_t));
    mpz_clear(number);
}

static struct pst_sign_key *new_key(void)
{
    struct pst_sign_key *key = calloc(1, sizeof(*key));
    if (key)
        ecc_scalar_init(&key->secret, nettle_get_secp_256r1());
    return key;
}

static void set_public(struct pst_sign_key *key, const struct ecc_point *point)
{
    mpz_t x, y;
    mpz_inits(x, y, NULL);
    ecc_point_get(point, x, y);
    nettle_mpz_get_str_256(sizeof(key->x), key->x, x);
    nettle_mpz_get_str_256(sizeof(key->y), key->y, y);
    mpz_clears(x, y, NULL);
}

int pst_sign_key_make(struct pst_sign_key **ret)
{
    struct pst_sign_key *key = new_key();
    if (!key)
        return -PST_ENOMEM;
    bool failed = false;
    struct ecc_point point;
    ecc_point_init(&point, nettle_get_secp_256r1());
    ecdsa_generate_keypair(&point, &key->secret, &failed, draw);
    set_public(key, &point);
    ecc_point_clear(&point);
    if (failed) {
        pst_sign_key_free(key);
        return -PST_EIO;
    }
    *ret = key;
    return 0;
}

int pst_sign_key_load(const uint8_t secret[static PST_SIGN_KEY_BYTES], struct pst_sign_key **ret)
{
    struct pst_sign_key *key = new_key();
    if (!key)
        return -PST_ENOMEM;
    mpz_t number;
    nettle_mpz_init_set_str_256_u(number, PST_SIGN_KEY_BYTES, secret);
    bool in_range = ecc_scalar_set(&key->secret, number) != 0;
    clear_secret(number);
    if (!in_range) {
        pst_sign_key_free(key);
        return -PST_EINVAL;
    }
    struct ecc_point point;
    ecc_point_init(&point, nettle_get_secp_256r1());
    ecc_point_mul_g(&point, &key->secret);
    set_public(key, &point);
    ecc_point_clear(&point);
    *ret = key;
    return 0;
}

void pst_sign_key_save(const struct pst_sign_key *key, uint8_t secret[static PST_SIGN_KEY_BYTES])
{
    mpz_t number;
    mpz_init(number);
    ecc_scalar_get(&key->secret, number);
    nettle_mpz_get_str_256(PST_SIGN_KEY_BYTES, secret, number);
    clear_secret(number);
}

void pst_sign_key_public(const struct pst_sign_key *key, uint8_t x[static PST_SIGN_COORD_BYTES],
                         uint8_t y[static PST_SIGN_COORD_BYTES])
{
    memcpy(x, key->x, sizeof(key->x));
    memcpy(y, key->y, sizeof(key->y));
}

void pst_sign_key_free(struct pst_sign_key *key)
{
    if (!key)
        return;
    pst_wipe(key->secret.p, (size_t)ecc_size(key->secret.ecc) * sizeof(mp_limb_t));
    ecc_scalar_clear(&key->secret);
    free(key);
}

int pst_sign(const struct pst_sign_key *key, struct pst_str message, uint8_t signature[static PST_SIGN_BYTES])
{
    uint8_t digest[PST_SHA256_BYTES];
    bool failed = false;
    pst_sha256(message.p, message.len, digest);
    struct dsa_signature rs;
    dsa_signature_init(&rs);
    ecdsa_sign(&key->secret, &failed, draw, sizeof(digest), digest, &rs);
    nettle_mpz_get_str_256(PST_SIGN_BYTES / 2, signature, rs.r);
    nettle_mpz_get_str_256(PST_SIGN_BYTES / 2, signature + PST_SIGN_BYTES / 2, rs.s);
    dsa_signature_clear(&rs);
    if (failed)
        pst_wipe(signature, PST_SIGN_BYTES); /* a known nonce would give the key away */
    return failed ? -PST_EIO : 0;
}
