/* SPDX-License-Identifier: Apache-2.0 */
/* Where PSA comes for elliptic curves, which is in the handshake of TLS 1.3.
 *
 * P-256 has a driver interface (MBEDTLS_PSA_P256M_DRIVER_ENABLED): the library is built without the driver it
 * has for it, and the entry points are these. For X25519 and P-384 there is none: the library's own functions
 * bear other names (pst_stock_…, see tools/deps), and these take their place. */
#include "ecc.h"

#include <library/p256-m_driver_entrypoints.h>
#include <library/psa_crypto_ecp.h>
#include <mbedtls/psa_util.h>
#include <nettle/curve25519.h>
#include <psa/crypto.h>
#include <string.h>

#define P256_BITS   256
#define P256_BYTES  32
#define P256_PUBLIC (1 + 2 * P256_BYTES)

psa_status_t pst_stock_ecp_export_public_key(const psa_key_attributes_t *attributes,
                                             const uint8_t *key_buffer, size_t key_buffer_size, uint8_t *data,
                                             size_t data_size, size_t *data_length);
psa_status_t pst_stock_key_agreement_ecdh(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
                                          size_t key_buffer_size, psa_algorithm_t alg,
                                          const uint8_t *peer_key, size_t peer_key_length,
                                          uint8_t *shared_secret, size_t shared_secret_size,
                                          size_t *shared_secret_length);

static psa_status_t status_of(int ecc_error)
{
    switch (ecc_error) {
    case 0:
        return PSA_SUCCESS;
    case ECC_ERROR_RANDOM:
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    default:
        return PSA_ERROR_INVALID_ARGUMENT;
    }
}

static const struct ecc_curve *p256(void)
{
    return ecc_curve_of(MBEDTLS_ECP_DP_SECP256R1);
}

static bool is_uncompressed_p256(const uint8_t *key, size_t len)
{
    return len == P256_PUBLIC && key[0] == ECC_UNCOMPRESSED;
}

/* P-256's driver */

psa_status_t p256_transparent_import_key(const psa_key_attributes_t *attributes, const uint8_t *data,
                                         size_t data_length, uint8_t *key_buffer, size_t key_buffer_size,
                                         size_t *key_buffer_length, size_t *bits)
{
    psa_key_type_t type = psa_get_key_type(attributes);
    bool is_public = type == PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1);
    if ((*bits != 0 && *bits != P256_BITS) ||
        (!is_public && type != PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1)))
        return PSA_ERROR_NOT_SUPPORTED;
    if (data_length != (is_public ? P256_PUBLIC : P256_BYTES)) /* with no bits given: another curve's */
        return *bits == 0 ? PSA_ERROR_NOT_SUPPORTED : PSA_ERROR_INVALID_ARGUMENT;
    bool valid = is_public ? data[0] == ECC_UNCOMPRESSED && ecc_point_is_valid(p256(), data + 1)
                           : ecc_scalar_is_valid(p256(), data);
    if (!valid)
        return PSA_ERROR_INVALID_ARGUMENT;
    if (key_buffer_size < data_length)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    memcpy(key_buffer, data, data_length);
    *key_buffer_length = data_length;
    *bits = P256_BITS;
    return PSA_SUCCESS;
}

psa_status_t p256_transparent_export_public_key(const psa_key_attributes_t *attributes,
                                                const uint8_t *key_buffer, size_t key_buffer_size,
                                                uint8_t *data, size_t data_size, size_t *data_length)
{
    if (psa_get_key_bits(attributes) != P256_BITS ||
        psa_get_key_type(attributes) != PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1))
        return PSA_ERROR_NOT_SUPPORTED;
    if (key_buffer_size != P256_BYTES)
        return PSA_ERROR_INVALID_ARGUMENT;
    if (data_size < P256_PUBLIC)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    psa_status_t status = status_of(ecc_public_of(p256(), key_buffer, data + 1));
    if (status == PSA_SUCCESS) {
        data[0] = ECC_UNCOMPRESSED;
        *data_length = P256_PUBLIC;
    }
    return status;
}

/* The private half alone: the public one is made when it is exported. */
psa_status_t p256_transparent_generate_key(const psa_key_attributes_t *attributes, uint8_t *key_buffer,
                                           size_t key_buffer_size, size_t *key_buffer_length)
{
    (void)attributes;
    if (key_buffer_size != P256_BYTES)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    psa_status_t status =
        status_of(ecc_scalar_make(p256(), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE, key_buffer));
    if (status == PSA_SUCCESS)
        *key_buffer_length = P256_BYTES;
    return status;
}

psa_status_t p256_transparent_key_agreement(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
                                            size_t key_buffer_size, psa_algorithm_t alg,
                                            const uint8_t *peer_key, size_t peer_key_length,
                                            uint8_t *shared_secret, size_t shared_secret_size,
                                            size_t *shared_secret_length)
{
    (void)attributes, (void)alg;
    if (key_buffer_size != P256_BYTES || !is_uncompressed_p256(peer_key, peer_key_length))
        return PSA_ERROR_INVALID_ARGUMENT;
    if (shared_secret_size < P256_BYTES)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    psa_status_t status = status_of(ecc_shared_of(p256(), key_buffer, peer_key + 1, shared_secret));
    if (status == PSA_SUCCESS)
        *shared_secret_length = P256_BYTES;
    return status;
}

psa_status_t p256_transparent_sign_hash(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
                                        size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *hash,
                                        size_t hash_length, uint8_t *signature, size_t signature_size,
                                        size_t *signature_length)
{
    (void)attributes, (void)alg;
    if (key_buffer_size != P256_BYTES)
        return PSA_ERROR_INVALID_ARGUMENT;
    if (signature_size < 2 * P256_BYTES)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    psa_status_t status = status_of(ecc_sign(p256(), key_buffer, hash, hash_length, mbedtls_psa_get_random,
                                             MBEDTLS_PSA_RANDOM_STATE, signature));
    if (status == PSA_SUCCESS)
        *signature_length = 2 * P256_BYTES;
    return status;
}

psa_status_t p256_transparent_verify_hash(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
                                          size_t key_buffer_size, psa_algorithm_t alg, const uint8_t *hash,
                                          size_t hash_length, const uint8_t *signature,
                                          size_t signature_length)
{
    (void)alg;
    uint8_t made[P256_PUBLIC];
    size_t made_len = 0;
    const uint8_t *key = key_buffer;
    if (PSA_KEY_TYPE_IS_ECC_KEY_PAIR(psa_get_key_type(attributes))) {
        psa_status_t status = p256_transparent_export_public_key(attributes, key_buffer, key_buffer_size,
                                                                 made, sizeof(made), &made_len);
        if (status != PSA_SUCCESS)
            return status;
        key = made;
        key_buffer_size = made_len;
    }
    if (!is_uncompressed_p256(key, key_buffer_size))
        return PSA_ERROR_INVALID_ARGUMENT;
    if (signature_length != 2 * P256_BYTES || !ecc_verify(p256(), key + 1, hash, hash_length, signature))
        return PSA_ERROR_INVALID_SIGNATURE;
    return PSA_SUCCESS;
}

/* X25519 and P-384 */

static bool is_pair_of(const psa_key_attributes_t *attributes, psa_ecc_family_t family, size_t bits)
{
    return psa_get_key_type(attributes) == PSA_KEY_TYPE_ECC_KEY_PAIR(family) &&
           psa_get_key_bits(attributes) == bits;
}

static psa_status_t export_p384(const uint8_t *key, uint8_t *data, size_t size, size_t *ret_length)
{
    const struct ecc_curve *curve = ecc_curve_of(MBEDTLS_ECP_DP_SECP384R1);
    size_t length = 1 + 2 * ecc_bytes(curve);
    if (size < length)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    psa_status_t status = status_of(ecc_public_of(curve, key, data + 1));
    data[0] = ECC_UNCOMPRESSED;
    *ret_length = status == PSA_SUCCESS ? length : 0;
    return status;
}

psa_status_t mbedtls_psa_ecp_export_public_key(const psa_key_attributes_t *attributes,
                                               const uint8_t *key_buffer, size_t key_buffer_size,
                                               uint8_t *data, size_t data_size, size_t *data_length)
{
    if (is_pair_of(attributes, PSA_ECC_FAMILY_SECP_R1, 384) && key_buffer_size == 48)
        return export_p384(key_buffer, data, data_size, data_length);
    if (!is_pair_of(attributes, PSA_ECC_FAMILY_MONTGOMERY, 255) || key_buffer_size != X25519_BYTES)
        return pst_stock_ecp_export_public_key(attributes, key_buffer, key_buffer_size, data, data_size,
                                               data_length);
    if (data_size < X25519_BYTES)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    curve25519_mul_g(data, key_buffer);
    *data_length = X25519_BYTES;
    return PSA_SUCCESS;
}

psa_status_t mbedtls_psa_key_agreement_ecdh(const psa_key_attributes_t *attributes, const uint8_t *key_buffer,
                                            size_t key_buffer_size, psa_algorithm_t alg,
                                            const uint8_t *peer_key, size_t peer_key_length,
                                            uint8_t *shared_secret, size_t shared_secret_size,
                                            size_t *shared_secret_length)
{
    /* P-384 goes the library's way, which ends in mbedtls_ecdh_compute_shared(). */
    if (!is_pair_of(attributes, PSA_ECC_FAMILY_MONTGOMERY, 255) || key_buffer_size != X25519_BYTES)
        return pst_stock_key_agreement_ecdh(attributes, key_buffer, key_buffer_size, alg, peer_key,
                                            peer_key_length, shared_secret, shared_secret_size,
                                            shared_secret_length);
    if (!PSA_ALG_IS_ECDH(alg) || peer_key_length != X25519_BYTES)
        return PSA_ERROR_INVALID_ARGUMENT;
    if (shared_secret_size < X25519_BYTES)
        return PSA_ERROR_BUFFER_TOO_SMALL;
    if (!x25519_shared(key_buffer, peer_key, shared_secret))
        return PSA_ERROR_INVALID_ARGUMENT;
    *shared_secret_length = X25519_BYTES;
    return PSA_SUCCESS;
}
