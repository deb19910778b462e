/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 6455 section 1.3 */
static void test_accept(void **state)
{
    (void)state;
    char accept[PST_WEBSOCKET_ACCEPT_SIZE];
    pst_websocket_accept(PST_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static const struct {
    const char *fields[8]; /* name, value, …, NULL */
    const char *method;
    bool http_1_0, has_body;
    enum pst_websocket_ask asked;
} handshakes[] = {
#define UP         "Upgrade", "websocket", "Connection", "keep-alive, Upgrade"
#define KEY        "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="
#define VERSION(v) "Sec-WebSocket-Version", v
    {{UP, KEY, VERSION("13")}, "GET", false, false, PST_WEBSOCKET_ASKED},
    {{"Upgrade", "h2c", "Connection", "Upgrade", KEY, VERSION("13")},
     "GET",
     false,
     false,
     PST_WEBSOCKET_NOT_ASKED},
    {{UP, KEY, VERSION("13")}, "GET", true, false, PST_WEBSOCKET_NOT_ASKED},
    {{UP, KEY, VERSION("8")}, "GET", true, false, PST_WEBSOCKET_NOT_ASKED},
    {{UP, KEY, VERSION("8")}, "GET", false, false, PST_WEBSOCKET_VERSION_UNKNOWN},
    {{UP, KEY, VERSION("13, 8")}, "GET", false, false, PST_WEBSOCKET_VERSION_UNKNOWN},
    {{UP, KEY, VERSION("")}, "GET", false, false, PST_WEBSOCKET_VERSION_UNKNOWN},
    {{UP, VERSION("8")}, "GET", false, false, PST_WEBSOCKET_VERSION_UNKNOWN},
    {{UP, KEY}, "GET", false, false, PST_WEBSOCKET_VERSION_UNKNOWN},
    {{UP, VERSION("13")}, "GET", false, false, PST_WEBSOCKET_MALFORMED},
    {{UP, KEY, VERSION("8")}, "POST", false, false, PST_WEBSOCKET_MALFORMED},
    {{UP, KEY, VERSION("13")}, "GET", false, true, PST_WEBSOCKET_MALFORMED},
};

static void test_asked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]); i++) {
        struct pst_field storage[4];
        struct pst_fields fields;
        struct pst_framing framing = {handshakes[i].has_body ? PST_BODY_CHUNKED : PST_BODY_NONE, 0};
        pst_fields_init(&fields, storage, 4);
        for (size_t j = 0; j < 8 && handshakes[i].fields[j] != NULL; j += 2)
            assert_int_equal(pst_fields_add(&fields, pst_str_of(handshakes[i].fields[j]),
                                            pst_str_of(handshakes[i].fields[j + 1])),
                             0);
        enum pst_websocket_ask asked =
            pst_websocket_asked(&fields, pst_str_of(handshakes[i].method), handshakes[i].http_1_0, framing);
        if (asked != handshakes[i].asked)
            fail_msg("handshake %zu: %d", i, (int)asked);
    }
}

/* The three ways to write a length, a mask, a close frame; cut into pieces of every size. */
static void test_frames(void **state)
{
    (void)state;
    static char bytes[70100];
    size_t n = 0;
    const uint8_t heads[][14] = {{0x81, 5},
                                 {0x82, 126, 1, 0},
                                 {0x02, 127, 0, 0, 0, 0, 0, 1, 0, 0},
                                 {0x81, 0x83, 1, 2, 3, 4},
                                 {0x89, 0}};
    const size_t head_lens[] = {2, 4, 10, 6, 2}, payloads[] = {5, 256, 65536, 3, 0};
    size_t ends[5];
    for (size_t i = 0; i < 5; i++) {
        memcpy(bytes + n, heads[i], head_lens[i]);
        n += head_lens[i] + payloads[i];
        ends[i] = n;
    }
    for (size_t piece = 1; piece < 300; piece += 7) {
        struct pst_websocket_scan scan = {0};
        for (size_t at = 0; at < n;) {
            size_t len = n - at < piece ? n - at : piece;
            pst_websocket_scan(&scan, bytes + at, len);
            at += len;
            bool between = false;
            for (size_t i = 0; i < 5; i++)
                between = between || ends[i] == at;
            assert_int_equal(pst_websocket_between_frames(&scan), between);
        }
        pst_websocket_scan(&scan, "\x88\x00", 2);
        assert_false(pst_websocket_between_frames(&scan)); /* nothing may follow a close frame */
    }
}

static void test_close_frame(void **state)
{
    (void)state;
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    size_t len = pst_websocket_close_frame(4000, PST_STR("No."), frame);
    assert_int_equal(len, 7);
    assert_memory_equal(frame, "\x88\x05\x0f\xa0No.", 7);

    char reason[300];
    memset(reason, 'x', sizeof(reason));
    reason[99] = reason[200] = '.';
    assert_int_equal(pst_websocket_close_frame(1000, (struct pst_str){reason, 300}, frame), 104);
    reason[99] = 'x';
    assert_int_equal(pst_websocket_close_frame(1000, (struct pst_str){reason, 300}, frame), 127);
    assert_int_equal((uint8_t)frame[1], 125);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_close_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
