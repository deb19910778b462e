/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PUBLIC "https://ai.example:8443/gate"

/* NULL: stays as it is. The request's path is /formrecognizer/models/m:analyze. */
static const struct {
    const char *value, *rewritten;
} cases[] = {
    /* The container, as it was called and as it calls itself. */
    {"http://127.0.0.1:5000/a/b?c=d#e", PUBLIC "/a/b?c=d#e"},
    {"HTTP://LocalHost:5000/a", PUBLIC "/a"},
    {"https://localhost:5000/a", PUBLIC "/a"},
    {"http://[::1]:5000/a", PUBLIC "/a"},
    {"http://0.0.0.0:5000/a", PUBLIC "/a"},
    {"http://layout.svc:5000/a", PUBLIC "/a"},
    {"http://pod-7f9c/a", PUBLIC "/a"},
    {"http://pod-7f9c:5000/a", PUBLIC "/a"},
    {"http://read:80/a", PUBLIC "/a"},
    {"http://read/a", PUBLIC "/a"},
    {"http://127.0.0.1:5000", PUBLIC},
    {"http://127.0.0.1:5000?x=1", PUBLIC "?x=1"},
    {"//localhost:5000/a", PUBLIC "/a"},
    /* Relative ones. */
    {"/a?b", PUBLIC "/a?b"},
    {"/a:b", PUBLIC "/a:b"},
    {"results/1", PUBLIC "/formrecognizer/models/results/1"},
    {"?page=2", PUBLIC "/formrecognizer/models/m:analyze?page=2"},
    /* Others, and what only looks alike. */
    {"http://127.0.0.1/a", NULL},
    {"http://localhost:5001/a", NULL},
    {"http://read:81/a", NULL},
    {"https://read/a", NULL},
    {"https://elsewhere.example/a", NULL},
    {"http://localhost:5000@elsewhere.example/a", NULL},
    {"http://localhost:5000.elsewhere.example/a", NULL},
    {"http://user@localhost:5000/a", NULL},
    {"//elsewhere.example/a", NULL},
    {"http:/a", NULL},
    {"mailto:a@b", NULL},
    {"wss://localhost:5000/a", NULL},
    {"#top", NULL},
    {"", NULL},
};

static void test_rewrite(void **state)
{
    (void)state;
    char *names[] = {(char[]){"pod-7f9c"}, (char[]){"read:80"}};
    const struct pst_container_names container = {PST_STR("layout.svc:5000"), PST_STR("127.0.0.1:5000"),
                                                  names, 2};
    struct pst_public_base base;
    assert_int_equal(pst_public_base_parse(PST_STR(PUBLIC "/"), &base), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pst_buf out;
        pst_buf_init(&out, 4096);
        bool changed = pst_location_rewrite(pst_str_of(cases[i].value), &container, &base,
                                            PST_STR("/formrecognizer/models/m:analyze"), &out);
        if (changed != (cases[i].rewritten != NULL))
            fail_msg("%s: %s", cases[i].value, changed ? pst_buf_cstr(&out) : "not rewritten");
        if (changed)
            assert_string_equal(pst_buf_cstr(&out), cases[i].rewritten);
        else
            assert_int_equal(pst_buf_len(&out), 0);
        pst_buf_done(&out);
    }
}

static void test_fields(void **state)
{
    (void)state;
    static const char *const yes[] = {"Location", "content-location", "Operation-Location",
                                      "Azure-AsyncOperation"};
    static const char *const no[] = {"", "Locations", "X-Location", "Content-Encoding", "Date"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(pst_location_is_field(pst_str_of(yes[i])));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(pst_location_is_field(pst_str_of(no[i])));
}

static void test_public_url(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "ai.example",
                                      "ftp://ai.example",
                                      "https:/ai.example",
                                      "https://",
                                      "https://a@ai.example",
                                      "https://ai.example?x",
                                      "https://ai.example/a#b",
                                      "https://ai.example/a b",
                                      "https://ai.example/a\r\nX: y",
                                      "https://ai.example//a"};
    struct pst_public_base base;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pst_public_base_parse(pst_str_of(bad[i]), &base) != -PST_EPARSE)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(pst_public_base_parse(PST_STR("HTTPS://[::1]:8443//"), &base), 0);
    assert_true(pst_str_eq(base.scheme, PST_STR("https")));
    assert_true(pst_str_eq(base.authority, PST_STR("[::1]:8443")));
    assert_int_equal(base.prefix.len, 0);
}

static void test_base_of_request(void **state)
{
    (void)state;
    struct pst_field storage[4] = {{PST_STR("X-Forwarded-Host"), PST_STR("forged.example, ai.example")},
                                   {PST_STR("X-Forwarded-Proto"), PST_STR("https, http")},
                                   {PST_STR("X-Forwarded-Prefix"), PST_STR("/gate/")}};
    const struct pst_fields fields = {.at = storage, .n = 3, .cap = 4};
    struct pst_public_base base;
    assert_true(pst_public_base_of(&fields, PST_STR("own:8443"), false, &base));
    assert_true(pst_str_eq(base.authority, PST_STR("own:8443")));
    assert_true(pst_str_eq(base.scheme, PST_STR("https")));
    assert_int_equal(base.prefix.len, 0);
    assert_true(pst_public_base_of(&fields, PST_STR("own:8443"), true, &base));
    assert_true(pst_str_eq(base.authority, PST_STR("ai.example")));
    assert_true(pst_str_eq(base.scheme, PST_STR("http")));
    assert_true(pst_str_eq(base.prefix, PST_STR("/gate")));
    storage[0].value = PST_STR("a b");
    storage[2].value = PST_STR("//elsewhere.example");
    assert_true(pst_public_base_of(&fields, PST_STR("own:8443"), true, &base));
    assert_true(pst_str_eq(base.authority, PST_STR("own:8443")));
    assert_int_equal(base.prefix.len, 0);
    assert_false(pst_public_base_of(&fields, PST_STR(""), false, &base));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_public_url),
        cmocka_unit_test(test_base_of_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
