/* SPDX-License-Identifier: Apache-2.0 */
/* The context of MBEDTLS_CHACHAPOLY_ALT (gateway/crypto/hooks/chachapoly.c). */
#ifndef POSTERN_CHACHAPOLY_ALT_H
#define POSTERN_CHACHAPOLY_ALT_H

typedef struct mbedtls_chachapoly_context {
    unsigned char key[32];
} mbedtls_chachapoly_context;

#endif
