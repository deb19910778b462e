/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/response_head.h"

#include "postern/http/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_FIELDS 64
#define DATE       "Sun, 06 Nov 1994 08:49:37 GMT"

struct fixture {
    struct pst_field storage[MAX_FIELDS];
    struct pst_response response;
    struct pst_response_wire wire;
    struct pst_buf out;
};

static void begin(struct fixture *f, uint16_t status, enum pst_response_body body, uint64_t length)
{
    *f = (struct fixture){
        .response = {.status = status, .body = body, .length = length},
        .wire = {.keep_alive = true, .date = PST_STR(DATE)},
    };
    pst_fields_init(&f->response.fields, f->storage, MAX_FIELDS);
    pst_buf_init(&f->out, 128 * 1024);
}

static void add(struct fixture *f, const char *name, const char *value)
{
    assert_int_equal(pst_fields_add(&f->response.fields, pst_str_of(name), pst_str_of(value)), 0);
}

static void expect(struct fixture *f, const char *text)
{
    assert_int_equal(pst_response_head_write(&f->response, &f->wire, &f->out), 0);
    assert_string_equal(pst_buf_cstr(&f->out), text);
    pst_buf_done(&f->out);
}

/* What follows, HTTP/1.0 or not, and whether the connection may go on. */
static void test_framing(void **state)
{
    (void)state;
    static const struct {
        enum pst_response_body body;
        bool http_1_0, keep_alive, last;
        const char *text;
        bool chunked, close;
    } table[] = {
        {PST_RESPONSE_LENGTH, false, true, false, "Content-Length: 5\r\n", false, false},
        {PST_RESPONSE_LENGTH, false, false, false, "Content-Length: 5\r\nConnection: close\r\n", false, true},
        {PST_RESPONSE_LENGTH, false, true, true, "Content-Length: 5\r\nConnection: close\r\n", false, true},
        {PST_RESPONSE_LENGTH, true, true, false, "Content-Length: 5\r\nConnection: Keep-Alive\r\n", false,
         false},
        {PST_RESPONSE_LENGTH, true, false, false, "Content-Length: 5\r\nConnection: close\r\n", false, true},
        {PST_RESPONSE_OPEN, false, true, false, "Transfer-Encoding: chunked\r\n", true, false},
        {PST_RESPONSE_OPEN, false, false, false, "Transfer-Encoding: chunked\r\nConnection: close\r\n", true,
         true},
        {PST_RESPONSE_OPEN, true, true, false, "Connection: close\r\n", false, true},
        {PST_RESPONSE_OPEN, true, false, false, "Connection: close\r\n", false, true},
        {PST_RESPONSE_NO_BODY, false, true, false, "", false, false},
        {PST_RESPONSE_NO_BODY, false, false, false, "Connection: close\r\n", false, true},
        {PST_RESPONSE_NO_BODY, true, true, false, "Connection: Keep-Alive\r\n", false, false},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fixture f;
        char text[256];
        begin(&f, 200, table[i].body, 5);
        f.response.last = table[i].last;
        f.wire.to_http_1_0 = table[i].http_1_0;
        f.wire.keep_alive = table[i].keep_alive;
        struct pst_response_framing framing = pst_response_frame(&f.response, &f.wire);
        assert_int_equal(framing.chunked, table[i].chunked);
        assert_int_equal(framing.close, table[i].close);
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nDate: " DATE "\r\n%s\r\n", table[i].text);
        expect(&f, text);
    }
}

/* Order, case, repeats, empty values, an odd reason: as they are. */
static void test_fields_go_through(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 200, PST_RESPONSE_LENGTH, 2);
    f.response.reason = PST_STR("Quite  All Right");
    add(&f, "zeta", "1");
    add(&f, "X-A", "1");
    add(&f, "cOnTent-lEngth", "2");
    add(&f, "x-a", "");
    add(&f, "X-A", "1");
    add(&f, "dAte", "yesterday");
    expect(&f,
           "HTTP/1.1 200 Quite  All Right\r\nzeta: 1\r\nX-A: 1\r\ncOnTent-lEngth: 2\r\nx-a: \r\nX-A: 1\r\n"
           "dAte: yesterday\r\n\r\n");
}

static void test_reasons(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 204, PST_RESPONSE_NO_BODY, 0);
    expect(&f, "HTTP/1.1 204 No Content\r\nDate: " DATE "\r\n\r\n");
    begin(&f, 200, PST_RESPONSE_NO_BODY, 0); /* the container gave none: none it is */
    f.response.reason = PST_STR("");
    expect(&f, "HTTP/1.1 200 \r\nDate: " DATE "\r\n\r\n");
    begin(&f, 799, PST_RESPONSE_NO_BODY, 0);
    expect(&f, "HTTP/1.1 799 \r\nDate: " DATE "\r\n\r\n");
    for (int id = PST_ERROR_NONE + 1; id < PST_ERROR_MAX; id++)
        assert_true(pst_response_reason(pst_error_def((enum pst_error_id)id)->status).len > 0);
}

/* A length on what has no body is the container's to declare: never added, never taken away. */
static void test_bodiless(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 304, PST_RESPONSE_NO_BODY, 0);
    add(&f, "ETag", "\"x\"");
    expect(&f, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nDate: " DATE "\r\n\r\n");
    begin(&f, 304, PST_RESPONSE_NO_BODY, 0);
    add(&f, "Content-Length", "12345");
    expect(&f, "HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\nDate: " DATE "\r\n\r\n");
    assert_true(pst_response_is_bodiless(200, true));
    assert_true(pst_response_is_bodiless(101, false));
    assert_true(pst_response_is_bodiless(204, false));
    assert_true(pst_response_is_bodiless(304, false));
    assert_false(pst_response_is_bodiless(205, false));
    assert_false(pst_response_is_bodiless(200, false));
}

static void test_upgrade(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, 101, PST_RESPONSE_NO_BODY, 0);
    f.response.upgrade = PST_STR("websocket");
    f.wire.keep_alive = false; /* says nothing here: it is no close */
    expect(&f, "HTTP/1.1 101 Switching Protocols\r\nDate: " DATE
               "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    begin(&f, 426, PST_RESPONSE_NO_BODY, 0);
    f.response.upgrade = PST_STR("websocket");
    f.wire.keep_alive = false;
    expect(&f, "HTTP/1.1 426 Upgrade Required\r\nDate: " DATE
               "\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

/* All or nothing, however large. */
static void test_bounds(void **state)
{
    (void)state;
    static char value[64 * 1024];
    memset(value, 'v', sizeof(value) - 1);
    struct fixture f;
    begin(&f, 200, PST_RESPONSE_LENGTH, UINT64_MAX);
    add(&f, "X-Large", value);
    assert_int_equal(pst_response_head_write(&f.response, &f.wire, &f.out), 0);
    struct pst_str out = pst_buf_str(&f.out);
    assert_true(pst_str_ends(out, PST_STR("Content-Length: 18446744073709551615\r\n\r\n")));
    size_t before = out.len;
    assert_int_equal(pst_response_head_write(&f.response, &f.wire, &f.out), -PST_ELIMIT);
    assert_int_equal(pst_buf_len(&f.out), before);
    pst_buf_done(&f.out);
}

static void test_date(void **state)
{
    (void)state;
    char text[PST_RESPONSE_DATE_BYTES];
    pst_response_date(784111777, text);
    assert_memory_equal(text, DATE, sizeof(text));
    pst_response_date(0, text);
    assert_memory_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT", sizeof(text));
    pst_response_date(INT64_MAX, text); /* what no calendar has becomes no garbage */
    assert_memory_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT", sizeof(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing), cmocka_unit_test(test_fields_go_through),
        cmocka_unit_test(test_reasons), cmocka_unit_test(test_bodiless),
        cmocka_unit_test(test_upgrade), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
