/* SPDX-License-Identifier: Apache-2.0 */
/* MBEDTLS_CHACHAPOLY_ALT (RFC 8439): whole messages only, as in gcm.c. libipsec-mb where the processor is for
 * it, else nettle. Secret: key and plaintext; ChaCha20 and Poly1305 have neither tables nor branches on them.
 */
#include "engine.h"
#include "place.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/error.h>
#include <nettle/chacha-poly1305.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define TAG_BYTES 16

struct message {
    const uint8_t *key, *nonce, *ad;
    size_t ad_len;
    const uint8_t *in;
    uint8_t *out;
    size_t len;
};

static void crypt_nettle(bool encrypt, const struct message *m, uint8_t tag[TAG_BYTES])
{
    struct chacha_poly1305_ctx ctx;
    chacha_poly1305_set_key(&ctx, m->key);
    chacha_poly1305_set_nonce(&ctx, m->nonce);
    chacha_poly1305_update(&ctx, m->ad_len, m->ad);
    if (encrypt)
        chacha_poly1305_encrypt(&ctx, m->len, m->out, m->in);
    else
        chacha_poly1305_decrypt(&ctx, m->len, m->out, m->in);
    chacha_poly1305_digest(&ctx, TAG_BYTES, tag);
    explicit_bzero(&ctx, sizeof(ctx));
}

#if defined(POSTERN_HAVE_IPSEC_MB)
static void crypt(bool encrypt, const struct message *m, uint8_t tag[TAG_BYTES])
{
    if (engine_ipsec_mb == NULL) {
        crypt_nettle(encrypt, m, tag);
        return;
    }
    struct chacha20_poly1305_context_data context;
    IMB_CHACHA20_POLY1305_INIT(engine_ipsec_mb, m->key, &context, m->nonce, m->ad, m->ad_len);
    if (encrypt) {
        IMB_CHACHA20_POLY1305_ENC_UPDATE(engine_ipsec_mb, m->key, &context, m->out, m->in, m->len);
        IMB_CHACHA20_POLY1305_ENC_FINALIZE(engine_ipsec_mb, &context, tag, TAG_BYTES);
    } else {
        IMB_CHACHA20_POLY1305_DEC_UPDATE(engine_ipsec_mb, m->key, &context, m->out, m->in, m->len);
        IMB_CHACHA20_POLY1305_DEC_FINALIZE(engine_ipsec_mb, &context, tag, TAG_BYTES);
    }
    explicit_bzero(&context, sizeof(context));
}
#else
static void crypt(bool encrypt, const struct message *m, uint8_t tag[TAG_BYTES])
{
    crypt_nettle(encrypt, m, tag);
}
#endif

void mbedtls_chachapoly_init(mbedtls_chachapoly_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
}

void mbedtls_chachapoly_free(mbedtls_chachapoly_context *ctx)
{
    if (ctx != NULL)
        explicit_bzero(ctx, sizeof(*ctx));
}

int mbedtls_chachapoly_setkey(mbedtls_chachapoly_context *ctx, const unsigned char key[32])
{
    memcpy(ctx->key, key, sizeof(ctx->key));
    return 0;
}

int mbedtls_chachapoly_encrypt_and_tag(mbedtls_chachapoly_context *ctx, size_t length,
                                       const unsigned char nonce[12], const unsigned char *aad,
                                       size_t aad_len, const unsigned char *input, unsigned char *output,
                                       unsigned char tag[16])
{
    const struct message message = {ctx->key, nonce, aad, aad_len, place_input(input, output, length),
                                    output,   length};
    crypt(true, &message, tag);
    return 0;
}

int mbedtls_chachapoly_auth_decrypt(mbedtls_chachapoly_context *ctx, size_t length,
                                    const unsigned char nonce[12], const unsigned char *aad, size_t aad_len,
                                    const unsigned char tag[16], const unsigned char *input,
                                    unsigned char *output)
{
    uint8_t expected[TAG_BYTES];
    const struct message message = {ctx->key, nonce, aad, aad_len, place_input(input, output, length),
                                    output,   length};
    crypt(false, &message, expected);
    int differs = mbedtls_ct_memcmp(expected, tag, TAG_BYTES);
    explicit_bzero(expected, sizeof(expected));
    if (differs == 0)
        return 0;
    explicit_bzero(output, length);
    return MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED;
}

int mbedtls_chachapoly_starts(mbedtls_chachapoly_context *ctx, const unsigned char nonce[12],
                              mbedtls_chachapoly_mode_t mode)
{
    (void)ctx, (void)nonce, (void)mode;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_chachapoly_update_aad(mbedtls_chachapoly_context *ctx, const unsigned char *aad, size_t aad_len)
{
    (void)ctx, (void)aad, (void)aad_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_chachapoly_update(mbedtls_chachapoly_context *ctx, size_t len, const unsigned char *input,
                              unsigned char *output)
{
    (void)ctx, (void)len, (void)input, (void)output;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_chachapoly_finish(mbedtls_chachapoly_context *ctx, unsigned char mac[16])
{
    (void)ctx, (void)mac;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}
