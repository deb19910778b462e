/* SPDX-License-Identifier: Apache-2.0 */
/* The names tools/deps gave to the unhooked library: included before its headers. */
#ifndef POSTERN_TEST_CRYPTO_REFERENCE_NAMES_H
#define POSTERN_TEST_CRYPTO_REFERENCE_NAMES_H

#define mbedtls_chachapoly_encrypt_and_tag stock_mbedtls_chachapoly_encrypt_and_tag
#define mbedtls_chachapoly_free            stock_mbedtls_chachapoly_free
#define mbedtls_chachapoly_init            stock_mbedtls_chachapoly_init
#define mbedtls_chachapoly_setkey          stock_mbedtls_chachapoly_setkey
#define mbedtls_ecdh_compute_shared        stock_mbedtls_ecdh_compute_shared
#define mbedtls_ecdsa_sign                 stock_mbedtls_ecdsa_sign
#define mbedtls_ecdsa_verify               stock_mbedtls_ecdsa_verify
#define mbedtls_ecp_check_pubkey           stock_mbedtls_ecp_check_pubkey
#define mbedtls_ecp_group_free             stock_mbedtls_ecp_group_free
#define mbedtls_ecp_group_init             stock_mbedtls_ecp_group_init
#define mbedtls_ecp_group_load             stock_mbedtls_ecp_group_load
#define mbedtls_ecp_mul                    stock_mbedtls_ecp_mul
#define mbedtls_ecp_point_free             stock_mbedtls_ecp_point_free
#define mbedtls_ecp_point_init             stock_mbedtls_ecp_point_init
#define mbedtls_ecp_point_read_binary      stock_mbedtls_ecp_point_read_binary
#define mbedtls_ecp_point_write_binary     stock_mbedtls_ecp_point_write_binary
#define mbedtls_gcm_crypt_and_tag          stock_mbedtls_gcm_crypt_and_tag
#define mbedtls_gcm_free                   stock_mbedtls_gcm_free
#define mbedtls_gcm_init                   stock_mbedtls_gcm_init
#define mbedtls_gcm_setkey                 stock_mbedtls_gcm_setkey
#define mbedtls_mpi_free                   stock_mbedtls_mpi_free
#define mbedtls_mpi_init                   stock_mbedtls_mpi_init
#define mbedtls_mpi_read_binary            stock_mbedtls_mpi_read_binary
#define mbedtls_mpi_read_binary_le         stock_mbedtls_mpi_read_binary_le
#define mbedtls_mpi_write_binary           stock_mbedtls_mpi_write_binary
#define mbedtls_mpi_write_binary_le        stock_mbedtls_mpi_write_binary_le
#define mbedtls_sha256                     stock_mbedtls_sha256
#define mbedtls_sha512                     stock_mbedtls_sha512

#endif
