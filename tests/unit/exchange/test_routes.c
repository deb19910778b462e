/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/exchange/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct pst_route rest = {.certificate = PST_CERTIFICATE_OPTIONAL};

static struct pst_routes *parse(const char *const *texts, size_t n)
{
    static char copies[4][128];
    char *items[4];
    struct pst_routes *routes = NULL;
    struct pst_why why = {.text = ""};
    for (size_t i = 0; i < n; i++) {
        strcpy(copies[i], texts[i]);
        items[i] = copies[i];
    }
    if (pst_routes_parse(items, n, &rest, &routes, &why) < 0)
        fail_msg("%s", why.text);
    return routes;
}

static const struct {
    const char *path;
    int rule; /* -1: none, -2: unclear */
} paths[] = {
    {"/speech", 0},
    {"/speech/", 0},
    {"/speech/recognition/v1", 0},
    {"/SPEECH/x", 0},
    {"/%73peech/x", 0},
    {"/%53peech", 0},
    {"/speechless", -1},
    {"/", -1},
    {"/spee", -1},
    {"/text/analytics", 1},
    {"/text/analytics/v3.1", 1},
    {"/text/analyticsx", -1},
    {"/text%2fanalytics", -2},
    {"//speech", -2},
    {"/x/../speech", -2},
    {"/x/%2e%2e/speech", -2},
    {"/speech/./x", -2},
    {"/a\\speech", -2},
    {"/speech%00", -2},
    {"/speech;a", -2},
    {"/speech;a/x", -2},
    {"/speech%3ba/x", -2},
    {"/;/speech/x", -2},
    {"/a/..;/speech/x", -2},
    {"/%2573peech", -2},
    {"/%c5%bfpeech", -2},
};

static void test_find(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "/speech client_certificate=required credentials=both",
        "/text/analytics/  credentials=key   websocket_refusal=http",
    };
    struct pst_routes *routes = parse(texts, 2);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bool unclear;
        const struct pst_route *route = pst_routes_find(routes, pst_str_of(paths[i].path), &unclear);
        int found = unclear                                               ? -2
                    : pst_str_eq(route->path, PST_STR("/speech"))         ? 0
                    : pst_str_eq(route->path, PST_STR("/text/analytics")) ? 1
                                                                          : -1;
        if (found != paths[i].rule)
            fail_msg("%s: %d, wanted %d", paths[i].path, found, paths[i].rule);
    }
    pst_routes_free(routes);
}

static void test_values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "/a client_certificate=required credentials=both",
        "/b credentials=key websocket_refusal=http",
        "/ client_certificate=off websocket_refusal=close credentials=certificate",
    };
    struct pst_routes *routes = parse(texts, 3);
    bool unclear;
    const struct pst_route *a = pst_routes_find(routes, PST_STR("/a/x"), &unclear);
    assert_int_equal(a->certificate, PST_CERTIFICATE_REQUIRED);
    assert_int_equal(a->credentials, PST_CREDENTIALS_BOTH);
    assert_int_equal(a->websocket_refusal, PST_REFUSAL_AUTO);
    const struct pst_route *b = pst_routes_find(routes, PST_STR("/b"), &unclear);
    assert_int_equal(b->certificate, PST_CERTIFICATE_OPTIONAL); /* as everywhere */
    assert_int_equal(b->credentials, PST_CREDENTIALS_KEY);
    assert_int_equal(b->websocket_refusal, PST_REFUSAL_HTTP);
    const struct pst_route *all = pst_routes_find(routes, PST_STR("/"), &unclear);
    assert_int_equal(all->certificate, PST_CERTIFICATE_OFF);
    assert_int_equal(all->credentials, PST_CREDENTIALS_CERTIFICATE);
    assert_int_equal(all->websocket_refusal, PST_REFUSAL_CLOSE);
    assert_true(pst_routes_need_certificates(routes));
    pst_routes_free(routes);
}

/* Without rules no path is unclear: nothing depends on how it is read. */
static void test_none(void **state)
{
    (void)state;
    struct pst_routes *routes = parse(NULL, 0);
    bool unclear = true;
    const struct pst_route *route = pst_routes_find(routes, PST_STR("/a//b/../c"), &unclear);
    assert_false(unclear);
    assert_int_equal(route->certificate, PST_CERTIFICATE_OPTIONAL);
    assert_false(pst_routes_need_certificates(routes));
    pst_routes_free(routes);
}

static const struct {
    const char *item;
    const char *says;
} wrong[] = {
    {"speech credentials=key", "is not a path"},
    {"/speech/* credentials=key", "is not a path"},
    {"/a//b credentials=key", "is not a path"},
    {"/a;b credentials=key", "is not a path"},
    {"/a%20b credentials=key", "is not a path"},
    {"/a?b credentials=key", "is not a path"},
    {"", "is not a path"},
    {"/speech", "the route has no options"},
    {"/speech   ", "the route has no options"},
    {"/speech credentials=keys", "any, key, certificate, both"},
    {"/speech client_certificate=", "off, optional, required"},
    {"/speech websocket_refusal=never", "auto, http, close"},
    {"/speech limit=3", "\"limit=3\" is not valid; use"},
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[128];
        char *item = strcpy(text, wrong[i].item);
        struct pst_routes *routes = NULL;
        struct pst_why why = {.text = ""};
        assert_int_equal(pst_routes_parse(&item, 1, &rest, &routes, &why), -PST_EPARSE);
        if (strstr(why.text, wrong[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", why.text, wrong[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
