/* SPDX-License-Identifier: Apache-2.0 */
/* MBEDTLS_ECDSA_SIGN_ALT, _VERIFY_ALT, MBEDTLS_ECDH_GEN_PUBLIC_ALT and _COMPUTE_SHARED_ALT: signatures of
 * certificates and handshakes, and the key agreement of TLS 1.2. mbedTLS's numbers go in and out as bytes. */
#include "ecc.h"

#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/error.h>
#include <nettle/curve25519.h>
#include <string.h>

static int error_of(int ecc_error)
{
    switch (ecc_error) {
    case 0:
        return 0;
    case ECC_ERROR_RANDOM:
        return MBEDTLS_ERR_ECP_RANDOM_FAILED;
    default:
        return MBEDTLS_ERR_ECP_INVALID_KEY;
    }
}

/* The point's coordinates, without the byte they begin with. */
static int take_point(const mbedtls_ecp_group *grp, const mbedtls_ecp_point *Q, size_t n, uint8_t *point)
{
    uint8_t text[1 + ECC_POINT_MAX];
    size_t len = 0;
    int ret = mbedtls_ecp_point_write_binary(grp, Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, text, sizeof(text));
    if (ret == 0 && len != 1 + 2 * n)
        ret = MBEDTLS_ERR_ECP_INVALID_KEY; /* infinity is one byte */
    if (ret == 0)
        memcpy(point, text + 1, 2 * n);
    return ret;
}

int mbedtls_ecdsa_sign(mbedtls_ecp_group *grp, mbedtls_mpi *r, mbedtls_mpi *s, const mbedtls_mpi *d,
                       const unsigned char *buf, size_t blen, mbedtls_f_rng_t *f_rng, void *p_rng)
{
    uint8_t scalar[ECC_MAX_BYTES], signature[ECC_POINT_MAX];
    const struct ecc_curve *curve = ecc_curve_of(grp->id);
    if (curve == NULL)
        return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
    size_t n = ecc_bytes(curve);
    int ret = mbedtls_mpi_write_binary(d, scalar, n);
    if (ret == 0)
        ret = error_of(ecc_sign(curve, scalar, buf, blen, f_rng, p_rng, signature));
    explicit_bzero(scalar, sizeof(scalar));
    if (ret == 0)
        ret = mbedtls_mpi_read_binary(r, signature, n);
    return ret != 0 ? ret : mbedtls_mpi_read_binary(s, signature + n, n);
}

int mbedtls_ecdsa_verify(mbedtls_ecp_group *grp, const unsigned char *buf, size_t blen,
                         const mbedtls_ecp_point *Q, const mbedtls_mpi *r, const mbedtls_mpi *s)
{
    uint8_t point[ECC_POINT_MAX], signature[ECC_POINT_MAX];
    const struct ecc_curve *curve = ecc_curve_of(grp->id);
    if (curve == NULL)
        return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
    size_t n = ecc_bytes(curve);
    int ret = take_point(grp, Q, n, point);
    if (ret != 0)
        return ret;
    /* A number that is negative or too long for the field is no signature. */
    if (mbedtls_mpi_cmp_int(r, 0) < 0 || mbedtls_mpi_cmp_int(s, 0) < 0 ||
        mbedtls_mpi_write_binary(r, signature, n) != 0 || mbedtls_mpi_write_binary(s, signature + n, n) != 0)
        return MBEDTLS_ERR_ECP_VERIFY_FAILED;
    return ecc_verify(curve, point, buf, blen, signature) ? 0 : MBEDTLS_ERR_ECP_VERIFY_FAILED;
}

/* RFC 7748 section 5; mbedTLS keeps the scalar clamped. */
static int gen_x25519(mbedtls_ecp_group *grp, mbedtls_mpi *d, mbedtls_ecp_point *Q, mbedtls_f_rng_t *f_rng,
                      void *p_rng)
{
    uint8_t scalar[X25519_BYTES], point[X25519_BYTES];
    if (f_rng(p_rng, scalar, sizeof(scalar)) != 0)
        return MBEDTLS_ERR_ECP_RANDOM_FAILED;
    scalar[0] &= 0xf8;
    scalar[31] = (uint8_t)((scalar[31] & 0x7f) | 0x40);
    curve25519_mul_g(point, scalar);
    int ret = mbedtls_mpi_read_binary_le(d, scalar, sizeof(scalar));
    explicit_bzero(scalar, sizeof(scalar));
    return ret != 0 ? ret : mbedtls_ecp_point_read_binary(grp, Q, point, sizeof(point));
}

int mbedtls_ecdh_gen_public(mbedtls_ecp_group *grp, mbedtls_mpi *d, mbedtls_ecp_point *Q,
                            mbedtls_f_rng_t *f_rng, void *p_rng)
{
    uint8_t scalar[ECC_MAX_BYTES], point[1 + ECC_POINT_MAX] = {ECC_UNCOMPRESSED};
    const struct ecc_curve *curve = ecc_curve_of(grp->id);
    if (grp->id == MBEDTLS_ECP_DP_CURVE25519)
        return gen_x25519(grp, d, Q, f_rng, p_rng);
    if (curve == NULL)
        return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
    size_t n = ecc_bytes(curve);
    int ret = error_of(ecc_scalar_make(curve, f_rng, p_rng, scalar));
    if (ret == 0)
        ret = error_of(ecc_public_of(curve, scalar, point + 1));
    if (ret == 0)
        ret = mbedtls_mpi_read_binary(d, scalar, n);
    explicit_bzero(scalar, sizeof(scalar));
    return ret != 0 ? ret : mbedtls_ecp_point_read_binary(grp, Q, point, 1 + 2 * n);
}

static int shared_x25519(mbedtls_ecp_group *grp, mbedtls_mpi *z, const mbedtls_ecp_point *Q,
                         const mbedtls_mpi *d)
{
    uint8_t scalar[X25519_BYTES], point[X25519_BYTES], shared[X25519_BYTES] = {0};
    size_t len = 0;
    int ret = mbedtls_ecp_point_write_binary(grp, Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, point, sizeof(point));
    if (ret == 0)
        ret = mbedtls_mpi_write_binary_le(d, scalar, sizeof(scalar));
    if (ret == 0 && !x25519_shared(scalar, point, shared))
        ret = MBEDTLS_ERR_ECP_INVALID_KEY;
    if (ret == 0)
        ret = mbedtls_mpi_read_binary_le(z, shared, sizeof(shared));
    explicit_bzero(scalar, sizeof(scalar));
    explicit_bzero(shared, sizeof(shared));
    return ret;
}

int mbedtls_ecdh_compute_shared(mbedtls_ecp_group *grp, mbedtls_mpi *z, const mbedtls_ecp_point *Q,
                                const mbedtls_mpi *d, mbedtls_f_rng_t *f_rng, void *p_rng)
{
    (void)f_rng, (void)p_rng; /* for mbedTLS's blinding; hogweed needs none */
    uint8_t scalar[ECC_MAX_BYTES], point[ECC_POINT_MAX], x[ECC_MAX_BYTES] = {0};
    const struct ecc_curve *curve = ecc_curve_of(grp->id);
    if (grp->id == MBEDTLS_ECP_DP_CURVE25519)
        return shared_x25519(grp, z, Q, d);
    if (curve == NULL)
        return MBEDTLS_ERR_ECP_BAD_INPUT_DATA;
    size_t n = ecc_bytes(curve);
    int ret = take_point(grp, Q, n, point);
    if (ret == 0)
        ret = mbedtls_mpi_write_binary(d, scalar, n);
    if (ret == 0)
        ret = error_of(ecc_shared_of(curve, scalar, point, x));
    if (ret == 0)
        ret = mbedtls_mpi_read_binary(z, x, n);
    explicit_bzero(scalar, sizeof(scalar));
    explicit_bzero(x, sizeof(x));
    return ret;
}
