/* SPDX-License-Identifier: Apache-2.0 */
/* The context of MBEDTLS_SHA512_ALT (gateway/crypto/hooks/sha2.c). */
#ifndef POSTERN_SHA512_ALT_H
#define POSTERN_SHA512_ALT_H

#include <nettle/sha2.h>

typedef struct mbedtls_sha512_context {
    struct sha512_ctx sha512; /* SHA-384 differs in where it begins and how much of it is given out */
    int is384;
} mbedtls_sha512_context;

#endif
