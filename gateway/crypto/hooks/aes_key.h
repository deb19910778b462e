/* SPDX-License-Identifier: Apache-2.0 */
/* AES's key expansion (FIPS 197 section 5.2) without tables. nettle's own looks up the S-box by bytes of the
 * key, also where it then encrypts by the processor's instructions. */
#ifndef POSTERN_CRYPTO_HOOKS_AES_KEY_H
#define POSTERN_CRYPTO_HOOKS_AES_KEY_H

#include <stddef.h>
#include <stdint.h>

/* For encrypting. `key` is 16, 24 or 32 bytes; `words` gets a word of round keys in each, the first byte
 * lowest as in nettle's contexts: 44, 52 or 60 of them. */
void aes_expand_key(const uint8_t *key, size_t key_bytes, uint32_t *words);

#endif
