/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, SHA-384 and SHA-512 behind mbedTLS's interface: FIPS 180-4's examples, and mbedTLS's own on random
 * messages in random pieces, cloned on the way as the transcript of a handshake is. */
#include "random.h"
#include "reference.h"

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <setjmp.h>

#include <cmocka.h>

enum hash { SHA256, SHA384, SHA512 };

static const size_t sizes[] = {32, 48, 64};

static void expect(enum hash hash, const char *text, const char *hex)
{
    uint8_t digest[64], expected[64];
    assert_int_equal(pst_hex_decode(pst_str_of(hex), expected, sizes[hash]), 0);
    const uint8_t *in = (const uint8_t *)text;
    int ret = hash == SHA256 ? mbedtls_sha256(in, strlen(text), digest, 0)
                             : mbedtls_sha512(in, strlen(text), digest, hash == SHA384);
    assert_int_equal(ret, 0);
    assert_memory_equal(digest, expected, sizes[hash]);
}

static void test_examples(void **state)
{
    (void)state;
    expect(SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(
        SHA384, "abc",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
    expect(SHA512, "abc",
           "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
           "454d4423643ce80e2a9ac94fa54ca49f");
    expect(SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* In pieces, with a clone finished in the middle. */
static void in_pieces_256(const uint8_t *in, size_t len, uint8_t *out)
{
    mbedtls_sha256_context ctx, fork;
    uint8_t digest[32], prefix[32];
    mbedtls_sha256_init(&ctx);
    mbedtls_sha256_init(&fork);
    assert_int_equal(mbedtls_sha256_starts(&ctx, 0), 0);
    for (size_t at = 0; at < len;) {
        size_t n = 1 + random_below(len - at);
        assert_int_equal(mbedtls_sha256_update(&ctx, in + at, n), 0);
        at += n;
        mbedtls_sha256_clone(&fork, &ctx);
        assert_int_equal(mbedtls_sha256_finish(&fork, digest), 0);
        assert_int_equal(ref_sha256(in, at, prefix), 0);
        assert_memory_equal(digest, prefix, 32);
    }
    assert_int_equal(mbedtls_sha256_finish(&ctx, out), 0);
    mbedtls_sha256_free(&ctx);
    mbedtls_sha256_free(&fork);
}

static void in_pieces_512(const uint8_t *in, size_t len, bool is384, uint8_t *out)
{
    mbedtls_sha512_context ctx, fork;
    uint8_t digest[64], prefix[64];
    mbedtls_sha512_init(&ctx);
    mbedtls_sha512_init(&fork);
    assert_int_equal(mbedtls_sha512_starts(&ctx, is384), 0);
    for (size_t at = 0; at < len;) {
        size_t n = 1 + random_below(len - at);
        assert_int_equal(mbedtls_sha512_update(&ctx, in + at, n), 0);
        at += n;
        mbedtls_sha512_clone(&fork, &ctx);
        assert_int_equal(mbedtls_sha512_finish(&fork, digest), 0);
        assert_int_equal(ref_sha512(in, at, is384, prefix), 0);
        assert_memory_equal(digest, prefix, is384 ? 48 : 64);
    }
    assert_int_equal(mbedtls_sha512_finish(&ctx, out), 0);
    mbedtls_sha512_free(&ctx);
    mbedtls_sha512_free(&fork);
}

static void test_random(void **state)
{
    (void)state;
    static uint8_t text[4096];
    for (size_t i = random_rounds(300000); i > 0; i--) {
        uint8_t mine[64], theirs[64];
        size_t len = random_below(16) == 0 ? random_below(sizeof(text)) : random_below(300);
        random_fill(text, len);
        assert_int_equal(ref_sha256(text, len, theirs), 0);
        in_pieces_256(text, len, mine);
        assert_memory_equal(mine, theirs, 32);
        bool is384 = random_below(2) == 0;
        assert_int_equal(ref_sha512(text, len, is384, theirs), 0);
        in_pieces_512(text, len, is384, mine);
        assert_memory_equal(mine, theirs, is384 ? 48 : 64);
    }
}

static void test_misuse(void **state)
{
    (void)state;
    mbedtls_sha256_context sha256;
    mbedtls_sha512_context sha512;
    mbedtls_sha256_init(&sha256);
    mbedtls_sha512_init(&sha512);
    assert_int_not_equal(mbedtls_sha256_starts(&sha256, 1), 0); /* SHA-224 is left out */
    assert_int_not_equal(mbedtls_sha512_starts(&sha512, 2), 0);
    mbedtls_sha256_free(NULL);
    mbedtls_sha512_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_misuse),
    };
    random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
