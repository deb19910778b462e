/* SPDX-License-Identifier: Apache-2.0 */
/* The server name of a ClientHello, whole, in pieces, in several records, and what is none. */
#include "client_hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAME "a.cognitive.microsoft.com"
#define LEN  (sizeof(NAME) - 1)

static size_t put(unsigned char *at, size_t n, const void *data, size_t len)
{
    memcpy(at + n, data, len);
    return n + len;
}

/* Two bytes of random, session id, suites, compression; then one extension that is none of ours and the
 * name's. */
static size_t make_message(unsigned char *out, bool with_name)
{
    static const unsigned char other[] = {0, 10, 0, 2, 0, 29};
    static const unsigned char name_head[] = {0, 0, 0, LEN + 5, 0, LEN + 3, 0, 0, LEN};
    unsigned char body[600] = {3, 3};
    size_t extensions = sizeof(other) + (with_name ? sizeof(name_head) + LEN : 0);
    size_t n = put(body, 34, "\0\0\2\x13\1\1\0", 7);
    const unsigned char length[] = {0, (unsigned char)extensions};
    n = put(body, n, length, 2);
    n = put(body, n, other, sizeof(other));
    if (with_name)
        n = put(body, put(body, n, name_head, sizeof(name_head)), NAME, LEN);
    const unsigned char head[] = {1, 0, (unsigned char)(n >> 8), (unsigned char)n};
    return put(out, put(out, 0, head, 4), body, n);
}

/* In records of at most `size` bytes. */
static size_t wrap(const unsigned char *message, size_t len, size_t size, unsigned char *out)
{
    size_t n = 0;
    for (size_t at = 0; at < len; at += size) {
        size_t here = len - at < size ? len - at : size;
        const unsigned char head[] = {22, 3, 1, (unsigned char)(here >> 8), (unsigned char)here};
        n = put(out, put(out, n, head, 5), message + at, here);
    }
    return n;
}

/* In memory of exactly its length, so that a sanitizer sees every step outside. */
static enum client_hello read_exactly(const unsigned char *data, size_t len, char name[256])
{
    unsigned char *own = malloc(len + 1), *scratch = malloc(len + 1);
    struct pst_str found = {NULL, 0};
    assert_non_null(own);
    assert_non_null(scratch);
    memcpy(own + 1, data, len);
    enum client_hello got = client_hello_read(own + 1, len, scratch, &found);
    if (got == CLIENT_HELLO_NAME)
        pst_str_clip(found, name, 256);
    free(own);
    free(scratch);
    return got;
}

static void test_names(void **state)
{
    (void)state;
    static const size_t sizes[] = {16384, 100, 10, 1};
    unsigned char message[800], wire[8000];
    char name[256] = "";
    size_t len = make_message(message, true);
    for (size_t i = 0; i < 4; i++) {
        size_t n = wrap(message, len, sizes[i], wire);
        assert_int_equal(read_exactly(wire, n, name), CLIENT_HELLO_NAME);
        assert_string_equal(name, NAME);
        for (size_t cut = 0; cut < n; cut++)
            assert_int_equal(read_exactly(wire, cut, name), CLIENT_HELLO_MORE);
    }
    len = make_message(message, false);
    assert_int_equal(read_exactly(wire, wrap(message, len, 16384, wire), name), CLIENT_HELLO_NO_NAME);
}

static void test_others(void **state)
{
    (void)state;
    static const unsigned char http[] = "GET / HTTP/1.1\r\n\r\n", alert[] = {0x15, 3, 3, 0, 2, 1, 0};
    unsigned char message[800], wire[2000];
    char name[256];
    assert_int_equal(read_exactly(http, sizeof(http) - 1, name), CLIENT_HELLO_NONE);
    assert_int_equal(read_exactly(alert, sizeof(alert), name), CLIENT_HELLO_NONE);
    /* Every bit of a good one, turned: whatever comes out, nothing is read outside. */
    size_t n = wrap(message, make_message(message, true), 64, wire);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        wire[bit / 8] ^= (unsigned char)(1 << bit % 8);
        (void)read_exactly(wire, n, name);
        wire[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
