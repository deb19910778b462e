/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void test_empty(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 10);
    assert_int_equal(pst_buf_len(&buf), 0);
    assert_null(pst_buf_front(&buf));
    assert_int_equal(pst_buf_str(&buf).len, 0);
    assert_int_equal(pst_buf_add(&buf, NULL, 0), 0);
    assert_int_equal(pst_buf_add_str(&buf, (struct pst_str){NULL, 0}), 0);
    pst_buf_consume(&buf, 5);
    pst_buf_reset(&buf);
    assert_string_equal(pst_buf_cstr(&buf), "");
    assert_int_equal(pst_buf_len(&buf), 0);
    pst_buf_done(&buf);
    pst_buf_done(&buf);
    pst_buf_wipe(&buf);
}

static void test_bound(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 8);
    assert_int_equal(pst_buf_add(&buf, "1234", 4), 0);
    assert_int_equal(pst_buf_add(&buf, "56789", 5), -PST_ELIMIT);
    assert_true(pst_buf_failed(&buf));
    assert_null(pst_buf_cstr(&buf)); /* the mark is not lost on the way */
    assert_true(pst_str_eq(pst_buf_str(&buf), PST_STR("1234")));
    pst_buf_reset(&buf);
    assert_int_equal(pst_buf_add(&buf, "12345678", 8), 0);
    assert_string_equal(pst_buf_cstr(&buf), "12345678");
    assert_int_equal(pst_buf_add_char(&buf, '9'), -PST_ELIMIT);
    pst_buf_reset(&buf);
    assert_int_equal(pst_buf_reserve(&buf, SIZE_MAX), -PST_ELIMIT);
    assert_true(pst_buf_failed(&buf));
    pst_buf_done(&buf);
    assert_int_equal(pst_buf_add(&buf, "123456789", 9), -PST_ELIMIT); /* the bound outlives done() */
    pst_buf_done(&buf);
}

/* What was consumed is room again: a long stream passes through a small bound, and its bytes stay in order.
 */
static void test_stream(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 600);
    unsigned next_in = 0, next_out = 0;
    for (size_t round = 0; round < 2000; round++) {
        size_t add = round * 37 % 257, take = round * 53 % 301;
        for (size_t i = 0; i < add && pst_buf_len(&buf) < 600; i++)
            assert_int_equal(pst_buf_add_char(&buf, (char)(next_in++ % 251)), 0);
        for (size_t i = 0; i < take && pst_buf_len(&buf) > 0; i++) {
            assert_int_equal((unsigned char)pst_buf_front(&buf)[0], next_out++ % 251);
            pst_buf_consume(&buf, 1);
        }
    }
    assert_true(next_out > 100000);
    assert_int_equal(next_in - next_out, pst_buf_len(&buf));
    assert_true(buf.cap <= 1024);
    pst_buf_done(&buf);
}

static void test_growth_keeps_what_is_behind_the_front(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 10000);
    for (int i = 0; i < 100; i++)
        pst_buf_add_cstr(&buf, "ab");
    pst_buf_consume(&buf, 151);
    for (int i = 0; i < 2000; i++)
        pst_buf_add_cstr(&buf, "cd");
    assert_int_equal(pst_buf_len(&buf), 49 + 4000);
    assert_memory_equal(pst_buf_front(&buf), "babab", 5);
    assert_memory_equal(pst_buf_front(&buf) + 45, "ababcdcd", 8);
    pst_buf_consume(&buf, SIZE_MAX);
    assert_int_equal(pst_buf_len(&buf), 0);
    pst_buf_done(&buf);
}

static void test_appending(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 100);
    pst_buf_add_cstr(&buf, "a");
    pst_buf_add_str(&buf, PST_STR("bc"));
    pst_buf_add_char(&buf, '\0');
    pst_buf_add_u64(&buf, 0);
    pst_buf_add_u64(&buf, UINT64_MAX);
    pst_buf_printf(&buf, "[%s %03d]", "x", 7);
    assert_false(pst_buf_failed(&buf));
    assert_true(pst_str_eq(pst_buf_str(&buf), PST_STR("abc\0"
                                                      "018446744073709551615[x 007]")));
    pst_buf_reset(&buf);
    assert_int_equal(pst_buf_printf(&buf, "%0100d", 1), 0); /* to the last byte */
    pst_buf_reset(&buf);
    assert_int_equal(pst_buf_printf(&buf, "%0101d", 1), -PST_ELIMIT);
    assert_int_equal(pst_buf_len(&buf), 0);
    pst_buf_done(&buf);
}

static void test_json(void **state)
{
    (void)state;
    static const struct {
        struct pst_str in;
        const char *out;
    } cases[] = {
        {{NULL, 0}, ""},
        {PST_STR("plain /path?x=1"), "plain /path?x=1"},
        {PST_STR("\"\\\n\r\t"), "\\\"\\\\\\n\\r\\t"},
        {PST_STR("\0\x01\x1f\x7f"), "\\u0000\\u0001\\u001f\\u007f"},
        {PST_STR("\x1b[31mred"), "\\u001b[31mred"},
        {PST_STR("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {PST_STR("\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0"), "\\u0080\\u009b\\u009f\xC2\xA0"}, /* C1, then a space */
        {PST_STR("\xF4\x8F\xBF\xBF"), "\xF4\x8F\xBF\xBF"},
        {PST_STR("a\x80z"), "a\xEF\xBF\xBDz"},                             /* a lone continuation */
        {PST_STR("\xC3"), "\xEF\xBF\xBD"},                                 /* cut off */
        {PST_STR("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* cut off */
        {PST_STR("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* overlong '/' */
        {PST_STR("\xE0\x80\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* overlong */
        {PST_STR("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate */
        {PST_STR("\xF5\x80\x80\x80x"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx"},
        {PST_STR("\xC3\"\n"), "\xEF\xBF\xBD\\\"\\n"}, /* what follows a broken lead is still escaped */
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_buf buf;
        pst_buf_init(&buf, 100);
        assert_int_equal(pst_buf_add_json(&buf, cases[i].in), 0);
        assert_string_equal(pst_buf_cstr(&buf), cases[i].out);
        pst_buf_done(&buf);
    }
}

static void test_json_is_all_or_nothing(void **state)
{
    (void)state;
    struct pst_buf buf;
    pst_buf_init(&buf, 8);
    pst_buf_add_cstr(&buf, "xx");
    assert_int_equal(pst_buf_add_json(&buf, PST_STR("ab\x01z")), -PST_ELIMIT);
    assert_true(pst_buf_failed(&buf));
    assert_true(pst_str_eq(pst_buf_str(&buf), PST_STR("xx")));
    assert_int_equal(pst_buf_add_json(&buf, PST_STR("\x01")), 0); /* fits by itself; the mark stays */
    assert_true(pst_buf_failed(&buf));
    pst_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_growth_keeps_what_is_behind_the_front),
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
