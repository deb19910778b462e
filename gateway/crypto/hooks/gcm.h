/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine gives to AES-GCM (NIST SP 800-38D): whole messages. */
#ifndef POSTERN_CRYPTO_HOOKS_GCM_H
#define POSTERN_CRYPTO_HOOKS_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCM_TAG_BYTES 16

/* `in` and `out` are the same or do not overlap. */
struct gcm_message {
    const uint8_t *iv;
    size_t iv_len; /* at least 1 */
    const uint8_t *ad;
    size_t ad_len;
    const uint8_t *in;
    uint8_t *out;
    size_t len;
};

struct gcm_engine {
    size_t state_bytes; /* its state is aligned to 64 */
    void (*set_key)(void *state, const uint8_t *key);
    /* Decrypting, it writes the plaintext before anybody can have compared the tag. */
    void (*crypt)(void *state, bool encrypt, const struct gcm_message *message, uint8_t tag[GCM_TAG_BYTES]);
};

/* key_bits: 128, 192, 256; NULL for another, and from ipsec_mb where it is not in use. */
const struct gcm_engine *gcm_engine_nettle(unsigned key_bits);
const struct gcm_engine *gcm_engine_ipsec_mb(unsigned key_bits);

#endif
