/* SPDX-License-Identifier: Apache-2.0 */
/* MBEDTLS_GCM_ALT: whole messages only, which is how TLS seals records and tickets. The piecewise interface
 * (starts, update, finish) says that it is not supported; nothing in the gateway calls it.
 *
 * Secret: key and plaintext. The engines work without tables or branches that depend on either, by the
 * processor's instructions for AES and carry-less multiplication; where it has none (pst_cpu_has_aes()),
 * nettle looks up tables, as mbedTLS's own does. No allocation but in setkey. */
#include "gcm.h"
#include "place.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/error.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT     64
#define TAG_MIN_BYTES 4
/* SP 800-38D section 5.2.1.1. */
#define TEXT_MAX_BYTES ((UINT64_C(1) << 36) - 32)

struct pst_gcm_key {
    _Alignas(ALIGNMENT) const struct gcm_engine *engine;
    size_t bytes; /* of all this */
    _Alignas(ALIGNMENT) uint8_t state[];
};

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
    ctx->key = NULL;
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
    if (ctx == NULL || ctx->key == NULL)
        return;
    explicit_bzero(ctx->key, ctx->key->bytes);
    free(ctx->key);
    ctx->key = NULL;
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher, const unsigned char *key,
                       unsigned int key_bits)
{
    const struct gcm_engine *engine = gcm_engine_ipsec_mb(key_bits);
    if (engine == NULL)
        engine = gcm_engine_nettle(key_bits);
    if (cipher != MBEDTLS_CIPHER_ID_AES || engine == NULL)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    size_t bytes = sizeof(struct pst_gcm_key) + engine->state_bytes;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct pst_gcm_key *made = aligned_alloc(ALIGNMENT, bytes);
    if (made == NULL)
        return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
    made->engine = engine;
    made->bytes = bytes;
    engine->set_key(made->state, key);
    mbedtls_gcm_free(ctx);
    ctx->key = made;
    return 0;
}

static int crypt(mbedtls_gcm_context *ctx, bool encrypt, struct gcm_message *message, size_t tag_len,
                 uint8_t tag[GCM_TAG_BYTES])
{
    if (ctx->key == NULL || message->iv_len == 0 || message->len > TEXT_MAX_BYTES ||
        tag_len < TAG_MIN_BYTES || tag_len > GCM_TAG_BYTES)
        return MBEDTLS_ERR_GCM_BAD_INPUT;
    message->in = place_input(message->in, message->out, message->len);
    ctx->key->engine->crypt(ctx->key->state, encrypt, message, tag);
    return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length, const unsigned char *iv,
                              size_t iv_len, const unsigned char *add, size_t add_len,
                              const unsigned char *input, unsigned char *output, size_t tag_len,
                              unsigned char *tag)
{
    uint8_t whole[GCM_TAG_BYTES];
    struct gcm_message message = {iv, iv_len, add, add_len, input, output, length};
    int ret = crypt(ctx, mode == MBEDTLS_GCM_ENCRYPT, &message, tag_len, whole);
    if (ret == 0)
        memcpy(tag, whole, tag_len);
    return ret;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv, size_t iv_len,
                             const unsigned char *add, size_t add_len, const unsigned char *tag,
                             size_t tag_len, const unsigned char *input, unsigned char *output)
{
    uint8_t whole[GCM_TAG_BYTES];
    struct gcm_message message = {iv, iv_len, add, add_len, input, output, length};
    int ret = crypt(ctx, false, &message, tag_len, whole);
    if (ret == 0 && mbedtls_ct_memcmp(whole, tag, tag_len) != 0) {
        explicit_bzero(output, length);
        ret = MBEDTLS_ERR_GCM_AUTH_FAILED;
    }
    explicit_bzero(whole, sizeof(whole)); /* of a forgery it is the tag that would have passed */
    return ret;
}

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
    (void)ctx, (void)mode, (void)iv, (void)iv_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
    (void)ctx, (void)add, (void)add_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
                       unsigned char *output, size_t output_size, size_t *output_length)
{
    (void)ctx, (void)input, (void)input_length, (void)output, (void)output_size, (void)output_length;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
                       size_t *output_length, unsigned char *tag, size_t tag_len)
{
    (void)ctx, (void)output, (void)output_size, (void)output_length, (void)tag, (void)tag_len;
    return MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED;
}
