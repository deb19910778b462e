/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 by RFC 4648 section 10, and what a strict decoder must refuse. */
#include "postern/crypto/base64.h"

#include "postern/crypto/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *plain, *base64, *base64url;
} rfc4648[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void expect_both_ways(enum pst_base64 kind, const char *plain, const char *text)
{
    char encoded[64];
    uint8_t decoded[64];
    assert_int_equal(pst_base64_encode(kind, plain, strlen(plain), encoded), strlen(text));
    assert_string_equal(encoded, text);
    assert_int_equal(pst_base64_decode(kind, pst_str_of(text), decoded, sizeof(decoded)), strlen(plain));
    assert_memory_equal(decoded, plain, strlen(plain));
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc4648) / sizeof(rfc4648[0]); i++) {
        expect_both_ways(PST_BASE64, rfc4648[i].plain, rfc4648[i].base64);
        expect_both_ways(PST_BASE64URL, rfc4648[i].plain, rfc4648[i].base64url);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        enum pst_base64 kind;
        const char *text;
    } bad[] = {
        {PST_BASE64, "Zg"},          {PST_BASE64, "Zg="},       {PST_BASE64, "Z==="},
        {PST_BASE64, "===="},        {PST_BASE64, "Zg==Zg=="},  {PST_BASE64, "Zm9v===="},
        {PST_BASE64, "Zh=="},        {PST_BASE64, "Zm9="},      {PST_BASE64, "Zm 9v==="},
        {PST_BASE64, "Zm9v\n   "},   {PST_BASE64, "-__-"},      {PST_BASE64, "Z=g="},
        {PST_BASE64URL, "Z"},        {PST_BASE64URL, "Zg=="},   {PST_BASE64URL, "Zm8="},
        {PST_BASE64URL, "Zh"},       {PST_BASE64URL, "Zm9"},    {PST_BASE64URL, "Zm9vY"},
        {PST_BASE64URL, "+//+"},     {PST_BASE64URL, "Zm 9v"},  {PST_BASE64URL, " Zm9v"},
        {PST_BASE64URL, "Zm9v "},    {PST_BASE64URL, "Zm\t9v"}, {PST_BASE64URL, "Zm9v.g"},
        {PST_BASE64URL, "\xc3\xa4"},
    };
    uint8_t out[64];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pst_base64_decode(bad[i].kind, pst_str_of(bad[i].text), out, sizeof(out)) != -PST_EPARSE)
            fail_msg("\"%s\" was taken", bad[i].text);
    }
    assert_int_equal(pst_base64_decode(PST_BASE64URL, (struct pst_str){"Zm\0v", 4}, out, sizeof(out)),
                     -PST_EPARSE);
    assert_int_equal(pst_base64_decode(PST_BASE64, PST_STR("Zm9v"), out, 2), -PST_ELIMIT);
    assert_int_equal(pst_base64_decode(PST_BASE64URL, PST_STR("Zm9vYg"), out, 3), -PST_ELIMIT);
}

static void test_round_trips(void **state)
{
    (void)state;
    uint8_t bytes[200], back[200];
    char text[PST_BASE64_SIZE(200)];
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        assert_int_equal(pst_random_bytes(bytes, len), 0);
        for (int kind = PST_BASE64; kind <= PST_BASE64URL; kind++) {
            size_t n = pst_base64_encode((enum pst_base64)kind, bytes, len, text);
            assert_true(n < PST_BASE64_SIZE(len));
            struct pst_str s = {text, n};
            assert_int_equal(pst_base64_decode((enum pst_base64)kind, s, back, len), len);
            assert_memory_equal(back, bytes, len);
        }
    }
}

/* Of the texts of two characters exactly 256 are values: no two stand for the same byte. */
static void test_one_text_a_value(void **state)
{
    (void)state;
    bool seen[256] = {false};
    int n = 0;
    for (int i = 0; i < 65536; i++) {
        char pair[2] = {(char)(i >> 8), (char)i};
        uint8_t byte;
        if (pst_base64_decode(PST_BASE64URL, (struct pst_str){pair, 2}, &byte, 1) != 1)
            continue;
        assert_false(seen[byte]);
        seen[byte] = true;
        n++;
    }
    assert_int_equal(n, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_one_text_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
