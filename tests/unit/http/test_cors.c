/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const good[] = {
    "*",
    "https://app.example",
    "http://localhost:8080",
    "https://*.app.example",
    "https://*.app.example:8443",
    "http://[::1]:3000",
    "https://[2001:db8::1]",
    "http://127.0.0.1",
};
static const char *const bad[] = {
    "",
    "app.example",
    "https://",
    "https://App.example",
    "https://app.example/",
    "https://app.example:443",
    "http://app.example:80",
    "https://app.example:",
    "https://app.example:0",
    "https://app.example:99999x",
    "https://*",
    "https://a.*.example",
    "https://*.*.example",
    "null",
    "ftp://app.example",
    "https://a b",
    "https://user@app.example",
    "https://.app.example",
    "https://[::1",
    "**",
};

static void test_patterns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (pst_cors_origin_check(pst_str_of(good[i])) != 0)
            fail_msg("\"%s\" was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pst_cors_origin_check(pst_str_of(bad[i])) != -PST_EPARSE)
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static const struct {
    const char *pattern, *origin;
    bool allowed;
} origins[] = {
    {"*", "https://anything.example", true},
    {"*", "null", true},
    {"https://app.example", "https://app.example", true},
    {"https://app.example", "http://app.example", false},
    {"https://app.example", "https://app.example:8443", false},
    {"https://app.example", "https://app.example.evil.example", false},
    {"https://app.example", "https://evilapp.example", false},
    {"https://app.example", "null", false},
    {"https://app.example", "HTTPS://app.example", false},
    {"https://*.app.example", "https://a.app.example", true},
    {"https://*.app.example", "https://a.b.app.example", true},
    {"https://*.app.example", "https://app.example", false},
    {"https://*.app.example", "https://.app.example", false},
    {"https://*.app.example", "https://evilapp.example", false},
    {"https://*.app.example", "https://a..app.example", false},
    {"https://*.app.example", "http://a.app.example", false},
    {"https://*.app.example", "https://evil.example/.app.example", false},
    {"https://*.app.example", "https://evil.example:80.app.example", false},
    {"https://*.app.example", "https://evil@a.app.example", false},
    {"https://*.app.example:8443", "https://a.app.example:8443", true},
    {"https://*.app.example:8443", "https://a.app.example", false},
};

static void test_origins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        const struct pst_str pattern = pst_str_of(origins[i].pattern);
        const struct pst_cors cors = {.origins = &pattern, .n_origins = 1};
        if (pst_cors_allows(&cors, pst_str_of(origins[i].origin)) != origins[i].allowed)
            fail_msg("%s of %s", origins[i].origin, origins[i].pattern);
    }
}

static const char *value(const struct pst_field *fields, size_t n, const char *name)
{
    static char text[256];
    for (size_t i = 0; i < n; i++) {
        if (pst_str_ieq(fields[i].name, pst_str_of(name))) {
            assert_true(pst_str_copy(fields[i].value, text, sizeof(text)) >= 0);
            return text;
        }
    }
    return NULL;
}

static void test_fields(void **state)
{
    (void)state;
    const struct pst_str one[] = {PST_STR("https://a.example"), PST_STR("*")};
    struct pst_cors cors = {.origins = one, .n_origins = 1, .expose = PST_STR("Retry-After")};
    struct pst_field fields[PST_CORS_FIELDS_MAX];
    size_t n = pst_cors_fields(&cors, PST_STR("https://a.example"), fields);
    assert_string_equal(value(fields, n, "access-control-allow-origin"), "https://a.example");
    assert_string_equal(value(fields, n, "access-control-expose-headers"), "Retry-After");
    assert_string_equal(value(fields, n, "vary"), "Origin");
    assert_null(value(fields, n, "access-control-allow-credentials"));

    /* Nothing for a page that may not, but caches are told that another may. */
    n = pst_cors_fields(&cors, PST_STR(""), fields);
    assert_int_equal(n, 1);
    assert_string_equal(value(fields, n, "vary"), "Origin");

    cors.n_origins = 2;
    n = pst_cors_fields(&cors, PST_STR("https://b.example"), fields);
    assert_string_equal(value(fields, n, "access-control-allow-origin"), "*");
    assert_null(value(fields, n, "vary"));

    cors.credentials = true; /* "*" would not count then */
    n = pst_cors_fields(&cors, PST_STR("https://b.example"), fields);
    assert_int_equal(n, PST_CORS_FIELDS_MAX);
    assert_string_equal(value(fields, n, "access-control-allow-origin"), "https://b.example");
    assert_string_equal(value(fields, n, "access-control-allow-credentials"), "true");
}

static void test_preflight(void **state)
{
    (void)state;
    struct pst_field storage[4], fields[PST_CORS_PREFLIGHT_FIELDS_MAX];
    struct pst_fields request;
    pst_fields_init(&request, storage, 4);
    assert_int_equal(pst_fields_add(&request, PST_STR("Origin"), PST_STR("https://a.example")), 0);
    assert_false(pst_cors_is_preflight(PST_STR("OPTIONS"), &request));
    assert_int_equal(pst_fields_add(&request, PST_STR("Access-Control-Request-Method"), PST_STR("POST")), 0);
    assert_true(pst_cors_is_preflight(PST_STR("OPTIONS"), &request));
    assert_false(pst_cors_is_preflight(PST_STR("GET"), &request));
    assert_int_equal(pst_fields_add(&request, PST_STR("Access-Control-Request-Headers"),
                                    PST_STR("authorization, content-type")),
                     0);

    struct pst_cors cors = {.methods = PST_STR("GET, POST"), .max_age = PST_STR("3600")};
    size_t n = pst_cors_preflight_fields(&cors, &request, fields);
    assert_string_equal(value(fields, n, "access-control-allow-methods"), "GET, POST");
    assert_string_equal(value(fields, n, "access-control-allow-headers"), "authorization, content-type");
    assert_string_equal(value(fields, n, "access-control-max-age"), "3600");
    assert_string_equal(value(fields, n, "vary"), "Access-Control-Request-Headers");

    cors.headers = PST_STR("X-A");
    n = pst_cors_preflight_fields(&cors, &request, fields);
    assert_string_equal(value(fields, n, "access-control-allow-headers"), "X-A");
    assert_null(value(fields, n, "vary"));

    /* What is no list of names is not given back. */
    storage[2].value = PST_STR("content-type, a b");
    cors.headers = PST_STR("");
    n = pst_cors_preflight_fields(&cors, &request, fields);
    assert_null(value(fields, n, "access-control-allow-headers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_preflight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
