/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM and ChaCha20-Poly1305 behind mbedTLS's hooks: what is sealed is what the library's own primitives
 * make, it opens again in whatever place, and with a bit turned somewhere it does not and gives nothing out.
 */
#include "../unit/crypto/hooks/reference.h"
#include "postern/crypto/engine.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 20000
#define TAG      16

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int seal(bool chacha, const struct ref_message *m, uint8_t *out, uint8_t *tag)
{
    int ret;
    if (chacha) {
        mbedtls_chachapoly_context ctx;
        mbedtls_chachapoly_init(&ctx);
        CHECK(mbedtls_chachapoly_setkey(&ctx, m->key) == 0);
        ret = mbedtls_chachapoly_encrypt_and_tag(&ctx, m->len, m->iv, m->ad, m->ad_len, m->in, out, tag);
        mbedtls_chachapoly_free(&ctx);
        return ret;
    }
    mbedtls_gcm_context ctx;
    mbedtls_gcm_init(&ctx);
    CHECK(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits) == 0);
    ret = mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, m->len, m->iv, m->iv_len, m->ad, m->ad_len,
                                    m->in, out, TAG, tag);
    mbedtls_gcm_free(&ctx);
    return ret;
}

static int open_sealed(bool chacha, const struct ref_message *m, uint8_t *out, const uint8_t *tag)
{
    int ret;
    if (chacha) {
        mbedtls_chachapoly_context ctx;
        mbedtls_chachapoly_init(&ctx);
        CHECK(mbedtls_chachapoly_setkey(&ctx, m->key) == 0);
        ret = mbedtls_chachapoly_auth_decrypt(&ctx, m->len, m->iv, m->ad, m->ad_len, tag, m->in, out);
        mbedtls_chachapoly_free(&ctx);
        return ret;
    }
    mbedtls_gcm_context ctx;
    mbedtls_gcm_init(&ctx);
    CHECK(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits) == 0);
    ret = mbedtls_gcm_auth_decrypt(&ctx, m->len, m->iv, m->iv_len, m->ad, m->ad_len, tag, TAG, m->in, out);
    mbedtls_gcm_free(&ctx);
    return ret;
}

static void check_opens(bool chacha, struct ref_message m, uint8_t *place, size_t shift, const uint8_t *plain,
                        uint8_t *tag, unsigned turned)
{
    uint8_t *out = place + shift; /* the same place, or one that overlaps */
    m.in = place;
    if (turned < 8 * TAG) {
        tag[turned / 8] ^= (uint8_t)(1 << (turned % 8));
        CHECK(open_sealed(chacha, &m, out, tag) != 0);
        for (size_t i = 0; i < m.len; i++)
            CHECK(out[i] == 0);
    } else {
        CHECK(open_sealed(chacha, &m, out, tag) == 0);
        CHECK(memcmp(out, plain, m.len) == 0);
    }
}

/* One byte each: which cipher; length of the nonce and of the additional data; where it is opened; which bit
 * is turned. Then key, nonce, additional data and text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned bits[] = {128, 192, 256};
    static uint8_t mine[TEXT_MAX + 64], theirs[TEXT_MAX];
    uint8_t tag[TAG], their_tag[TAG];
    CHECK(pst_crypto_init() == 0);
    if (size < 5 + 32)
        return 0;
    bool chacha = (data[0] & 4) != 0;
    struct ref_message m = {.key = data + 5,
                            .key_bits = chacha ? 256 : bits[data[0] % 3],
                            .iv_len = chacha ? 12 : 1 + data[1] % 80,
                            .ad_len = data[2]};
    size_t shift = data[3] % 64;
    unsigned turned = data[4];
    size -= 5 + 32;
    if (size < m.iv_len + m.ad_len || size - m.iv_len - m.ad_len > TEXT_MAX)
        return 0;
    m.iv = m.key + 32;
    m.ad = m.iv + m.iv_len;
    m.in = m.ad + m.ad_len;
    m.len = size - m.iv_len - m.ad_len;
    CHECK((chacha ? ref_chachapoly_seal(&m, theirs, their_tag) : ref_gcm_seal(&m, theirs, their_tag)) == 0);
    CHECK(seal(chacha, &m, mine, tag) == 0);
    CHECK(memcmp(mine, theirs, m.len) == 0 && memcmp(tag, their_tag, TAG) == 0);
    check_opens(chacha, m, mine, shift, m.in, tag, turned);
    return 0;
}
