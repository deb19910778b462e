/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/request_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_FIELDS 64

struct fixture {
    struct pst_field storage[MAX_FIELDS];
    struct pst_fields fields;
    struct pst_target target;
    struct pst_request_head head;
    struct pst_buf out;
};

static const struct pst_str credentials[] = {
    {"ocp-apim-subscription-key", 25}, {"api-key", 7}, {"authorization", 13}};

static void begin(struct fixture *f, const char *method, const char *target)
{
    pst_fields_init(&f->fields, f->storage, MAX_FIELDS);
    assert_int_equal(pst_target_parse(pst_str_of(target), pst_str_of(method), &f->target), 0);
    f->head = (struct pst_request_head){
        .method = pst_str_of(method),
        .target = &f->target,
        .fields = &f->fields,
        .framing = {.kind = PST_BODY_NONE},
        .host = PST_STR("127.0.0.1:5000"),
        .credential_names = credentials,
        .n_credential_names = 3,
        .client_host = PST_STR("gw.example:8443"),
        .client_address = PST_STR("192.0.2.7"),
        .client_proto = PST_STR("https"),
        .request_id = PST_STR("rid"),
    };
    pst_buf_init(&f->out, 64 * 1024);
}

static void add(struct fixture *f, const char *name, const char *value)
{
    assert_int_equal(pst_fields_add(&f->fields, pst_str_of(name), pst_str_of(value)), 0);
}

static const char *written(struct fixture *f)
{
    assert_int_equal(pst_request_head_write(&f->head, &f->out), PST_ERROR_NONE);
    return pst_buf_cstr(&f->out);
}

#define TAIL                                                                                                 \
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: gw.example:8443\r\n"        \
    "Forwarded: for=192.0.2.7;host=\"gw.example:8443\";proto=https\r\nX-Request-Id: rid\r\n\r\n"

static void test_plain(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "GET", "/a%2Fb?c=%20&d");
    assert_string_equal(written(&f), "GET /a%2Fb?c=%20&d HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n" TAIL);
    pst_buf_done(&f.out);
}

static void test_order_and_repeats(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "POST", "/x?");
    f.head.framing = (struct pst_framing){PST_BODY_LENGTH, 1234567890123};
    f.head.key_id = PST_STR("k1");
    add(&f, "Host", "gw.example:8443");
    add(&f, "X-Custom", "1");
    add(&f, "Accept", "a");
    add(&f, "x-CUSTOM", "2");
    add(&f, "Content-Length", "1234567890123");
    add(&f, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    add(&f, "X-Empty", "");
    add(&f, "Accept", "b\xe4, \t c");
    assert_string_equal(
        written(&f),
        "POST /x? HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nX-Custom: 1\r\nAccept: a\r\nx-CUSTOM: 2\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Empty: \r\n"
        "Accept: b\xe4, \t c\r\nContent-Length: 1234567890123\r\n"
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: gw.example:8443\r\n"
        "Forwarded: for=192.0.2.7;host=\"gw.example:8443\";proto=https\r\nX-Request-Id: rid\r\n"
        "X-Postern-Key-Id: k1\r\n\r\n");
    pst_buf_done(&f.out);
}

/* None of these may reach the container, in any spelling. */
static void test_left_out(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
        "Expect",
        "Content-Length",
        "Host",
        "Proxy",
        "X-Postern-Key-Id",
        "X-Postern-Anything",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-User",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Request-Id",
        "Ocp-Apim-Subscription-Key",
        "api-key",
        "Authorization",
        "X_Forwarded_For",
        "Content_Length",
        "Transfer_Encoding",
        "_",
        "x-postern_key-id",
        "Proxy-Authentication-Info",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int upper = 0; upper < 2; upper++) {
            struct fixture f;
            char name[40];
            begin(&f, "GET", "/");
            pst_str_copy(pst_str_of(names[i]), name, sizeof(name));
            for (char *c = name; upper && *c != '\0'; c++)
                *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
            add(&f, "A", "1");
            add(&f, name, "chunked-evil");
            add(&f, "B", "2");
            if (strcmp(written(&f), "GET / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nA: 1\r\nB: 2\r\n" TAIL) != 0)
                fail_msg("%s: %s", name, pst_buf_cstr(&f.out));
            pst_buf_done(&f.out);
        }
    }
}

static void test_near_misses_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"Hosts",          "TE2",        "X-Posterns",    "X-Forwardedly",
                                        "Connections",    "Expec",      "X-Real-IPs",    "api-keys",
                                        "Authorization2", "Cookie",     "Via",           "Max-Forwards",
                                        "Alt-Svc",        "tracestate", "X-Originality", "Sec-WebSocket-Key"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture f;
        char line[64];
        begin(&f, "GET", "/");
        add(&f, names[i], "v");
        assert_true(strlen(names[i]) < 40);
        size_t len = pst_str_clip(pst_str_of(names[i]), line, 40);
        pst_str_copy(PST_STR(": v\r\n"), line + len, sizeof(line) - len);
        assert_non_null(strstr(written(&f), line));
        pst_buf_done(&f.out);
    }
}

static void test_connection_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "GET", "/");
    add(&f, "X-One", "1");
    add(&f, "Connection", "close, x-one ,X-Two");
    add(&f, "X-Two", "2");
    add(&f, "X-Three", "3");
    add(&f, "connection", "X-Forwarded-For, host, keep-alive");
    add(&f, "Close", "a field of that name is not named by the option");
    assert_string_equal(written(&f), "GET / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nX-Three: 3\r\n"
                                     "Close: a field of that name is not named by the option\r\n" TAIL);
    pst_buf_done(&f.out);
    begin(&f, "GET", "/");
    for (int i = 0; i < 33; i++)
        add(&f, "Connection", "x");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_MALFORMED);
    assert_int_equal(pst_buf_len(&f.out), 0);
    pst_buf_done(&f.out);
}

static void test_trusted_peer(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "GET", "/");
    f.head.peer_trusted = true;
    f.head.client_address = PST_STR("2001:db8::5");
    add(&f, "X-Forwarded-For", "203.0.113.9");
    add(&f, "Forwarded", "for=203.0.113.9;proto=http");
    add(&f, "X-Forwarded-Proto", "http");
    add(&f, "X-Forwarded-Host", "public.example");
    add(&f, "X-Forwarded-Port", "80");
    add(&f, "X-Forwarded-For", "10.0.0.1, 10.0.0.2");
    add(&f, "Forwarded", "for=10.0.0.1");
    add(&f, "X-Postern-Key-Id", "mine");
    assert_string_equal(
        written(&f),
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: public.example\r\nX-Forwarded-Port: 80\r\n"
        "X-Forwarded-For: 203.0.113.9, 10.0.0.1, 10.0.0.2, 2001:db8::5\r\n"
        "Forwarded: for=203.0.113.9;proto=http, for=10.0.0.1, "
        "for=\"[2001:db8::5]\";host=\"gw.example:8443\";proto=https\r\nX-Request-Id: rid\r\n\r\n");
    pst_buf_done(&f.out);
}

static void test_framing_and_upgrade(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "PUT", "/");
    f.head.framing.kind = PST_BODY_CHUNKED;
    add(&f, "Content-Length", "5");
    const char *text = written(&f);
    assert_non_null(strstr(text, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(text, "Content-Length"));
    pst_buf_done(&f.out);
    begin(&f, "GET", "/ws");
    f.head.upgrade = PST_STR("websocket");
    f.head.client_host = PST_STR("");
    add(&f, "Connection", "Upgrade");
    add(&f, "Upgrade", "websocket");
    text = written(&f);
    assert_non_null(strstr(text, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
    assert_null(strstr(text, "X-Forwarded-Host"));
    assert_non_null(strstr(text, "Forwarded: for=192.0.2.7;proto=https\r\n"));
    pst_buf_done(&f.out);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        enum pst_error_id error;
    } cases[] = {
        {"", "v", PST_ERROR_FIELD_NAME},
        {"A B", "v", PST_ERROR_FIELD_NAME},
        {"A:", "v", PST_ERROR_FIELD_NAME},
        {"A\r\nB", "v", PST_ERROR_FIELD_NAME},
        {"Content-Length ", "5", PST_ERROR_FIELD_NAME},
        {"\tA", "v", PST_ERROR_FIELD_NAME},
        {"\xc3\xa4", "v", PST_ERROR_FIELD_NAME},
        {"A", "v\r\nTransfer-Encoding: chunked", PST_ERROR_FIELD_VALUE},
        {"A", "v\n", PST_ERROR_FIELD_VALUE},
        {"A", "v\rw", PST_ERROR_FIELD_VALUE},
        {"A", "\x01", PST_ERROR_FIELD_VALUE},
        {"A", "\x7f", PST_ERROR_FIELD_VALUE},
        /* Also in fields that are left out: the request is not what it seems. */
        {"Connection", "a\nb", PST_ERROR_FIELD_VALUE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;
        begin(&f, "GET", "/");
        pst_buf_add_cstr(&f.out, "before");
        add(&f, "Fine", "1");
        add(&f, cases[i].name, cases[i].value);
        assert_int_equal(pst_request_head_write(&f.head, &f.out), cases[i].error);
        assert_string_equal(pst_buf_cstr(&f.out), "before");
        pst_buf_done(&f.out);
    }
}

static void test_parts_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "GET", "/");
    f.head.host = PST_STR("h\r\nX: y");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_MALFORMED);
    f.head.host = PST_STR("h");
    f.head.client_host = PST_STR("h\";for=evil");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_MALFORMED);
    f.head.client_host = PST_STR("h");
    f.head.key_id = PST_STR("k\n");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_MALFORMED);
    f.head.key_id = PST_STR("k");
    f.head.method = PST_STR("GET /x");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_METHOD);
    f.head.method = PST_STR("TRACE");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_METHOD);
    f.head.method = PST_STR("CONNECT");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_METHOD);
    f.head.method = PST_STR("");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_METHOD);
    assert_int_equal(pst_buf_len(&f.out), 0);
    f.head.method = PST_STR("X-Odd!");
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_NONE);
    pst_buf_done(&f.out);
    pst_buf_init(&f.out, 300);
    assert_int_equal(pst_request_head_write(&f.head, &f.out), PST_ERROR_HEAD_TOO_LARGE);
    pst_buf_done(&f.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_order_and_repeats),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_near_misses_stay),
        cmocka_unit_test(test_connection_names),
        cmocka_unit_test(test_trusted_peer),
        cmocka_unit_test(test_framing_and_upgrade),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_parts_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
