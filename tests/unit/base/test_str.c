/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void test_equality(void **state)
{
    (void)state;
    static const struct {
        struct pst_str a, b;
        bool eq, ieq;
    } cases[] = {
        {PST_STR(""), PST_STR(""), true, true},
        {PST_STR(""), {NULL, 0}, true, true},
        {{NULL, 0}, {NULL, 0}, true, true},
        {PST_STR("a"), PST_STR(""), false, false},
        {PST_STR("Host"), PST_STR("Host"), true, true},
        {PST_STR("Host"), PST_STR("hOST"), false, true},
        {PST_STR("Host"), PST_STR("Hos"), false, false},
        {PST_STR("a@"), PST_STR("A`"), false, false}, /* '@' and '`' differ by the case bit only */
        {PST_STR("a["), PST_STR("A{"), false, false},
        {PST_STR("\xC3\xA4"), PST_STR("\xC3\x84"), false, false}, /* ASCII only */
        {PST_STR("a\0b"), PST_STR("A\0B"), false, true},
        {PST_STR("a\0b"), PST_STR("a\0c"), false, false},
    };
    for (size_t i = 0; i < N(cases); i++) {
        assert_int_equal(pst_str_eq(cases[i].a, cases[i].b), cases[i].eq);
        assert_int_equal(pst_str_eq(cases[i].b, cases[i].a), cases[i].eq);
        assert_int_equal(pst_str_ieq(cases[i].a, cases[i].b), cases[i].ieq);
    }
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    static const struct {
        struct pst_str s, part;
        bool starts, istarts, ends, iends;
    } cases[] = {
        {PST_STR("abc"), PST_STR(""), true, true, true, true},
        {{NULL, 0}, {NULL, 0}, true, true, true, true},
        {PST_STR("abc"), PST_STR("abc"), true, true, true, true},
        {PST_STR("abc"), PST_STR("ABC"), false, true, false, true},
        {PST_STR("abc"), PST_STR("ab"), true, true, false, false},
        {PST_STR("abc"), PST_STR("bc"), false, false, true, true},
        {PST_STR("abc"), PST_STR("BC"), false, false, false, true},
        {PST_STR("abc"), PST_STR("abcd"), false, false, false, false},
        {{NULL, 0}, PST_STR("a"), false, false, false, false},
    };
    for (size_t i = 0; i < N(cases); i++) {
        assert_int_equal(pst_str_starts(cases[i].s, cases[i].part), cases[i].starts);
        assert_int_equal(pst_str_istarts(cases[i].s, cases[i].part), cases[i].istarts);
        assert_int_equal(pst_str_ends(cases[i].s, cases[i].part), cases[i].ends);
        assert_int_equal(pst_str_iends(cases[i].s, cases[i].part), cases[i].iends);
    }
}

static void test_trim(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {" ", ""}, {" \t ", ""}, {"a", "a"}, {" a b\t", "a b"}, {"\ta", "a"}, {"a\r\n ", "a\r\n"},
    };
    for (size_t i = 0; i < N(cases); i++)
        assert_true(pst_str_eq(pst_str_trim(pst_str_of(cases[i][0])), pst_str_of(cases[i][1])));
    assert_int_equal(pst_str_trim((struct pst_str){NULL, 0}).len, 0);
}

static void test_strip(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},       {" \t\r\n\v\f", ""}, {"a", "a"},       {"\na b\r\n", "a b"},
        {" \n a", "a"}, {"a\t ", "a"},       {"a\nb", "a\nb"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(pst_str_eq(pst_str_strip(pst_str_of(cases[i][0])), pst_str_of(cases[i][1])));
        assert_true(pst_str_eq(pst_str_strip_file(pst_str_of(cases[i][0])), pst_str_of(cases[i][1])));
    }
    assert_true(pst_str_eq(pst_str_strip_file(PST_STR("\xEF\xBB\xBF \na\n")), PST_STR("a")));
    assert_true(pst_str_eq(pst_str_strip(PST_STR("\xEF\xBB\xBF")), PST_STR("\xEF\xBB\xBF")));
    assert_true(pst_str_eq(pst_str_strip(PST_STR("\0a\0")), PST_STR("\0a\0")));
    assert_int_equal(pst_str_strip_file((struct pst_str){NULL, 0}).len, 0);
}

static void test_cut(void **state)
{
    (void)state;
    static const struct {
        const char *s, *first, *rest; /* rest NULL: no separator */
    } cases[] = {
        {"a,b,c", "a", "b,c"}, {"a", "a", NULL}, {"", "", NULL},
        {",", "", ""},         {"a,", "a", ""},  {",a", "", "a"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_str rest;
        assert_true(pst_str_eq(pst_str_cut(pst_str_of(cases[i].s), ',', &rest), pst_str_of(cases[i].first)));
        assert_int_equal(rest.p == NULL, cases[i].rest == NULL);
        assert_true(pst_str_eq(rest, pst_str_of(cases[i].rest)));
    }
    struct pst_str rest = pst_str_of("x;y;z");
    size_t n = 0;
    while (rest.p != NULL && n < 10) {
        pst_str_cut(rest, ';', &rest);
        n++;
    }
    assert_int_equal(n, 3);
}

static void test_skip_and_find(void **state)
{
    (void)state;
    assert_true(pst_str_eq(pst_str_skip(PST_STR("abc"), 1), PST_STR("bc")));
    assert_int_equal(pst_str_skip(PST_STR("abc"), 3).len, 0);
    assert_int_equal(pst_str_skip(PST_STR("abc"), 99).len, 0);
    assert_null(pst_str_skip((struct pst_str){NULL, 0}, 5).p);
    assert_int_equal(pst_str_find(PST_STR("abcb"), 'b'), 1);
    assert_int_equal(pst_str_find(PST_STR("abc"), 'x'), -1);
    assert_int_equal(pst_str_find(PST_STR("a\0b"), 'b'), 2);
    assert_int_equal(pst_str_find((struct pst_str){NULL, 0}, 'a'), -1);
}

static void test_copy_and_clip(void **state)
{
    (void)state;
    char room[5] = "????";
    assert_int_equal(pst_str_copy(PST_STR("abcd"), room, sizeof(room)), 4);
    assert_string_equal(room, "abcd");
    assert_int_equal(pst_str_copy(PST_STR("abcde"), room, sizeof(room)), -PST_ELIMIT);
    assert_string_equal(room, "");
    assert_int_equal(pst_str_copy((struct pst_str){NULL, 0}, room, sizeof(room)), 0);
    assert_int_equal(pst_str_copy(PST_STR(""), room, 0), -PST_ELIMIT);
    assert_int_equal(pst_str_clip(PST_STR("abcdefg"), room, sizeof(room)), 4);
    assert_string_equal(room, "abcd");
    assert_int_equal(pst_str_clip(PST_STR("x"), room, 1), 0);
    assert_string_equal(room, "");
    assert_int_equal(pst_str_clip(PST_STR("x"), room, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality),      cmocka_unit_test(test_starts_and_ends),
        cmocka_unit_test(test_strip),         cmocka_unit_test(test_trim),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_skip_and_find),
        cmocka_unit_test(test_copy_and_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
