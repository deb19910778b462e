/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/next_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Puts <…> around what it is asked about; a value with "keep" in it stays. */
static bool mark(void *arg, struct pst_str quoted, struct pst_buf *out)
{
    size_t *n = arg;
    (*n)++;
    if (quoted.len >= 5 && memcmp(quoted.p + 1, "keep", 4) == 0)
        return false;
    pst_buf_add(out, "<", 1);
    pst_buf_add_str(out, quoted);
    pst_buf_add(out, ">", 1);
    return true;
}

static const struct {
    const char *in, *out;
} cases[] = {
    {"", ""},
    {"{}", "{}"},
    {"{\"nextLink\":\"a\"}", "{\"nextLink\":<\"a\">}"},
    {"{\"@nextLink\" :\n \"a\", \"b\":1}", "{\"@nextLink\" :\n <\"a\">, \"b\":1}"},
    {"{\"@odata.nextLink\":\"a\"}", "{\"@odata.nextLink\":<\"a\">}"},
    {"{\"x\":{\"nextLink\":\"a\"},\"nextLink\":\"b\"}",
     "{\"x\":{\"nextLink\":<\"a\">},\"nextLink\":<\"b\">}"},
    {"{\"nextLink\":\"a\\\"b\\\\\"}", "{\"nextLink\":<\"a\\\"b\\\\\">}"},
    {"{\"nextLink\":\"keep it\"}", "{\"nextLink\":\"keep it\"}"},
    {"{\"nextLink\":null}", "{\"nextLink\":null}"},
    {"{\"nextLink\":[\"a\"]}", "{\"nextLink\":[\"a\"]}"},
    {"{\"nextLinks\":\"a\"}", "{\"nextLinks\":\"a\"}"},
    {"{\"xnextLink\":\"a\"}", "{\"xnextLink\":\"a\"}"},
    {"{\"a very long name of nextLink\":\"a\"}", "{\"a very long name of nextLink\":\"a\"}"},
    {"[\"nextLink\",\"a\"]", "[\"nextLink\",\"a\"]"},
    {"{\"a\":\"nextLink\",\"b\":\"c\"}", "{\"a\":\"nextLink\",\"b\":\"c\"}"},
    {"{\"a\":\"\\\"nextLink\\\":\\\"b\\\"\"}", "{\"a\":\"\\\"nextLink\\\":\\\"b\\\"\"}"},
    {"{\"a\":\"\\\\\",\"nextLink\":\"b\"}", "{\"a\":\"\\\\\",\"nextLink\":<\"b\">}"},
    {"{\"next\\u004cink\":\"a\"}", "{\"next\\u004cink\":\"a\"}"},
    {"{\"nextLink\":\"cut off", "{\"nextLink\":\"cut off"},
    {"{\"nextLink\":", "{\"nextLink\":"},
    {"\"nextLink\"::\"a\"", "\"nextLink\"::\"a\""},
    {"\"nextLink\"\"nextLink\":\"a\"", "\"nextLink\"\"nextLink\":<\"a\">"},
};

static void run(const char *text, size_t cut, struct pst_buf *out)
{
    struct pst_next_link scan;
    struct pst_str whole = pst_str_of(text);
    size_t n = 0;
    pst_next_link_init(&scan, mark, &n);
    pst_next_link_feed(&scan, (struct pst_str){whole.p, cut}, out);
    pst_next_link_feed(&scan, pst_str_skip(whole, cut), out);
    pst_next_link_end(&scan, out);
}

/* However the body is cut into pieces. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].in); cut++) {
            struct pst_buf out;
            pst_buf_init(&out, 4096);
            run(cases[i].in, cut, &out);
            if (!pst_str_eq(pst_buf_str(&out), pst_str_of(cases[i].out)))
                fail_msg("%s cut at %zu: %s", cases[i].in, cut, pst_buf_cstr(&out));
            pst_buf_done(&out);
        }
    }
}

static void test_long_value(void **state)
{
    (void)state;
    static char text[3 * PST_NEXT_LINK_VALUE_MAX];
    static const char head[] = "{\"nextLink\":\"";
    const size_t lengths[] = {PST_NEXT_LINK_VALUE_MAX - 2, PST_NEXT_LINK_VALUE_MAX - 1,
                              PST_NEXT_LINK_VALUE_MAX, 2 * PST_NEXT_LINK_VALUE_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct pst_buf out;
        struct pst_next_link scan;
        size_t n = 0;
        memset(text, 'a', sizeof(text));
        memcpy(text, head, sizeof(head) - 1);
        memcpy(text + sizeof(head) - 1 + lengths[i], "\"}", 3);
        pst_buf_init(&out, sizeof(text));
        pst_next_link_init(&scan, mark, &n);
        pst_next_link_feed(&scan, pst_str_of(text), &out);
        pst_next_link_end(&scan, &out);
        assert_int_equal(n, i == 0);
        assert_int_equal(pst_buf_len(&out), strlen(text) + (i == 0 ? 2 : 0));
        pst_buf_done(&out);
    }
}

static const struct {
    const char *path;
    bool is;
} routes[] = {
    {"/text/analytics/v3.1/analyze/jobs/1", true},
    {"/Text/Analytics/v3.1/entities/health/JOBS/1", true},
    {"/language/analyze-text/jobs/1", true},
    {"/language/:analyze-text", false},
    {"/translator/document/batches", true},
    {"/speechtotext/v3.2/transcriptions", true},
    {"/documentintelligence/documentModels/x/analyzeBatchResults", true},
    {"/openai/v1/chat/completions", false},
    {"/jobs/1", false},
    {"/", false},
};

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        assert_int_equal(pst_next_link_is_route(pst_str_of(routes[i].path)), routes[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
