/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/error.h"

#include "postern/base/fd.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every id has a whole row, a name of its own, and a body that is JSON of Azure's shape. */
static void test_table(void **state)
{
    (void)state;
    for (int id = PST_ERROR_NONE + 1; id < PST_ERROR_MAX; id++) {
        const struct pst_error_def *def = pst_error_def((enum pst_error_id)id);
        struct pst_buf body;
        assert_true(def->status >= 400 && def->status < 600);
        assert_non_null(def->code);
        assert_true(strlen(def->message) > 15 && def->message[strlen(def->message) - 1] == '.');
        assert_true((def->status == 401) == (def->www_authenticate != NULL));
        assert_true((def->status == 503) == (def->retry_after_s > 0));
        for (int other = PST_ERROR_NONE + 1; other < id; other++)
            assert_string_not_equal(def->name, pst_error_def((enum pst_error_id)other)->name);
        pst_buf_init(&body, 4096);
        assert_int_equal(pst_error_body((enum pst_error_id)id, &body), 0);
        json_t *json = json_loadb(pst_buf_front(&body), pst_buf_len(&body), 0, NULL);
        assert_non_null(json);
        json_t *error = json_object_get(json, "error");
        assert_int_equal(json_object_size(json), 1);
        assert_int_equal(json_object_size(error), 2);
        assert_string_equal(json_string_value(json_object_get(error, "code")), def->code);
        assert_string_equal(json_string_value(json_object_get(error, "message")), def->message);
        json_decref(json);
        pst_buf_done(&body);
    }
    assert_ptr_equal(pst_error_def(PST_ERROR_NONE), pst_error_def(PST_ERROR_INTERNAL));
    assert_ptr_equal(pst_error_def((enum pst_error_id)999), pst_error_def(PST_ERROR_INTERNAL));
}

/* Clients match these texts. */
static void test_azure_wording(void **state)
{
    (void)state;
    struct pst_buf body;
    pst_buf_init(&body, 4096);
    assert_int_equal(pst_error_body(PST_ERROR_KEY_WRONG, &body), 0);
    assert_string_equal(
        pst_buf_cstr(&body),
        "{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to invalid subscription key or wrong "
        "API endpoint. Make sure to provide a valid key for an active subscription and use a correct "
        "regional API endpoint for your resource.\"}}");
    pst_buf_reset(&body);
    assert_int_equal(pst_error_body(PST_ERROR_KEY_MISSING, &body), 0);
    assert_string_equal(
        pst_buf_cstr(&body),
        "{\"error\":{\"code\":\"401\",\"message\":\"Access denied due to missing subscription key. Make "
        "sure to include subscription key when making requests to an API.\"}}");
    pst_buf_done(&body);
}

static const struct {
    enum pst_error_id id;
    struct pst_error_style style;
    const char *body;
} styles[] = {
    {PST_ERROR_JOB, {.flat = true}, "{\"statusCode\":404,\"message\":\"Resource not found.\"}"},
    {PST_ERROR_JOB,
     {.message = PST_STR("a \"b\"")},
     "{\"error\":{\"code\":\"NotFound\",\"message\":\"a \\\"b\\\"\"}}"},
    {PST_ERROR_JOB,
     {.path = PST_STR("/Translate"), .flat = true},
     "{\"error\":{\"code\":404000,\"message\":\"Resource not found.\"}}"},
    {PST_ERROR_KEY_WRONG,
     {.path = PST_STR("/translate")},
     "{\"error\":{\"code\":401000,\"message\":\"The request is not authorized because credentials are "
     "missing or "
     "invalid.\"}}"},
};

static void test_styles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
        struct pst_buf body;
        pst_buf_init(&body, 4096);
        assert_int_equal(pst_error_body_as(styles[i].id, &styles[i].style, &body), 0);
        assert_string_equal(pst_buf_cstr(&body), styles[i].body);
        pst_buf_done(&body);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct pst_error_fields fields;
    pst_error_fields(PST_ERROR_KEY_WRONG, PST_STR("id1"), &fields);
    assert_true(
        pst_str_eq(pst_fields_value(&fields.fields, PST_STR("content-type")), PST_STR("application/json")));
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("x-request-id")), PST_STR("id1")));
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("apim-request-id")), PST_STR("id1")));
    assert_non_null(pst_fields_find(&fields.fields, PST_STR("www-authenticate")));
    assert_null(pst_fields_find(&fields.fields, PST_STR("retry-after")));
    assert_null(pst_fields_find(&fields.fields, PST_STR("connection")));
    pst_error_fields(PST_ERROR_WEBSOCKET_VERSION, PST_STR("id1"), &fields);
    assert_true(
        pst_str_eq(pst_fields_value(&fields.fields, PST_STR("sec-websocket-version")), PST_STR("13")));
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("upgrade")), PST_STR("websocket")));
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("connection")), PST_STR("Upgrade")));
    pst_error_fields(PST_ERROR_SHUTTING_DOWN, PST_STR(""), &fields);
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("retry-after")), PST_STR("1")));
    assert_true(pst_str_eq(pst_fields_value(&fields.fields, PST_STR("connection")), PST_STR("close")));
    assert_null(pst_fields_find(&fields.fields, PST_STR("x-request-id")));
    assert_null(pst_fields_find(&fields.fields, PST_STR("www-authenticate")));
}

static void test_body_bound(void **state)
{
    (void)state;
    struct pst_buf body;
    pst_buf_init(&body, 20);
    assert_true(pst_error_body(PST_ERROR_KEY_WRONG, &body) < 0);
    assert_true(pst_buf_failed(&body));
    pst_buf_done(&body);
    pst_buf_init(&body, 200);
    assert_int_equal(pst_error_body_custom(PST_STR("4\"29"), PST_STR("a\nb"), &body), 0);
    assert_string_equal(pst_buf_cstr(&body), "{\"error\":{\"code\":\"4\\\"29\",\"message\":\"a\\nb\"}}");
    pst_buf_done(&body);
}

static void test_from_upstream(void **state)
{
    (void)state;
    static const struct {
        int err;
        bool connecting;
        enum pst_error_id id;
    } cases[] = {
        {-PST_EBUSY, true, PST_ERROR_UPSTREAM_BUSY},
        {-PST_EREFUSED, true, PST_ERROR_UPSTREAM_REFUSED},
        {-PST_ENOENT, true, PST_ERROR_UPSTREAM_UNRESOLVED},
        {-PST_ETIMEOUT, true, PST_ERROR_UPSTREAM_CONNECT_TIMEOUT},
        {-PST_ETIMEOUT, false, PST_ERROR_UPSTREAM_TIMEOUT},
        {-PST_ERESET, true, PST_ERROR_UPSTREAM_REFUSED},
        {-PST_ERESET, false, PST_ERROR_UPSTREAM_RESET},
        {-PST_EPROTO, false, PST_ERROR_UPSTREAM_RUBBISH},
        {-PST_ELIMIT, false, PST_ERROR_UPSTREAM_RUBBISH},
        {-PST_ENOMEM, false, PST_ERROR_INTERNAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(pst_error_from_upstream(cases[i].err, cases[i].connecting), cases[i].id);
}

/* docs/http.md has a row for each, to the letter. */
static void test_documented(void **state)
{
    (void)state;
    struct pst_buf docs;
    pst_buf_init(&docs, 1 << 20);
    assert_int_equal(pst_file_read(POSTERN_SOURCE_ROOT "/docs/http.md", 1 << 20, &docs), 0);
    const char *text = pst_buf_cstr(&docs);
    assert_non_null(text);
    for (int id = PST_ERROR_NONE + 1; id < PST_ERROR_MAX; id++) {
        const struct pst_error_def *def = pst_error_def((enum pst_error_id)id);
        struct pst_buf row;
        pst_buf_init(&row, 4096);
        pst_buf_printf(&row, "\n| %u | `%s` | `%s` | %s%s%s | %s |\n", def->status, def->code, def->name,
                       def->close ? "closes" : "", def->close && def->retry_after_s > 0 ? ", " : "",
                       def->retry_after_s > 0 ? "`Retry-After`" : "", def->message);
        if (strstr(text, pst_buf_cstr(&row)) == NULL)
            fail_msg("docs/http.md lacks this row:%s", pst_buf_cstr(&row));
        pst_buf_done(&row);
    }
    pst_buf_done(&docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_azure_wording),
        cmocka_unit_test(test_styles),     cmocka_unit_test(test_fields),
        cmocka_unit_test(test_body_bound), cmocka_unit_test(test_from_upstream),
        cmocka_unit_test(test_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
