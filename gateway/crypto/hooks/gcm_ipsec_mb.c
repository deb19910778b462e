/* SPDX-License-Identifier: Apache-2.0 */
#include "engine.h"
#include "gcm.h"

#if defined(POSTERN_HAVE_IPSEC_MB)

#include <string.h>

#define IV_BYTES 12

/* libipsec-mb, too, has a set of functions for each length of key; those for whole messages take an IV of 12
 * bytes. Its context holds a block of key stream. */
#define FUNCTIONS_OF(bits)                                                                                   \
    static void set_key_##bits(void *state, const uint8_t *key)                                              \
    {                                                                                                        \
        IMB_AES##bits##_GCM_PRE(engine_ipsec_mb, key, state);                                                \
    }                                                                                                        \
    static void crypt_any_iv_##bits(void *state, bool encrypt, const struct gcm_message *m, uint8_t *tag)    \
    {                                                                                                        \
        struct gcm_context_data context;                                                                     \
        IMB_AES##bits##_GCM_INIT_VAR_IV(engine_ipsec_mb, state, &context, m->iv, m->iv_len, m->ad,           \
                                        m->ad_len);                                                          \
        if (encrypt) {                                                                                       \
            IMB_AES##bits##_GCM_ENC_UPDATE(engine_ipsec_mb, state, &context, m->out, m->in, m->len);         \
            IMB_AES##bits##_GCM_ENC_FINALIZE(engine_ipsec_mb, state, &context, tag, GCM_TAG_BYTES);          \
        } else {                                                                                             \
            IMB_AES##bits##_GCM_DEC_UPDATE(engine_ipsec_mb, state, &context, m->out, m->in, m->len);         \
            IMB_AES##bits##_GCM_DEC_FINALIZE(engine_ipsec_mb, state, &context, tag, GCM_TAG_BYTES);          \
        }                                                                                                    \
        explicit_bzero(&context, sizeof(context));                                                           \
    }                                                                                                        \
    static void crypt_##bits(void *state, bool encrypt, const struct gcm_message *m,                         \
                             uint8_t tag[GCM_TAG_BYTES])                                                     \
    {                                                                                                        \
        struct gcm_context_data context;                                                                     \
        if (m->iv_len != IV_BYTES) {                                                                         \
            crypt_any_iv_##bits(state, encrypt, m, tag);                                                     \
            return;                                                                                          \
        }                                                                                                    \
        if (encrypt)                                                                                         \
            IMB_AES##bits##_GCM_ENC(engine_ipsec_mb, state, &context, m->out, m->in, m->len, m->iv, m->ad,   \
                                    m->ad_len, tag, GCM_TAG_BYTES);                                          \
        else                                                                                                 \
            IMB_AES##bits##_GCM_DEC(engine_ipsec_mb, state, &context, m->out, m->in, m->len, m->iv, m->ad,   \
                                    m->ad_len, tag, GCM_TAG_BYTES);                                          \
        explicit_bzero(&context, sizeof(context));                                                           \
    }                                                                                                        \
    static const struct gcm_engine engine_##bits = {sizeof(struct gcm_key_data), set_key_##bits,             \
                                                    crypt_##bits};

FUNCTIONS_OF(128)
FUNCTIONS_OF(192)
FUNCTIONS_OF(256)

const struct gcm_engine *gcm_engine_ipsec_mb(unsigned key_bits)
{
    if (engine_ipsec_mb == NULL)
        return NULL;
    return key_bits == 128   ? &engine_128
           : key_bits == 192 ? &engine_192
           : key_bits == 256 ? &engine_256
                             : NULL;
}

#else

const struct gcm_engine *gcm_engine_ipsec_mb(unsigned key_bits)
{
    (void)key_bits;
    return NULL;
}

#endif
