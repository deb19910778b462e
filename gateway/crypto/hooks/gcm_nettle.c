/* SPDX-License-Identifier: Apache-2.0 */
#include "aes_key.h"
#include "gcm.h"

#include <nettle/gcm.h>

/* nettle has a set of functions for each length of key, on a context of its own each. gcm_aes128_set_key()
 * and its like are not used: see aes_key.h. */
#define FUNCTIONS_OF(bits)                                                                                   \
    static void encrypt_blocks_##bits(const void *key, size_t len, uint8_t *out, const uint8_t *in)          \
    {                                                                                                        \
        aes##bits##_encrypt(key, len, out, in);                                                              \
    }                                                                                                        \
    static void set_key_##bits(void *state, const uint8_t *key)                                              \
    {                                                                                                        \
        struct gcm_aes##bits##_ctx *ctx = state;                                                             \
        aes_expand_key(key, AES##bits##_KEY_SIZE, ctx->cipher.keys);                                         \
        gcm_set_key(&ctx->key, &ctx->cipher, encrypt_blocks_##bits);                                         \
    }                                                                                                        \
    static void crypt_##bits(void *state, bool encrypt, const struct gcm_message *message,                   \
                             uint8_t tag[GCM_TAG_BYTES])                                                     \
    {                                                                                                        \
        gcm_aes##bits##_set_iv(state, message->iv_len, message->iv);                                         \
        gcm_aes##bits##_update(state, message->ad_len, message->ad);                                         \
        if (encrypt)                                                                                         \
            gcm_aes##bits##_encrypt(state, message->len, message->out, message->in);                         \
        else                                                                                                 \
            gcm_aes##bits##_decrypt(state, message->len, message->out, message->in);                         \
        gcm_aes##bits##_digest(state, GCM_TAG_BYTES, tag);                                                   \
    }                                                                                                        \
    static const struct gcm_engine engine_##bits = {sizeof(struct gcm_aes##bits##_ctx), set_key_##bits,      \
                                                    crypt_##bits};

FUNCTIONS_OF(128)
FUNCTIONS_OF(192)
FUNCTIONS_OF(256)

const struct gcm_engine *gcm_engine_nettle(unsigned key_bits)
{
    return key_bits == 128   ? &engine_128
           : key_bits == 192 ? &engine_192
           : key_bits == 256 ? &engine_256
                             : NULL;
}
