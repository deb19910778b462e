/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What follows the size's digits. `n`: the length of the line that begins it, 0: more must come, -1:
 * malformed. */
static const struct {
    const char *line;
    int n;
} cases[] = {
    {";a\r\n", 4},
    {";a=b\r\nabc", 6},
    {" ;a\r\n", 5},
    {"\t; a = b\r\n", 10},
    {";a;b;c=d;e=\"f\"\r\n", 16},
    {";a=\"b;c\"\r\n", 10},
    {";a=\"\"\r\n", 7},
    {";a=\"b\\\"c\\\\\"\r\n", 13},
    {";a=\"\\\xff \t\xff\"\r\n", 12},
    {";a\r\n\r\n", 4},
    /* Not whole yet. */
    {"", 0},
    {";", 0},
    {" ", 0},
    {";a", 0},
    {";a ", 0},
    {";a=", 0},
    {";a=\"b", 0},
    {";a=\"b\\", 0},
    {";a=b\r", 0},
    /* Malformed. */
    {";\r\n", -1},
    {" \r\n", -1},
    {";;a\r\n", -1},
    {";a;\r\n", -1},
    {";a \r\n", -1},
    {";a=\r\n", -1},
    {";a=b c\r\n", -1},
    {";a=b=c\r\n", -1},
    {";=b\r\n", -1},
    {";a\n", -1},
    {";a\rX", -1},
    {";a\r\r\n", -1},
    {";a=\"b\r\n", -1},
    {";a=\"b\n\"\r\n", -1},
    {";a=\"b\\\r\n\"\r\n", -1},
    {";a=\"b\"c\r\n", -1},
    {";a=\"\x01\"\r\n", -1},
    {";a=\"\x7f\"\r\n", -1},
    {";\xff\r\n", -1},
    {"x", -1},
    {"\n", -1},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t seen = 0;
        ssize_t n = pst_chunk_extensions(cases[i].line, strlen(cases[i].line), &seen);
        if (n != cases[i].n || seen != (n > 0 ? (size_t)n : 0))
            fail_msg("\"%s\" (%zu): %zd", cases[i].line, i, n);
    }
    size_t seen = 0;
    assert_int_equal(pst_chunk_extensions(";a=\0b\r\n", 7, &seen), -1);
    assert_int_equal(pst_chunk_extensions(";a\0\r\n", 5, &seen), -1);
    assert_int_equal(pst_chunk_extensions("\0", 1, &seen), -1);
}

/* However the bytes come, the result is the same: a line that is found malformed is so early or late. */
static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].line);
        ssize_t n = 0;
        for (size_t have = 0; have <= len && n == 0; have++) {
            size_t seen = 0;
            n = pst_chunk_extensions(cases[i].line, have, &seen);
        }
        if (n != cases[i].n)
            fail_msg("\"%s\" in pieces: %zd", cases[i].line, n);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    char line[PST_CHUNK_LINE_MAX + 8];
    size_t seen = 0;
    memset(line, 'a', sizeof(line));
    line[0] = ';';
    assert_int_equal(pst_chunk_extensions(line, PST_CHUNK_LINE_MAX - 1, &seen), 0);
    assert_int_equal(pst_chunk_extensions(line, PST_CHUNK_LINE_MAX, &seen), -1);
    memcpy(line + PST_CHUNK_LINE_MAX - 2, "\r\n", 2);
    for (size_t i = 1; i <= PST_CHUNK_EXTENSIONS_MAX / PST_CHUNK_LINE_MAX; i++) {
        assert_int_equal(pst_chunk_extensions(line, sizeof(line), &seen), PST_CHUNK_LINE_MAX);
        assert_int_equal(seen, i * PST_CHUNK_LINE_MAX);
    }
    assert_int_equal(pst_chunk_extensions(";a\r\n", 4, &seen), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
