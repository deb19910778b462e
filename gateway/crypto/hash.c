/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/hash.h"

#include "postern/crypto/secret.h"

#include <nettle/memops.h>
#include <nettle/sha1.h>

#define BLOCK_BYTES SHA256_BLOCK_SIZE

void pst_sha1(const void *data, size_t len, uint8_t digest[static PST_SHA1_BYTES])
{
    struct sha1_ctx ctx;
    sha1_init(&ctx);
    sha1_update(&ctx, len, data);
    sha1_digest(&ctx, PST_SHA1_BYTES, digest);
}

void pst_sha256(const void *data, size_t len, uint8_t digest[static PST_SHA256_BYTES])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, PST_SHA256_BYTES, digest);
}

static void start_padded(struct sha256_ctx *ctx, const uint8_t key[static BLOCK_BYTES], uint8_t pad)
{
    uint8_t block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    sha256_init(ctx);
    sha256_update(ctx, BLOCK_BYTES, block);
    pst_wipe(block, sizeof(block));
}

void pst_hmac_key_init(struct pst_hmac_key *key, const void *secret, size_t len)
{
    uint8_t block[BLOCK_BYTES] = {0};
    if (len > BLOCK_BYTES)
        pst_sha256(secret, len, block);
    else if (len > 0)
        memcpy(block, secret, len);
    start_padded(&key->inner, block, 0x36);
    start_padded(&key->outer, block, 0x5c);
    pst_wipe(block, sizeof(block));
}

void pst_hmac_key_done(struct pst_hmac_key *key)
{
    pst_wipe(key, sizeof(*key));
}

void pst_hmac_sha256(const struct pst_hmac_key *key, struct pst_str message,
                     uint8_t digest[static PST_SHA256_BYTES])
{
    struct sha256_ctx ctx = key->inner;
    sha256_update(&ctx, message.len, (const uint8_t *)message.p);
    sha256_digest(&ctx, PST_SHA256_BYTES, digest);
    ctx = key->outer;
    sha256_update(&ctx, PST_SHA256_BYTES, digest);
    sha256_digest(&ctx, PST_SHA256_BYTES, digest);
    pst_wipe(&ctx, sizeof(ctx)); /* its block still has the message, its state leads to the key */
}

bool pst_ct_equal(const void *a, const void *b, size_t len)
{
    return memeql_sec(a, b, len) != 0;
}
