/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CL "Content-Length"
#define TE "Transfer-Encoding"

struct framing_case {
    const char *fields[6]; /* name, value, name, value, …, NULL */
    bool http_1_0;
    enum pst_error_id error;
    enum pst_body_kind kind;
    uint64_t length;
};

static const struct framing_case cases[] = {
    {{"Host", "h"}, false, PST_ERROR_NONE, PST_BODY_NONE, 0},
    {{CL, "0"}, false, PST_ERROR_NONE, PST_BODY_LENGTH, 0},
    {{"content-LENGTH", "1234"}, true, PST_ERROR_NONE, PST_BODY_LENGTH, 1234},
    {{CL, "9223372036854775807"}, false, PST_ERROR_NONE, PST_BODY_LENGTH, INT64_MAX},
    {{CL, "007"}, false, PST_ERROR_NONE, PST_BODY_LENGTH, 7},
    {{TE, "chunked"}, false, PST_ERROR_NONE, PST_BODY_CHUNKED, 0},
    {{TE, "Chunked"}, false, PST_ERROR_NONE, PST_BODY_CHUNKED, 0},
    /* Both: the classic. */
    {{CL, "5", TE, "chunked"}, false, PST_ERROR_LENGTH_AND_CHUNKED, 0, 0},
    {{TE, "chunked", CL, "5"}, false, PST_ERROR_LENGTH_AND_CHUNKED, 0, 0},
    {{CL, "5", TE, "identity"}, false, PST_ERROR_LENGTH_AND_CHUNKED, 0, 0},
    {{CL, "5", TE, ""}, false, PST_ERROR_LENGTH_AND_CHUNKED, 0, 0},
    /* Lengths. */
    {{CL, "5", CL, "6"}, false, PST_ERROR_LENGTH_REPEATED, 0, 0},
    {{CL, "5", "content-length", "5"}, false, PST_ERROR_LENGTH_REPEATED, 0, 0},
    {{CL, "5, 5"}, false, PST_ERROR_LENGTH_REPEATED, 0, 0},
    {{CL, "5,6"}, false, PST_ERROR_LENGTH_REPEATED, 0, 0},
    {{CL, ""}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "+5"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "-5"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "0x5"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "5 "}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "5 6"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "1e3"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "9223372036854775808"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "18446744073709551621"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    {{CL, "\xd9\xa5"}, false, PST_ERROR_LENGTH_VALUE, 0, 0},
    /* Codings. */
    {{TE, "chunked", TE, "chunked"}, false, PST_ERROR_CODING_REPEATED, 0, 0},
    {{TE, "chunked, chunked"}, false, PST_ERROR_CODING_REPEATED, 0, 0},
    {{TE, "chunked, gzip"}, false, PST_ERROR_CODING_REPEATED, 0, 0},
    {{TE, ""}, false, PST_ERROR_CODING_REPEATED, 0, 0},
    {{TE, ","}, false, PST_ERROR_CODING_REPEATED, 0, 0},
    {{TE, "gzip, chunked"}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "identity"}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "xchunked"}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "chunked;q=1"}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "chunk ed"}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "\x0b"
          "chunked"},
     false,
     PST_ERROR_CODING_UNKNOWN,
     0,
     0},
    {{TE, "\"chunked\""}, false, PST_ERROR_CODING_UNKNOWN, 0, 0},
    {{TE, "chunked"}, true, PST_ERROR_CODING_HTTP10, 0, 0},
    /* Expectations. */
    {{"Expect", "100-Continue", CL, "3"}, false, PST_ERROR_NONE, PST_BODY_LENGTH, 3},
    {{"Expect", "200-ok"}, false, PST_ERROR_EXPECT, 0, 0},
    {{"Expect", "200-ok"}, true, PST_ERROR_NONE, PST_BODY_NONE, 0},
};

static void test_framing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct framing_case *c = &cases[i];
        struct pst_field storage[4];
        struct pst_fields fields;
        struct pst_framing framing = {.kind = PST_BODY_UNTIL_CLOSE, .length = 77};
        pst_fields_init(&fields, storage, 4);
        for (size_t k = 0; k + 1 < 6 && c->fields[k] != NULL; k += 2)
            assert_int_equal(pst_fields_add(&fields, pst_str_of(c->fields[k]), pst_str_of(c->fields[k + 1])),
                             0);
        enum pst_error_id error = pst_framing_of_request(&fields, c->http_1_0, &framing);
        if (error != c->error)
            fail_msg("%s: %s: error %d, not %d", c->fields[0], c->fields[1], (int)error, (int)c->error);
        /* Written on success only. */
        assert_int_equal(framing.kind, error == PST_ERROR_NONE ? c->kind : PST_BODY_UNTIL_CLOSE);
        assert_int_equal(framing.length, error == PST_ERROR_NONE ? c->length : 77);
    }
}

static void test_expects_continue(void **state)
{
    (void)state;
    struct pst_field storage[1] = {{PST_STR("expect"), PST_STR("100-CONTINUE")}};
    struct pst_fields fields = {storage, 1, 1};
    assert_true(pst_request_expects_continue(&fields, false));
    assert_false(pst_request_expects_continue(&fields, true));
    fields.n = 0;
    assert_false(pst_request_expects_continue(&fields, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_expects_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
