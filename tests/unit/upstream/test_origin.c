/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/upstream/origin.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct parse_case {
    const char *text;
    const char *host; /* NULL: refused */
    uint16_t port;
    const char *path;
    const char *authority;
};

static const struct parse_case parse_cases[] = {
    {"http://127.0.0.1:5000", "127.0.0.1", 5000, "", "127.0.0.1:5000"},
    {"http://127.0.0.1:5000/", "127.0.0.1", 5000, "", "127.0.0.1:5000"},
    {"HTTP://container", "container", 80, "", "container"},
    {"http://container:", "container", 80, "", "container"},
    {"http://[::1]:5000", "::1", 5000, "", "[::1]:5000"},
    {"http://[2001:db8::1]", "2001:db8::1", 80, "", "[2001:db8::1]"},
    {"unix:/run/c.sock", "", 0, "/run/c.sock", "localhost"},
    {"", NULL, 0, NULL, NULL},
    {"127.0.0.1:5000", NULL, 0, NULL, NULL},
    {"https://127.0.0.1:5000", NULL, 0, NULL, NULL},
    {"http://", NULL, 0, NULL, NULL},
    {"http:///", NULL, 0, NULL, NULL},
    {"http://h:0", NULL, 0, NULL, NULL},
    {"http://h:65536", NULL, 0, NULL, NULL},
    {"http://h:5000/base", NULL, 0, NULL, NULL},
    {"http://u@h:5000", NULL, 0, NULL, NULL},
    {"http://h h", NULL, 0, NULL, NULL},
    {"http://[::1", NULL, 0, NULL, NULL},
    {"unix:", NULL, 0, NULL, NULL},
    {"unix:relative", NULL, 0, NULL, NULL},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parse_cases) / sizeof(parse_cases[0]); i++) {
        const struct parse_case *c = &parse_cases[i];
        struct pst_upstream upstream;
        const char *reason = NULL;
        int err = pst_upstream_parse(pst_str_of(c->text), &upstream, &reason);
        if ((err == 0) != (c->host != NULL))
            fail_msg("%s: %d", c->text, err);
        if (c->host == NULL) {
            assert_int_equal(err, -PST_EPARSE);
            assert_non_null(reason);
            continue;
        }
        assert_string_equal(upstream.host, c->host);
        assert_int_equal(upstream.port, c->port);
        assert_string_equal(upstream.path, c->path);
        assert_string_equal(upstream.authority, c->authority);
        assert_int_equal(upstream.is_unix, c->path[0] != '\0');
    }
    char text[200] = "unix:/";
    memset(text + 6, 'a', 106);
    struct pst_upstream upstream;
    const char *reason;
    assert_int_equal(pst_upstream_parse((struct pst_str){text, 5 + 107}, &upstream, &reason), 0);
    text[5 + 107] = 'a';
    assert_int_equal(pst_upstream_parse((struct pst_str){text, 5 + 108}, &upstream, &reason), -PST_EPARSE);
}

static struct pst_origin *resolved(const char *text)
{
    struct pst_upstream upstream;
    struct pst_origin *origin;
    const char *reason;
    assert_int_equal(pst_upstream_parse(pst_str_of(text), &upstream, &reason), 0);
    assert_int_equal(pst_origin_resolve(&upstream, &origin), 0);
    return origin;
}

static void test_resolve(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"http://127.0.0.1:5000", "127.0.0.1:5000"},
        {"http://[::1]:81", "[::1]:81"},
        {"unix:/run/x.sock", "unix:/run/x.sock"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct pst_origin *origin = resolved(cases[i][0]);
        char text[PST_ORIGIN_TEXT_SIZE];
        socklen_t len;
        assert_int_equal(pst_origin_n_addresses(origin), 1);
        assert_int_equal(pst_origin_address_text(origin, 0, text), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
        assert_non_null(pst_origin_address(origin, 0, &len));
        assert_true(len > 0);
        pst_origin_unref(origin);
    }
    struct pst_upstream upstream = {.port = 1, .host = "no such name"};
    struct pst_origin *origin;
    assert_true(pst_origin_resolve(&upstream, &origin) < 0);
    origin = resolved("http://localhost:5000");
    assert_true(pst_origin_n_addresses(origin) >= 1);
    assert_true(pst_str_eq(pst_origin_authority(origin), PST_STR("localhost:5000")));
    pst_origin_unref(origin);
}

static void test_same(void **state)
{
    (void)state;
    struct pst_origin *a = resolved("http://127.0.0.1:5000");
    struct pst_origin *b = resolved("http://127.0.0.1:5000");
    struct pst_origin *c = resolved("http://127.0.0.1:5001");
    struct pst_origin *d = resolved("unix:/x");
    assert_true(pst_origin_same(a, b));
    assert_false(pst_origin_same(a, c));
    assert_false(pst_origin_same(a, d));
    assert_false(pst_origin_same(a, NULL));
    assert_true(pst_origin_same(NULL, NULL));
    pst_origin_unref(a);
    pst_origin_unref(b);
    pst_origin_unref(c);
    pst_origin_unref(d);
    pst_origin_unref(NULL);
}

static void test_new_refuses(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET};
    const struct sockaddr *addresses[PST_ORIGIN_ADDRESSES_MAX + 1];
    socklen_t lengths[PST_ORIGIN_ADDRESSES_MAX + 1];
    struct pst_origin *origin;
    for (size_t i = 0; i <= PST_ORIGIN_ADDRESSES_MAX; i++) {
        addresses[i] = (struct sockaddr *)&at;
        lengths[i] = sizeof(at);
    }
    assert_int_equal(pst_origin_new(PST_STR("h"), addresses, lengths, 0, &origin), -PST_EINVAL);
    assert_int_equal(pst_origin_new(PST_STR("h"), addresses, lengths, PST_ORIGIN_ADDRESSES_MAX + 1, &origin),
                     -PST_EINVAL);
    lengths[0] = 4096;
    assert_int_equal(pst_origin_new(PST_STR("h"), addresses, lengths, 1, &origin), -PST_EINVAL);
}

static void *hold_and_drop(void *arg)
{
    for (int i = 0; i < 10000; i++)
        pst_origin_unref(pst_origin_ref(arg));
    pst_origin_unref(arg);
    return NULL;
}

static void test_references_across_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct pst_origin *origin = resolved("http://127.0.0.1:5000");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, pst_origin_ref(origin)), 0);
    pst_origin_unref(origin);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_new_refuses),
        cmocka_unit_test(test_references_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
