/* SPDX-License-Identifier: Apache-2.0 */
/* The context of MBEDTLS_SHA256_ALT (gateway/crypto/hooks/sha2.c). */
#ifndef POSTERN_SHA256_ALT_H
#define POSTERN_SHA256_ALT_H

#include <nettle/sha2.h>

typedef struct mbedtls_sha256_context {
    struct sha256_ctx sha256;
} mbedtls_sha256_context;

#endif
