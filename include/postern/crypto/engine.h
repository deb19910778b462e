/* SPDX-License-Identifier: Apache-2.0 */
/* Who does the arithmetic behind mbedTLS. mbedTLS keeps the protocol; its own hooks (the _ALT options, the
 * PSA driver interface) lead its primitives to better-kept engines:
 *
 *   AES-GCM, ChaCha20-Poly1305   libipsec-mb on x86-64 with AES-NI; nettle elsewhere, which takes the
 *                                processor's instructions, too (on arm64 AES and PMULL)
 *   P-256, P-384, X25519, RSA    nettle's hogweed on GMP
 *   SHA-256, SHA-384, SHA-512    nettle
 *
 * A build with -Dcrypto=stock has none of it: mbedTLS does it all itself. */
#ifndef POSTERN_CRYPTO_ENGINE_H
#define POSTERN_CRYPTO_ENGINE_H

#include "postern/base/err.h"

#include <stddef.h>

/* Chooses by the processor, and has GMP wipe what it frees. Once, before other threads and before the first
 * session; what was set up before stays with the portable engine. 0 or -PST_ENOMEM. */
int pst_crypto_init(void) PST_MUSTCHECK;

/* From here on, contexts that are set up use the portable engine (nettle) alone. For tests, before threads.
 */
void pst_crypto_portable(void);

/* What is in use, for the operator: "AEAD by libipsec-mb 1.3.0 (VAES, AVX-512); …". Static, after init. */
const char *pst_crypto_describe(void);

#endif
