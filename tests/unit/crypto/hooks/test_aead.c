/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM and ChaCha20-Poly1305 behind mbedTLS's interface, by each engine of this machine: the standards'
 * own values, Wycheproof, and mbedTLS's unhooked primitives on random messages of every length TLS has. */
#include "../vectors.h"
#include "postern/crypto/engine.h"
#include "random.h"
#include "reference.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <setjmp.h>
#include <stdbool.h>

#include <cmocka.h>

#define RECORD_MAX 16640 /* 2^14 and what TLS 1.3 may add to it, RFC 8446 section 5.2 */

enum cipher { GCM, CHACHAPOLY };

static int seal(enum cipher cipher, const struct ref_message *m, uint8_t *out, size_t tag_len, uint8_t *tag)
{
    int ret;
    if (cipher == CHACHAPOLY) {
        mbedtls_chachapoly_context ctx;
        mbedtls_chachapoly_init(&ctx);
        ret = mbedtls_chachapoly_setkey(&ctx, m->key);
        if (ret == 0)
            ret = mbedtls_chachapoly_encrypt_and_tag(&ctx, m->len, m->iv, m->ad, m->ad_len, m->in, out, tag);
        mbedtls_chachapoly_free(&ctx);
        return ret;
    }
    mbedtls_gcm_context ctx;
    mbedtls_gcm_init(&ctx);
    ret = mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits);
    if (ret == 0)
        ret = mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, m->len, m->iv, m->iv_len, m->ad, m->ad_len,
                                        m->in, out, tag_len, tag);
    mbedtls_gcm_free(&ctx);
    return ret;
}

static int unseal(enum cipher cipher, const struct ref_message *m, uint8_t *out, size_t tag_len,
                  const uint8_t *tag)
{
    int ret;
    if (cipher == CHACHAPOLY) {
        mbedtls_chachapoly_context ctx;
        mbedtls_chachapoly_init(&ctx);
        ret = mbedtls_chachapoly_setkey(&ctx, m->key);
        if (ret == 0)
            ret = mbedtls_chachapoly_auth_decrypt(&ctx, m->len, m->iv, m->ad, m->ad_len, tag, m->in, out);
        mbedtls_chachapoly_free(&ctx);
        return ret;
    }
    mbedtls_gcm_context ctx;
    mbedtls_gcm_init(&ctx);
    ret = mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, m->key, m->key_bits);
    if (ret == 0)
        ret = mbedtls_gcm_auth_decrypt(&ctx, m->len, m->iv, m->iv_len, m->ad, m->ad_len, tag, tag_len, m->in,
                                       out);
    mbedtls_gcm_free(&ctx);
    return ret;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

/* Known answers */

static const struct known {
    enum cipher cipher;
    const char *key, *iv, *ad, *plain, *sealed, *tag;
} known[] = {
    /* McGrew and Viega, The Galois/Counter Mode of Operation, appendix B: cases 1, 2, 4, 5, 6, 16. */
    {GCM, "00000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
     "ab6e47d42cec13bdf53a67b21257bddf"},
    {GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
     "b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
     "1ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbad", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
     "b16aedf5aa0de657ba637b39",
     "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b42"
     "4989b5e1ebac0f07c23f4598",
     "3612d2e79e3b0785561be14aaca2fccb"},
    {GCM, "feffe9928665731c6d6a8f9467308308",
     "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b5254"
     "16aedbf5a0de6a57a637b39b",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
     "b16aedf5aa0de657ba637b39",
     "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6f"
     "d62875d2aca417034c34aee5",
     "619cc5aefffe0bfa462af43c1699d050"},
    {GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
     "b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
     "c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    /* RFC 8439 section 2.8.2. */
    {CHACHAPOLY, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492063"
     "6f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
     "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b6116",
     "1ae10b594f09e26a7e902ecbd0600691"},
};

static size_t take_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    assert_int_equal(pst_hex_decode(pst_str_of(hex), out, n), 0);
    return n;
}

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint8_t key[32], iv[64], ad[32], plain[128], sealed[128], tag[16], out[128], made[16];
        struct ref_message m = {.key = key, .iv = iv, .ad = ad, .in = plain};
        m.key_bits = (unsigned)take_hex(known[i].key, key) * 8;
        m.iv_len = take_hex(known[i].iv, iv);
        m.ad_len = take_hex(known[i].ad, ad);
        m.len = take_hex(known[i].plain, plain);
        take_hex(known[i].sealed, sealed);
        take_hex(known[i].tag, tag);
        assert_int_equal(seal(known[i].cipher, &m, out, 16, made), 0);
        assert_memory_equal(out, sealed, m.len);
        assert_memory_equal(made, tag, 16);
        m.in = sealed;
        assert_int_equal(unseal(known[i].cipher, &m, out, 16, tag), 0);
        assert_memory_equal(out, plain, m.len);
    }
}

/* Wycheproof */

static enum cipher visited;

static void visit(const json_t *group, const json_t *test, const char *result)
{
    size_t key_len, ct_len, plain_len, tag_len;
    struct ref_message m = {0};
    uint8_t *key = vectors_bytes(test, "key", &key_len), *iv = vectors_bytes(test, "iv", &m.iv_len);
    uint8_t *ad = vectors_bytes(test, "aad", &m.ad_len), *ct = vectors_bytes(test, "ct", &ct_len);
    uint8_t *plain = vectors_bytes(test, "msg", &plain_len), *tag = vectors_bytes(test, "tag", &tag_len);
    uint8_t *out = malloc(ct_len + 1), made[16] = {0};
    bool valid = strcmp(result, "valid") == 0;
    (void)group;
    assert_non_null(out);
    m.key = key, m.iv = iv, m.ad = ad, m.key_bits = (unsigned)key_len * 8;
    /* mbedTLS's ChaCha20-Poly1305 has no length of an IV or tag to give. */
    if (visited == GCM || (m.iv_len == 12 && tag_len == 16)) {
        memset(out, 0xa5, ct_len + 1);
        m.in = ct, m.len = ct_len;
        int ret = unseal(visited, &m, out, tag_len, tag);
        if ((ret == 0) != valid)
            vectors_fail(test, valid ? "was refused" : "was taken");
        if (valid && memcmp(out, plain, plain_len) != 0)
            vectors_fail(test, "other plaintext");
        if (!valid && m.iv_len > 0 && !all_zero(out, ct_len))
            vectors_fail(test, "gives out plaintext that was not authenticated");
        m.in = plain, m.len = plain_len;
        if (valid && (seal(visited, &m, out, tag_len, made) != 0 || memcmp(out, ct, ct_len) != 0 ||
                      memcmp(made, tag, tag_len) != 0))
            vectors_fail(test, "is sealed in another way");
    }
    free(key), free(iv), free(ad), free(ct), free(plain), free(tag), free(out);
}

static void test_wycheproof_gcm(void **state)
{
    (void)state;
    visited = GCM;
    vectors_each("aes_gcm.json", visit);
}

static void test_wycheproof_chachapoly(void **state)
{
    (void)state;
    visited = CHACHAPOLY;
    vectors_each("chacha20_poly1305.json", visit);
}

/* Random messages */

static size_t choose_length(void)
{
    switch (random_below(64)) {
    case 0:
        return random_below(RECORD_MAX + 1);
    case 1: { /* around the edge of some block */
        size_t edge = (1 + random_below(RECORD_MAX / 16 - 1)) * 16;
        return edge - 2 + random_below(5);
    }
    default:
        return random_below(96);
    }
}

/* Sealed here and by the reference, opened here; elsewhere, in place, and in places that overlap. */
static void compare(enum cipher cipher, size_t len)
{
    static uint8_t text[RECORD_MAX + 64], mine[RECORD_MAX + 128], theirs[RECORD_MAX + 64];
    uint8_t key[32], iv[64], ad[64], tag[16], ref_tag[16];
    static const unsigned key_bits[] = {128, 256, 192};
    size_t at = random_below(17), to = random_below(17);
    struct ref_message m = {
        .key = key,
        .key_bits = cipher == GCM ? key_bits[random_below(3)] : 256,
        .iv = iv,
        .iv_len = cipher == GCM && random_below(4) == 0 ? 1 + random_below(64) : 12,
        .ad = ad,
        .ad_len = random_below(65),
        .in = text + at,
        .len = len,
    };
    random_fill(key, sizeof(key));
    random_fill(iv, sizeof(iv));
    random_fill(ad, sizeof(ad));
    random_fill(text + at, len);
    assert_int_equal(
        cipher == GCM ? ref_gcm_seal(&m, theirs, ref_tag) : ref_chachapoly_seal(&m, theirs, ref_tag), 0);
    if (random_below(4) == 0) { /* overlapping, with a distance that may be 0 */
        memcpy(mine + at, text + at, len);
        m.in = mine + at;
    }
    assert_int_equal(seal(cipher, &m, mine + to, 16, tag), 0);
    assert_memory_equal(mine + to, theirs, len);
    assert_memory_equal(tag, ref_tag, 16);
    m.in = mine + to;
    size_t back = random_below(2) == 0 ? to : random_below(33);
    if (random_below(4) == 0) {
        tag[random_below(16)] ^= (uint8_t)(1 << random_below(8));
        assert_int_not_equal(unseal(cipher, &m, mine + back, 16, tag), 0);
        assert_true(all_zero(mine + back, len));
    } else {
        assert_int_equal(unseal(cipher, &m, mine + back, 16, tag), 0);
        assert_memory_equal(mine + back, text + at, len);
    }
}

static void compare_many(enum cipher cipher, size_t rounds)
{
    for (size_t i = random_rounds(rounds); i > 0; i--)
        compare(cipher, choose_length());
}

static void test_random_gcm(void **state)
{
    (void)state;
    compare_many(GCM, 500000);
}

static void test_random_chachapoly(void **state)
{
    (void)state;
    compare_many(CHACHAPOLY, 500000);
}

static void test_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= RECORD_MAX; len += len < 1100 ? 1 : 1 + random_below(31))
        compare(len % 4 == 0 ? CHACHAPOLY : GCM, len);
    compare(GCM, RECORD_MAX);
    compare(CHACHAPOLY, RECORD_MAX);
}

/* Every length of tag that may be asked for, and those that may not. */
static void test_tags(void **state)
{
    (void)state;
    uint8_t key[16] = {1}, iv[12] = {2}, text[33] = {3}, sealed[33], out[33], whole[16];
    struct ref_message m = {.key = key, .key_bits = 128, .iv = iv, .iv_len = 12, .in = text, .len = 33};
    assert_int_equal(ref_gcm_seal(&m, sealed, whole), 0);
    for (size_t tag_len = 0; tag_len <= 17; tag_len++) {
        uint8_t tag[17] = {0};
        m.in = text;
        bool allowed = tag_len >= 4 && tag_len <= 16;
        assert_int_equal(seal(GCM, &m, out, tag_len, tag), allowed ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT);
        m.in = sealed;
        assert_int_equal(unseal(GCM, &m, out, tag_len, whole), allowed ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT);
        if (!allowed)
            continue;
        assert_memory_equal(tag, whole, tag_len);
        assert_true(all_zero(tag + tag_len, sizeof(tag) - tag_len));
        for (size_t bit = 0; bit < 8 * tag_len; bit++) {
            memcpy(tag, whole, tag_len);
            tag[bit / 8] ^= (uint8_t)(1 << (bit % 8));
            assert_int_equal(unseal(GCM, &m, out, tag_len, tag), MBEDTLS_ERR_GCM_AUTH_FAILED);
            assert_true(all_zero(out, sizeof(out)));
        }
    }
}

static void test_misuse(void **state)
{
    (void)state;
    mbedtls_gcm_context ctx;
    uint8_t key[32] = {0}, iv[12] = {0}, out[16], tag[16];
    mbedtls_gcm_init(&ctx);
    assert_int_equal(
        mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, 0, iv, 12, NULL, 0, NULL, out, 16, tag),
        MBEDTLS_ERR_GCM_BAD_INPUT); /* no key yet */
    assert_int_equal(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, key, 64), MBEDTLS_ERR_GCM_BAD_INPUT);
    assert_int_equal(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_CAMELLIA, key, 128),
                     MBEDTLS_ERR_GCM_BAD_INPUT);
    assert_int_equal(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, key, 128), 0);
    assert_int_equal(mbedtls_gcm_setkey(&ctx, MBEDTLS_CIPHER_ID_AES, key, 256), 0); /* another, no leak */
    assert_int_equal(
        mbedtls_gcm_crypt_and_tag(&ctx, MBEDTLS_GCM_ENCRYPT, 0, iv, 0, NULL, 0, NULL, out, 16, tag),
        MBEDTLS_ERR_GCM_BAD_INPUT);
    assert_int_not_equal(mbedtls_gcm_starts(&ctx, MBEDTLS_GCM_ENCRYPT, iv, 12), 0);
    mbedtls_gcm_free(&ctx);
    mbedtls_gcm_free(&ctx);
    mbedtls_gcm_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_wycheproof_gcm),
        cmocka_unit_test(test_wycheproof_chachapoly),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_random_gcm),
        cmocka_unit_test(test_random_chachapoly),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_misuse),
    };
    random_seed();
    if (pst_crypto_init() < 0)
        return 1;
    printf("# %s\n", pst_crypto_describe());
    int failed = cmocka_run_group_tests_name("this processor's engine", tests, NULL, NULL);
    pst_crypto_portable();
    printf("# %s\n", pst_crypto_describe());
    return failed + cmocka_run_group_tests_name("the portable engine", tests, NULL, NULL);
}
