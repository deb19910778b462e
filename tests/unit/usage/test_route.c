/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/record.h"
#include "postern/usage/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *path;
    const char *route;
} routes[] = {
    {"/", "/"},
    {"", ""},
    {"/text/analytics/v3.1/languages", "/text/analytics/v3.1/languages"},
    {"/jobs/3f2a8c1e-0b1d-4c2a-9f00-0123456789ab/result", "/jobs/{id}/result"},
    {"/jobs/00000000-aaaa-4bbb-8ccc-0123456789ab", "/jobs/{id}"},
    {"/a/0123456789abcdef", "/a/{id}"},
    {"/a/123456/b", "/a/{id}/b"},
    {"/a/12345/b", "/a/12345/b"},
    {"/formrecognizer/documentModels/prebuilt-read", "/formrecognizer/documentModels/prebuilt-read"},
    {"/v3.2/read", "/v3.2/read"},
    {"//a//", "//a//"},
    {"/sp ace/\x01\xff", "/sp%20ace/%01%FF"},
};

static void test_templates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        char route[PST_ROUTE_SIZE];
        size_t len = pst_route_of(pst_str_of(routes[i].path), route);
        assert_string_equal(route, routes[i].route);
        assert_int_equal(len, strlen(route));
    }
}

static void test_a_template_is_bounded(void **state)
{
    (void)state;
    char path[4096], route[PST_ROUTE_SIZE];
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 20 == 0 ? '/' : 'x';
    size_t len = pst_route_of((struct pst_str){path, sizeof(path)}, route);
    assert_true(len < PST_ROUTE_SIZE);
    memset(path, 'y', sizeof(path));
    pst_route_of((struct pst_str){path, sizeof(path)}, route);
    assert_string_equal(route, PST_ROUTE_ID); /* one long segment */
}

static void test_a_record_never_holds_a_query(void **state)
{
    (void)state;
    struct pst_usage_record record = {0};
    pst_usage_set_path(&record, PST_STR("/a?Subscription-Key=0123"));
    assert_int_equal(record.path_len, 2);
    char path[400];
    memset(path, 'p', sizeof(path));
    pst_usage_set_path(&record, (struct pst_str){path, sizeof(path)});
    assert_int_equal(record.path_len, PST_USAGE_PATH_SIZE);
    assert_int_equal(record.flags & PST_USAGE_PATH_CUT, PST_USAGE_PATH_CUT);
    assert_int_equal(pst_usage_method_of(PST_STR("PATCH")), PST_USAGE_PATCH);
    assert_int_equal(pst_usage_method_of(PST_STR("get")), PST_USAGE_OTHER);
    assert_string_equal(pst_usage_end_text(99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_a_template_is_bounded),
        cmocka_unit_test(test_a_record_never_holds_a_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
