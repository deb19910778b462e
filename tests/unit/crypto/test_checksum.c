/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* CRC-32 by its definition, one bit at a time. */
static uint32_t crc32_by_bits(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

static void test_crc_known_values(void **state)
{
    (void)state;
    assert_int_equal(pst_crc32("", 0), 0);
    assert_int_equal(pst_crc32("123456789", 9), 0xcbf43926); /* the check value of CRC-32/ISO-HDLC */
    assert_int_equal(pst_crc32("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

static void test_crc_against_its_definition(void **state)
{
    (void)state;
    uint8_t data[300];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof(data); i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
    for (size_t start = 0; start < 5; start++)
        for (size_t len = 0; start + len <= sizeof(data); len++)
            assert_int_equal(pst_crc32(data + start, len), crc32_by_bits(data + start, len));
}

static void expect_base62(uint32_t value, const char *text)
{
    char out[PST_BASE62_CRC_LEN + 1] = {0};
    pst_base62_u32(value, out);
    assert_string_equal(out, text);
}

static void test_base62(void **state)
{
    (void)state;
    expect_base62(0, "000000");
    expect_base62(9, "000009");
    expect_base62(10, "00000A");
    expect_base62(35, "00000Z");
    expect_base62(36, "00000a");
    expect_base62(61, "00000z");
    expect_base62(62, "000010");
    expect_base62(0xffffffff, "4gfFC3"); /* 4294967295 */
    int digits = 0;
    for (int c = 0; c < 256; c++) {
        bool listed = memchr(pst_base62_alphabet, c, sizeof(pst_base62_alphabet)) != NULL;
        assert_int_equal(pst_base62_is_digit((char)c), listed);
        digits += listed;
    }
    assert_int_equal(digits, 62);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_known_values),
        cmocka_unit_test(test_crc_against_its_definition),
        cmocka_unit_test(test_base62),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
