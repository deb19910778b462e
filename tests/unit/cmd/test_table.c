/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static char *print(struct pst_table *table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    pst_table_print(table, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static struct pst_table *make(const char *const *columns, size_t n)
{
    struct pst_table *table = pst_table_new(columns, n);
    assert_non_null(table);
    return table;
}

static void test_columns_are_padded(void **state)
{
    (void)state;
    static const char *const columns[] = {"ID", ">REQUESTS", "NAME"};
    struct pst_table *table = make(columns, 3);
    pst_table_cell(table, "key_1");
    pst_table_cell_u64(table, 7);
    pst_table_cell(table, "a name longer than its heading");
    pst_table_cell(table, "k");
    pst_table_cell_u64(table, UINT64_MAX);
    pst_table_cell(table, "");
    char *text = print(table);
    assert_string_equal(text, "ID                 REQUESTS  NAME\n"
                              "key_1                     7  a name longer than its heading\n"
                              "k      18446744073709551615  \n");
    free(text);
}

static void test_last_column_to_the_right(void **state)
{
    (void)state;
    static const char *const columns[] = {"A", ">N"};
    struct pst_table *table = make(columns, 2);
    pst_table_cell(table, "x");
    pst_table_cell_u64(table, 100);
    char *text = print(table);
    assert_string_equal(text, "A    N\nx  100\n");
    free(text);
}

static void test_no_rows(void **state)
{
    (void)state;
    static const char *const columns[] = {"ONE", "TWO"};
    char *text = print(make(columns, 2));
    assert_string_equal(text, "ONE  TWO\n");
    free(text);
}

/* Characters count, not bytes; what a terminal would obey is shown as '?'. */
static void test_letters_and_controls(void **state)
{
    (void)state;
    static const struct {
        const char *cell, *shown;
    } cases[] = {
        {"abcd", "abcd  |"},
        {"\xC3\xA4\xE2\x82\xAC", "\xC3\xA4\xE2\x82\xAC    |"},
        {"\x1b[2J", "?[2J  |"},
        {"a\nb\r", "a?b?  |"},
        {"\x7f\t", "??    |"},
        {"\xC2\x9B", "?     |"},         /* U+009B, a control sequence in one character */
        {"\xC2\xA0x", "\xC2\xA0x    |"}, /* a space that does not break is none */
        {"\xC2", "\xC2     |"},          /* a broken end does not run over */
    };
    static const char *const columns[] = {"HEAD", "|"};
    for (size_t i = 0; i < N(cases); i++) {
        struct pst_table *table = make(columns, 2);
        pst_table_cell(table, cases[i].cell);
        pst_table_cell(table, "|");
        char *text = print(table);
        assert_memory_equal(text, "HEAD  |\n", 8);
        assert_memory_equal(text + 8, cases[i].shown, strlen(cases[i].shown));
        assert_string_equal(text + 8 + strlen(cases[i].shown), "\n");
        free(text);
    }
}

static void test_many_rows(void **state)
{
    (void)state;
    static const char *const columns[] = {">N", "TWICE", ">THRICE"};
    struct pst_table *table = make(columns, 3);
    for (unsigned i = 0; i < 5000; i++) {
        pst_table_cell_u64(table, i);
        pst_table_cell_u64(table, 2 * (uint64_t)i);
        pst_table_cell_u64(table, 3 * (uint64_t)i);
    }
    char *text = print(table), *line = text;
    for (int i = -1; i < 5000; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_int_equal(end - line, 4 + 2 + 5 + 2 + 6); /* every line as wide as the others */
        unsigned long long n = 0;
        if (i >= 0) {
            assert_int_equal(sscanf(line, "%llu", &n), 1);
            assert_int_equal(n, i);
        }
        line = end + 1;
    }
    assert_string_equal(line, "");
    free(text);
}

static void test_too_many_columns(void **state)
{
    (void)state;
    const char *columns[100];
    for (size_t i = 0; i < N(columns); i++)
        columns[i] = "C";
    assert_null(pst_table_new(columns, N(columns)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_padded),
        cmocka_unit_test(test_last_column_to_the_right),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_letters_and_controls),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_too_many_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
