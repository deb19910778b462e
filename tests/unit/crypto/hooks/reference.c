/* SPDX-License-Identifier: Apache-2.0 */
#include "reference_names.h"

#include "reference.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/gcm.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <string.h>
#include <sys/random.h>

static int draw(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : -1;
}

int ref_gcm_seal(const struct ref_message *m, uint8_t *out, uint8_t tag[static 16])
{
    mbedtls_gcm_context ctx;
    mbedtls_gcm_init(&ctx);
    int ret = mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits);
    if (ret == 0)
        ret = mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, m->len, m->iv, m->iv_len, m->ad, m->ad_len,
                                        m->in, out, 16, tag);
    mbedtls_gcm_free(&ctx);
    return ret;
}

int ref_chachapoly_seal(const struct ref_message *m, uint8_t *out, uint8_t tag[static 16])
{
    mbedtls_chachapoly_context ctx;
    mbedtls_chachapoly_init(&ctx);
    int ret = mbedtls_chachapoly_setkey(&ctx, m->key);
    if (ret == 0)
        ret = mbedtls_chachapoly_encrypt_and_tag(&ctx, m->len, m->iv, m->ad, m->ad_len, m->in, out, tag);
    mbedtls_chachapoly_free(&ctx);
    return ret;
}

int ref_sha256(const uint8_t *in, size_t len, uint8_t out[static 32])
{
    return mbedtls_sha256(in, len, out, 0);
}

int ref_sha512(const uint8_t *in, size_t len, bool is384, uint8_t out[static 64])
{
    return mbedtls_sha512(in, len, out, is384 ? 1 : 0);
}

struct curve {
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi d, r, s;
    size_t n;
};

static int curve_init(struct curve *c, unsigned bits)
{
    mbedtls_ecp_group_init(&c->group);
    mbedtls_ecp_point_init(&c->point);
    mbedtls_mpi_init(&c->d);
    mbedtls_mpi_init(&c->r);
    mbedtls_mpi_init(&c->s);
    c->n = (bits + 7) / 8;
    return mbedtls_ecp_group_load(&c->group, bits == 256   ? MBEDTLS_ECP_DP_SECP256R1
                                             : bits == 384 ? MBEDTLS_ECP_DP_SECP384R1
                                                           : MBEDTLS_ECP_DP_CURVE25519);
}

static int curve_done(struct curve *c, int ret)
{
    mbedtls_ecp_group_free(&c->group);
    mbedtls_ecp_point_free(&c->point);
    mbedtls_mpi_free(&c->d);
    mbedtls_mpi_free(&c->r);
    mbedtls_mpi_free(&c->s);
    return ret;
}

static bool is_montgomery(const struct curve *c)
{
    return c->group.id == MBEDTLS_ECP_DP_CURVE25519;
}

static int take_scalar(struct curve *c, const uint8_t *scalar)
{
    if (!is_montgomery(c))
        return mbedtls_mpi_read_binary(&c->d, scalar, c->n);
    uint8_t clamped[32];
    memcpy(clamped, scalar, sizeof(clamped));
    clamped[0] &= 0xf8;
    clamped[31] = (uint8_t)((clamped[31] & 0x7f) | 0x40);
    return mbedtls_mpi_read_binary_le(&c->d, clamped, sizeof(clamped));
}

static int take_point(struct curve *c, const uint8_t *point)
{
    uint8_t text[97] = {4};
    if (is_montgomery(c))
        return mbedtls_ecp_point_read_binary(&c->group, &c->point, point, c->n);
    memcpy(text + 1, point, 2 * c->n);
    int ret = mbedtls_ecp_point_read_binary(&c->group, &c->point, text, 1 + 2 * c->n);
    return ret != 0 ? ret : mbedtls_ecp_check_pubkey(&c->group, &c->point);
}

int ref_public(unsigned bits, const uint8_t *scalar, uint8_t *point)
{
    struct curve c;
    uint8_t text[97];
    size_t len = 0;
    int ret = curve_init(&c, bits);
    if (ret == 0)
        ret = take_scalar(&c, scalar);
    if (ret == 0)
        ret = mbedtls_ecp_mul(&c.group, &c.point, &c.d, &c.group.G, draw, NULL);
    if (ret == 0)
        ret = mbedtls_ecp_point_write_binary(&c.group, &c.point, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, text,
                                             sizeof(text));
    if (ret == 0 && is_montgomery(&c))
        memcpy(point, text, len);
    else if (ret == 0)
        memcpy(point, text + 1, len - 1);
    return curve_done(&c, ret);
}

int ref_shared(unsigned bits, const uint8_t *scalar, const uint8_t *point, uint8_t *x)
{
    struct curve c;
    int ret = curve_init(&c, bits);
    if (ret == 0)
        ret = take_scalar(&c, scalar);
    if (ret == 0)
        ret = take_point(&c, point);
    if (ret == 0)
        ret = mbedtls_ecdh_compute_shared(&c.group, &c.r, &c.point, &c.d, draw, NULL);
    if (ret == 0)
        ret = is_montgomery(&c) ? mbedtls_mpi_write_binary_le(&c.r, x, c.n)
                                : mbedtls_mpi_write_binary(&c.r, x, c.n);
    return curve_done(&c, ret);
}

int ref_sign(unsigned bits, const uint8_t *scalar, const uint8_t *hash, size_t hash_len, uint8_t *signature)
{
    struct curve c;
    int ret = curve_init(&c, bits);
    if (ret == 0)
        ret = take_scalar(&c, scalar);
    if (ret == 0)
        ret = mbedtls_ecdsa_sign(&c.group, &c.r, &c.s, &c.d, hash, hash_len, draw, NULL);
    if (ret == 0)
        ret = mbedtls_mpi_write_binary(&c.r, signature, c.n);
    if (ret == 0)
        ret = mbedtls_mpi_write_binary(&c.s, signature + c.n, c.n);
    return curve_done(&c, ret);
}

int ref_verify(unsigned bits, const uint8_t *point, const uint8_t *hash, size_t hash_len,
               const uint8_t *signature)
{
    struct curve c;
    int ret = curve_init(&c, bits);
    if (ret == 0)
        ret = take_point(&c, point);
    if (ret == 0)
        ret = mbedtls_mpi_read_binary(&c.r, signature, c.n);
    if (ret == 0)
        ret = mbedtls_mpi_read_binary(&c.s, signature + c.n, c.n);
    if (ret == 0)
        ret = mbedtls_ecdsa_verify(&c.group, hash, hash_len, &c.point, &c.r, &c.s);
    return curve_done(&c, ret);
}
