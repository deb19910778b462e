/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table)  (sizeof(table) / sizeof((table)[0]))
#define UNTOUCHED 4711

static void test_u64(void **state)
{
    (void)state;
    static const struct {
        struct pst_str text;
        int err;
        uint64_t value;
    } cases[] = {
        {PST_STR("0"), 0, 0},
        {PST_STR("007"), 0, 7},
        {PST_STR("18446744073709551615"), 0, UINT64_MAX},
        {PST_STR("18446744073709551616"), -PST_ELIMIT, 0},
        {PST_STR("18446744073709551620"), -PST_ELIMIT, 0},
        {PST_STR("99999999999999999999"), -PST_ELIMIT, 0},
        {PST_STR("00000000000000000000000001"), 0, 1},
        {PST_STR(""), -PST_EPARSE, 0},
        {{NULL, 0}, -PST_EPARSE, 0},
        {PST_STR("-1"), -PST_EPARSE, 0},
        {PST_STR("+1"), -PST_EPARSE, 0},
        {PST_STR(" 1"), -PST_EPARSE, 0},
        {PST_STR("1 "), -PST_EPARSE, 0},
        {PST_STR("1\0"), -PST_EPARSE, 0},
        {PST_STR("0x10"), -PST_EPARSE, 0},
        {PST_STR("1e3"), -PST_EPARSE, 0},
        {PST_STR("\xD9\xA3"), -PST_EPARSE, 0}, /* an Arabic digit */
    };
    for (size_t i = 0; i < N(cases); i++) {
        uint64_t value = UNTOUCHED;
        assert_int_equal(pst_num_u64(cases[i].text, &value), cases[i].err);
        assert_true(value == (cases[i].err == 0 ? cases[i].value : UNTOUCHED));
    }
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        int64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"-1", 0, -1},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -PST_ELIMIT, 0},
        {"-9223372036854775808", 0, INT64_MIN},
        {"-9223372036854775809", -PST_ELIMIT, 0},
        {"-", -PST_EPARSE, 0},
        {"--1", -PST_EPARSE, 0},
        {"+1", -PST_EPARSE, 0},
        {"", -PST_EPARSE, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        int64_t value = UNTOUCHED;
        assert_int_equal(pst_num_i64(pst_str_of(cases[i].text), &value), cases[i].err);
        assert_true(value == (cases[i].err == 0 ? cases[i].value : UNTOUCHED));
    }
}

static void test_hex64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"fF", 0, 255},
        {"ffffffffffffffff", 0, UINT64_MAX},
        {"0000000000000000f", -PST_ELIMIT, 0}, /* 17 digits, whatever their value */
        {"0x1", -PST_EPARSE, 0},
        {"", -PST_EPARSE, 0},
        {"g", -PST_EPARSE, 0},
        {"1 ", -PST_EPARSE, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        uint64_t value = UNTOUCHED;
        assert_int_equal(pst_num_hex64(pst_str_of(cases[i].text), &value), cases[i].err);
        assert_true(value == (cases[i].err == 0 ? cases[i].value : UNTOUCHED));
    }
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"10", 0, 10},
        {"10B", 0, 10},
        {"1k", 0, 1024},
        {"1KiB", 0, 1024},
        {"3mib", 0, 3 << 20},
        {"2M", 0, 2 << 20},
        {"1G", 0, 1 << 30},
        {"17179869183GiB", 0, UINT64_C(17179869183) << 30},
        {"17179869184GiB", -PST_ELIMIT, 0},
        {"1KB", -PST_EPARSE, 0},
        {"1TiB", -PST_EPARSE, 0},
        {"1 KiB", -PST_EPARSE, 0},
        {"KiB", -PST_EPARSE, 0},
        {"-1K", -PST_EPARSE, 0},
        {"1.5K", -PST_EPARSE, 0},
        {"", -PST_EPARSE, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        uint64_t value = UNTOUCHED;
        assert_int_equal(pst_num_bytes(pst_str_of(cases[i].text), &value), cases[i].err);
        assert_true(value == (cases[i].err == 0 ? cases[i].value : UNTOUCHED));
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bare;
        int err;
        uint64_t value;
    } cases[] = {
        {"5", 1000, 0, 5000},
        {"5", 1, 0, 5},
        {"5ms", 1000, 0, 5},
        {"5s", 1, 0, 5000},
        {"2m", 1, 0, 120000},
        {"3h", 1, 0, 10800000},
        {"7d", 1, 0, 604800000},
        {"7D", 1, 0, 604800000},
        {"0s", 1, 0, 0},
        {"213503982334d", 1, 0, UINT64_C(213503982334) * 86400000},
        {"213503982335d", 1, -PST_ELIMIT, 0},
        {"5 s", 1, -PST_EPARSE, 0},
        {"5w", 1, -PST_EPARSE, 0},
        {"1h30m", 1, -PST_EPARSE, 0},
        {"s", 1, -PST_EPARSE, 0},
        {"-1s", 1, -PST_EPARSE, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        uint64_t value = UNTOUCHED;
        assert_int_equal(pst_num_duration_ms(pst_str_of(cases[i].text), cases[i].bare, &value), cases[i].err);
        assert_true(value == (cases[i].err == 0 ? cases[i].value : UNTOUCHED));
    }
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t bytes[256], back[256];
    char text[2 * sizeof(bytes) + 1];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    pst_hex_encode(bytes, sizeof(bytes), text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text + 0x9f * 2, "9fa0", 4);
    assert_int_equal(pst_hex_decode(pst_str_of(text), back, sizeof(back)), 0);
    assert_memory_equal(bytes, back, sizeof(bytes));
    pst_hex_encode(NULL, 0, text);
    assert_string_equal(text, "");
    assert_int_equal(pst_hex_decode(PST_STR("AbCd"), back, 2), 0);
    assert_memory_equal(back, "\xab\xcd", 2);
    assert_int_equal(pst_hex_decode(PST_STR("abc"), back, 2), -PST_EPARSE);
    assert_int_equal(pst_hex_decode(PST_STR("abcde"), back, 2), -PST_EPARSE);
    assert_int_equal(pst_hex_decode(PST_STR("abcg"), back, 2), -PST_EPARSE);
    assert_int_equal(pst_hex_decode(PST_STR("0x12"), back, 2), -PST_EPARSE);
}

static void test_format(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 4294967296, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < N(values); i++) {
        char text[PST_U64_TEXT_MAX], expected[32];
        size_t len = pst_u64_format(values[i], text);
        assert_int_equal(len, snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]));
        assert_memory_equal(text, expected, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64),    cmocka_unit_test(test_i64),       cmocka_unit_test(test_hex64),
        cmocka_unit_test(test_bytes),  cmocka_unit_test(test_durations), cmocka_unit_test(test_hex),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
