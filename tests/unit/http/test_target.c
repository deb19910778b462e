/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct parse_case {
    const char *raw;
    const char *method;
    enum pst_error_id error;
    const char *authority;
    const char *path;
    const char *query; /* NULL: no '?' */
};

#define BAD(raw, method, error)                                                                              \
    {                                                                                                        \
        raw, method, error, NULL, NULL, NULL                                                                 \
    }

static const struct parse_case parse_cases[] = {
    {"/", "GET", PST_ERROR_NONE, "", "/", NULL},
    {"/a/b%20c;v=1,2", "GET", PST_ERROR_NONE, "", "/a/b%20c;v=1,2", NULL},
    {"/a?", "GET", PST_ERROR_NONE, "", "/a", ""},
    {"/a?b=c?d=/e&f=%00", "GET", PST_ERROR_NONE, "", "/a", "b=c?d=/e&f=%00"},
    {"//host/x", "GET", PST_ERROR_NONE, "", "//host/x", NULL},
    {"/x?a={b}|\"<>^`\\", "GET", PST_ERROR_NONE, "", "/x", "a={b}|\"<>^`\\"},
    {"http://h/x?y", "GET", PST_ERROR_NONE, "h", "/x", "y"},
    {"HTTPS://h:8443/x", "GET", PST_ERROR_NONE, "h:8443", "/x", NULL},
    {"http://[::1]:5/x", "GET", PST_ERROR_NONE, "[::1]:5", "/x", NULL},
    {"http://h", "GET", PST_ERROR_NONE, "h", "/", NULL},
    {"http://h", "OPTIONS", PST_ERROR_NONE, "h", "*", NULL},
    {"http://h?q", "OPTIONS", PST_ERROR_NONE, "h", "/", "q"},
    {"http://h:?q", "GET", PST_ERROR_NONE, "h:", "/", "q"},
    {"*", "OPTIONS", PST_ERROR_NONE, "", "*", NULL},
    BAD("*", "GET", PST_ERROR_TARGET_FORM),
    BAD("**", "OPTIONS", PST_ERROR_TARGET_FORM),
    BAD("", "GET", PST_ERROR_TARGET_FORM),
    BAD("a", "GET", PST_ERROR_TARGET_FORM),
    BAD("?a", "GET", PST_ERROR_TARGET_FORM),
    BAD("h:443", "CONNECT", PST_ERROR_TARGET_FORM),
    BAD("ftp://h/", "GET", PST_ERROR_TARGET_FORM),
    BAD("http:///x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://user@h/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://user:pw@h/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://h:99999/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://h:1x/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://[::1/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("http://[::1]x/", "GET", PST_ERROR_TARGET_FORM),
    BAD("http:/x", "GET", PST_ERROR_TARGET_FORM),
    BAD("/a#b", "GET", PST_ERROR_TARGET),
    BAD("/a b", "GET", PST_ERROR_TARGET),
    BAD("/a\tb", "GET", PST_ERROR_TARGET),
    BAD("/a\r\nX: y", "GET", PST_ERROR_TARGET),
    BAD("/a\x7f", "GET", PST_ERROR_TARGET),
    BAD("/\xc3\xa4", "GET", PST_ERROR_TARGET),
    BAD("/a\\b", "GET", PST_ERROR_TARGET),
    BAD("/a%", "GET", PST_ERROR_TARGET_ESCAPE),
    BAD("/a%2", "GET", PST_ERROR_TARGET_ESCAPE),
    BAD("/a%2g", "GET", PST_ERROR_TARGET_ESCAPE),
    BAD("/a%00", "GET", PST_ERROR_TARGET_ESCAPE),
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
        const struct parse_case *c = &parse_cases[i];
        struct pst_target target;
        enum pst_error_id error = pst_target_parse(pst_str_of(c->raw), pst_str_of(c->method), &target);
        if (error != c->error)
            fail_msg("%s %s: error %d, not %d", c->method, c->raw, (int)error, (int)c->error);
        if (error != PST_ERROR_NONE)
            continue;
        assert_true(pst_str_eq(target.authority, pst_str_of(c->authority)));
        assert_true(pst_str_eq(target.path, pst_str_of(c->path)));
        assert_int_equal(target.has_query, c->query != NULL);
        assert_true(pst_str_eq(target.query, pst_str_of(c->query)));
    }
    struct pst_target target;
    assert_int_equal(pst_target_parse((struct pst_str){"/a\0b", 4}, PST_STR("GET"), &target),
                     PST_ERROR_TARGET);
}

/* A '%' that begins no escape: browsers send it in a query as it is. */
static void test_loose_query(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        bool loose;
    } queries[] = {
        {"/", false},      {"/?", false},    {"/?b=100%25", false}, {"/?b=%00", false}, {"/?b=100%", true},
        {"/?b=%zz", true}, {"/?b=%2", true}, {"/?100%&a=b", true},  {"/?%%41", true},
    };
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        struct pst_target target;
        assert_int_equal(pst_target_parse(pst_str_of(queries[i].raw), PST_STR("GET"), &target), 0);
        if (target.query_is_loose != queries[i].loose)
            fail_msg("%s", queries[i].raw);
    }
}

static void test_every_byte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char raw[3] = {'/', (char)byte, 'x'};
        struct pst_target target;
        bool good = pst_target_parse((struct pst_str){raw, 3}, PST_STR("GET"), &target) == PST_ERROR_NONE;
        assert_int_equal(good, byte > ' ' && byte < 0x7F && byte != '#' && byte != '%' && byte != '\\');
    }
}

static void test_authority(void **state)
{
    (void)state;
    static const char *const good[] = {
        "h", "h:1", "127.0.0.1:5000", "[::1]", "a_b-c", "[fe80::1]:80", "h:", "[::ffff:1.2.3.4]:65535"};
    static const char *const bad[] = {"",    ":80", "h:65536", "h:-1",  "h:+1",    "h:8 ",
                                      "h h", "h,i", "[]",      "[::",   "[::1]80", "a@b",
                                      "a/b", "a?b", "h:1:2",   "\"h\"", "[zz]",    "h\\i"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(pst_authority_is_valid(pst_str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        /* A comma may stand in a registered name by RFC 3986. */
        if (strcmp(bad[i], "h,i") != 0 && pst_authority_is_valid(pst_str_of(bad[i])))
            fail_msg("%s is not an authority", bad[i]);
    }
}

static enum pst_error_id host_of(const char *raw, const char *host1, const char *host2, bool http_1_0,
                                 struct pst_str *ret_host)
{
    struct pst_field storage[2];
    struct pst_fields fields;
    struct pst_target target;
    pst_fields_init(&fields, storage, 2);
    if (host1 != NULL)
        assert_int_equal(pst_fields_add(&fields, PST_STR("Host"), pst_str_of(host1)), 0);
    if (host2 != NULL)
        assert_int_equal(pst_fields_add(&fields, PST_STR("hOST"), pst_str_of(host2)), 0);
    assert_int_equal(pst_target_parse(pst_str_of(raw), PST_STR("GET"), &target), 0);
    return pst_target_host(&target, &fields, http_1_0, ret_host);
}

static void test_host(void **state)
{
    (void)state;
    struct pst_str host;
    assert_int_equal(host_of("/", "h:1", NULL, false, &host), PST_ERROR_NONE);
    assert_true(pst_str_eq(host, PST_STR("h:1")));
    assert_int_equal(host_of("http://a/", "h", NULL, false, &host), PST_ERROR_NONE);
    assert_true(pst_str_eq(host, PST_STR("a")));
    assert_int_equal(host_of("/", NULL, NULL, true, &host), PST_ERROR_NONE);
    assert_int_equal(host.len, 0);
    assert_int_equal(host_of("/", NULL, NULL, false, &host), PST_ERROR_HOST);
    assert_int_equal(host_of("http://a/", NULL, NULL, false, &host), PST_ERROR_HOST);
    assert_int_equal(host_of("/", "h", "h", false, &host), PST_ERROR_HOST);
    assert_int_equal(host_of("/", "h/x", NULL, false, &host), PST_ERROR_HOST);
    assert_int_equal(host_of("/", "u@h", NULL, false, &host), PST_ERROR_HOST);
    assert_int_equal(host_of("/", "", NULL, true, &host), PST_ERROR_HOST);
}

struct remove_case {
    const char *raw;
    const char *after;
    int n;
};

static const struct remove_case remove_cases[] = {
    {"/a", "/a", 0},
    {"/a?", "/a?", 0},
    {"/a?b=c", "/a?b=c", 0},
    {"/a?key=1", "/a", 1},
    {"/a?key", "/a", 1},
    {"/a?KEY=1&b=2", "/a?b=2", 1},
    {"/a?b=2&Key=1", "/a?b=2", 1},
    {"/a?b=%41&k%65y=1&c=+%2b", "/a?b=%41&c=+%2b", 1},
    {"/a?key=1&key=2", "/a", 2},
    {"/a?b&key=1&&c=&Subscription-Key=3&", "/a?b&&c=&", 2},
    {"/a?keys=1&akey=2&key%20=3", "/a?keys=1&akey=2&key%20=3", 0},
    {"/a?b=key=1", "/a?b=key=1", 0},
    {"/a?%4b%45%59=x&%73ubscription%2dkey=y", "/a", 2},
    {"/a?key=a?b=/c", "/a", 1},
};

static void test_remove_params(void **state)
{
    (void)state;
    const struct pst_str names[] = {PST_STR("key"), PST_STR("subscription-key")};
    for (size_t i = 0; i < sizeof(remove_cases) / sizeof(remove_cases[0]); i++) {
        const struct remove_case *c = &remove_cases[i];
        struct pst_arena arena;
        struct pst_target target;
        char text[128];
        pst_arena_init(&arena, 256, 4096);
        assert_int_equal(pst_target_parse(pst_str_of(c->raw), PST_STR("GET"), &target), 0);
        assert_int_equal(pst_target_remove_params(&target, names, 2, &arena), c->n);
        size_t len = pst_str_clip(target.path, text, sizeof(text));
        if (target.has_query) {
            text[len++] = '?';
            pst_str_clip(target.query, text + len, sizeof(text) - len);
        }
        assert_string_equal(text, c->after);
        pst_arena_done(&arena);
    }
}

static void test_remove_without_memory(void **state)
{
    (void)state;
    const struct pst_str names[] = {PST_STR("key")};
    struct pst_arena arena;
    struct pst_target target;
    pst_arena_init(&arena, 16, 0);
    assert_int_equal(pst_target_parse(PST_STR("/a?key=1&b=2"), PST_STR("GET"), &target), 0);
    assert_int_equal(pst_target_remove_params(&target, names, 1, &arena), -PST_ENOMEM);
    assert_true(pst_str_eq(target.query, PST_STR("key=1&b=2")));
}

static void test_find_param(void **state)
{
    (void)state;
    struct pst_query_param param;
    assert_true(pst_query_find(PST_STR("a=1&K%65y=x%20y=z&key=2"), PST_STR("key"), &param));
    assert_true(pst_str_eq(param.value, PST_STR("x%20y=z")));
    assert_true(pst_str_eq(param.whole, PST_STR("K%65y=x%20y=z")));
    assert_false(pst_query_find(PST_STR("a=key"), PST_STR("key"), &param));
    assert_false(pst_query_find(PST_STR(""), PST_STR("key"), &param));
    assert_false(pst_query_name_is(PST_STR("ke%7"), PST_STR("key")));
}

static void test_decode(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(pst_percent_decode(PST_STR("a%20+b"), true, text, sizeof(text)), 4);
    assert_string_equal(text, "a  b");
    assert_int_equal(pst_percent_decode(PST_STR("a+b"), false, text, sizeof(text)), 3);
    assert_string_equal(text, "a+b");
    assert_int_equal(pst_percent_decode(PST_STR("%fF"), false, text, sizeof(text)), 1);
    assert_int_equal((unsigned char)text[0], 0xFF);
    assert_int_equal(pst_percent_decode(PST_STR("1234567"), false, text, sizeof(text)), 7);
    assert_int_equal(pst_percent_decode(PST_STR("12345678"), false, text, sizeof(text)), -PST_ELIMIT);
    assert_int_equal(pst_percent_decode(PST_STR("%4"), false, text, sizeof(text)), -PST_EPARSE);
    assert_int_equal(pst_percent_decode(PST_STR(""), false, text, sizeof(text)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_loose_query),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_remove_params),
        cmocka_unit_test(test_remove_without_memory),
        cmocka_unit_test(test_find_param),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
