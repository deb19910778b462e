/* SPDX-License-Identifier: Apache-2.0 */

/* What Postern's mbedTLS is made of. tools/deps builds the library with this file and puts a copy of it
 * beside the library's headers; whatever includes mbedtls/… is compiled with
 * -DMBEDTLS_CONFIG_FILE="postern_mbedtls_config.h" (meson: mbedtls_dep), so that library and users agree on
 * every struct. A change here takes effect after tools/deps has run again.
 *
 * Only what the gateway speaks is in: TLS 1.2 and 1.3 as server and client, ECDHE with certificates, AEAD
 * suites. What is left out can be neither negotiated nor attacked. */
#ifndef POSTERN_TLS_MBEDTLS_CONFIG_H
#define POSTERN_TLS_MBEDTLS_CONFIG_H

/* The system underneath. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_FS_IO
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY /* mbedtls_platform_set_calloc_free(): allocations can be steered */
#define MBEDTLS_THREADING_C
#define MBEDTLS_THREADING_PTHREAD
#define MBEDTLS_DEPRECATED_REMOVED
#define MBEDTLS_ERROR_C
#define MBEDTLS_VERSION_C

/* Randomness: the kernel's, through one of the DRBGs. The pool's hash is SHA-256, which processors have
 * instructions for. PSA asks the kernel itself (gateway/crypto/hooks/random.c): its own generator is one for
 * all threads, behind a lock. */
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_ENTROPY_FORCE_SHA256
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_HMAC_DRBG_C

/* PSA carries TLS 1.3's key agreement and key schedule. MBEDTLS_USE_PSA_CRYPTO stays off: with it every
 * record would pass PSA's global key mutex. Slots must grow with the handshakes in progress; the static
 * table of 32 would refuse the 33rd. Keys are never stored, so no storage back end. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

/* Ciphers: AEAD only. The tables are in read-only data because AES makes them at first use without a lock,
 * and several workers may be the first. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#if defined(__x86_64__)
#define MBEDTLS_AESNI_C
#elif defined(__aarch64__)
#define MBEDTLS_AESCE_C
#endif

/* Hashes. SHA-512 is the entropy pool's and what some certificates are signed with; MD5 is out. SHA-1 is in
 * for one thing: without it the library cannot parse old root certificates that signed themselves with it
 * (DigiCert Global Root CA), whose signature nobody looks at. No signature with it is accepted: neither the
 * certificate profiles nor the lists of signature algorithms name it. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C

/* Public keys. ECDSA_DETERMINISTIC is off so that MBEDTLS_ECDSA_SIGN_ALT can take over signing. GENPRIME is
 * off: nobody here makes RSA keys. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21

/* Keys and certificates: read, checked, revoked, and made (the self-signed one). */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_OID_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_PARSE_EC_EXTENDED
#define MBEDTLS_PK_PARSE_EC_COMPRESSED
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* TLS. Out on purpose: renegotiation, early data (0-RTT can be replayed), PSK without ECDHE, RSA key
 * exchange, CBC, DTLS, compression, maximum fragment length. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_TICKET_C

/* Hooks: what gateway/crypto/hooks defines in the library's stead. Their context headers (gcm_alt.h, …) are
 * in gateway/crypto/alt; tools/deps copies them beside the library's headers. -Dcrypto=stock builds without.
 */
#if !defined(POSTERN_CRYPTO_STOCK)
#define MBEDTLS_GCM_ALT
#define MBEDTLS_CHACHAPOLY_ALT
#define MBEDTLS_SHA256_ALT
#define MBEDTLS_SHA512_ALT
#define MBEDTLS_ECDSA_SIGN_ALT
#define MBEDTLS_ECDSA_VERIFY_ALT
#define MBEDTLS_ECDH_GEN_PUBLIC_ALT
#define MBEDTLS_ECDH_COMPUTE_SHARED_ALT
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED
#elif defined(__aarch64__)
/* The library's own SHA-2, which does not go with a hooked one. */
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#define MBEDTLS_SHA512_USE_A64_CRYPTO_IF_PRESENT
#endif

#endif
