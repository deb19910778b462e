/* SPDX-License-Identifier: Apache-2.0 */
/* MBEDTLS_SHA256_ALT and MBEDTLS_SHA512_ALT (FIPS 180-4): transcripts, key schedule, signatures. nettle uses
 * the processor's SHA instructions where it has them, assembly where not. No table, no branch on the data. */
#include <mbedtls/error.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <string.h>

void mbedtls_sha256_init(mbedtls_sha256_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
}

void mbedtls_sha256_free(mbedtls_sha256_context *ctx)
{
    if (ctx != NULL)
        explicit_bzero(ctx, sizeof(*ctx));
}

void mbedtls_sha256_clone(mbedtls_sha256_context *dst, const mbedtls_sha256_context *src)
{
    *dst = *src;
}

/* SHA-224 is left out of the library. */
int mbedtls_sha256_starts(mbedtls_sha256_context *ctx, int is224)
{
    if (is224 != 0)
        return MBEDTLS_ERR_SHA256_BAD_INPUT_DATA;
    sha256_init(&ctx->sha256);
    return 0;
}

int mbedtls_sha256_update(mbedtls_sha256_context *ctx, const unsigned char *input, size_t ilen)
{
    if (ilen > 0)
        sha256_update(&ctx->sha256, ilen, input);
    return 0;
}

int mbedtls_sha256_finish(mbedtls_sha256_context *ctx, unsigned char *output)
{
    sha256_digest(&ctx->sha256, SHA256_DIGEST_SIZE, output);
    return 0;
}

int mbedtls_internal_sha256_process(mbedtls_sha256_context *ctx, const unsigned char data[64])
{
    sha256_update(&ctx->sha256, SHA256_BLOCK_SIZE, data);
    return 0;
}

void mbedtls_sha512_init(mbedtls_sha512_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
}

void mbedtls_sha512_free(mbedtls_sha512_context *ctx)
{
    if (ctx != NULL)
        explicit_bzero(ctx, sizeof(*ctx));
}

void mbedtls_sha512_clone(mbedtls_sha512_context *dst, const mbedtls_sha512_context *src)
{
    *dst = *src;
}

int mbedtls_sha512_starts(mbedtls_sha512_context *ctx, int is384)
{
    if (is384 != 0 && is384 != 1)
        return MBEDTLS_ERR_SHA512_BAD_INPUT_DATA;
    ctx->is384 = is384;
    if (is384 != 0)
        sha384_init(&ctx->sha512);
    else
        sha512_init(&ctx->sha512);
    return 0;
}

int mbedtls_sha512_update(mbedtls_sha512_context *ctx, const unsigned char *input, size_t ilen)
{
    if (ilen > 0)
        sha512_update(&ctx->sha512, ilen, input);
    return 0;
}

int mbedtls_sha512_finish(mbedtls_sha512_context *ctx, unsigned char *output)
{
    if (ctx->is384 != 0)
        sha384_digest(&ctx->sha512, SHA384_DIGEST_SIZE, output);
    else
        sha512_digest(&ctx->sha512, SHA512_DIGEST_SIZE, output);
    return 0;
}

int mbedtls_internal_sha512_process(mbedtls_sha512_context *ctx, const unsigned char data[128])
{
    sha512_update(&ctx->sha512, SHA512_BLOCK_SIZE, data);
    return 0;
}
