/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/answer.h"

#include "postern/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK      "HTTP/1.1 200 OK\r\n"
#define OUT_MAX 4096

/* What came of one answer fed in pieces, as the connection would feed it. */
struct outcome {
    int err;
    enum pst_answer_state state;
    size_t taken; /* of the wire bytes, by the parser */
    char body[OUT_MAX];
    size_t body_len;
};

/* Feeds wire[0..len) in pieces that end at `cut` and at the end, or byte by byte when `cut` is 0. */
static void feed(struct pst_answer_parser *parser, unsigned flags, const char *wire, size_t len, size_t cut,
                 struct outcome *ret)
{
    *ret = (struct outcome){.err = 0};
    pst_answer_begin(parser, flags);
    while (ret->taken < len && ret->err == 0) {
        enum pst_answer_state state = pst_answer_state(parser);
        size_t end = cut == 0 ? ret->taken + 1 : ret->taken < cut && cut < len ? cut : len;
        char piece[OUT_MAX];
        ssize_t n;
        assert_true(end - ret->taken <= sizeof(piece));
        memcpy(piece, wire + ret->taken, end - ret->taken);
        if (state == PST_ANSWER_HEAD) {
            n = pst_answer_feed_head(parser, piece, end - ret->taken);
        } else if (state == PST_ANSWER_CHUNKS) {
            size_t body = 0;
            n = pst_answer_feed_chunks(parser, piece, end - ret->taken, piece, &body);
            if (n >= 0) {
                memcpy(ret->body + ret->body_len, piece, body);
                ret->body_len += body;
            }
        } else {
            break;
        }
        if (n < 0)
            ret->err = (int)n;
        else
            ret->taken += (size_t)n;
    }
    ret->state = pst_answer_state(parser);
}

struct answer_case {
    const char *wire;
    unsigned flags;
    int err;
    enum pst_answer_state state;
    uint16_t status;
    enum pst_body_kind kind;
    uint64_t length;
    bool keep_alive;
    const char *body; /* decoded chunks */
    size_t left;      /* bytes the parser leaves alone at the end */
};

#define BAD(wire)                                                                                            \
    {                                                                                                        \
        wire, 0, -PST_EPROTO, PST_ANSWER_FAULT, 0, 0, 0, false, "", 0                                        \
    }

static const struct answer_case cases[] = {
    {OK "Content-Length: 5\r\n\r\nhello", 0, 0, PST_ANSWER_RAW, 200, PST_BODY_LENGTH, 5, true, "", 5},
    {OK "Content-Length: 0\r\n\r\n", 0, 0, PST_ANSWER_DONE, 200, PST_BODY_LENGTH, 0, true, "", 0},
    {OK "Content-Length: 0\r\n\r\nHTTP/1.1 500 X\r\n\r\n", 0, 0, PST_ANSWER_DONE, 200, PST_BODY_LENGTH, 0,
     true, "", 18},
    {"\r\n" OK "content-length:5\r\nConnection: close\r\n\r\n", 0, 0, PST_ANSWER_RAW, 200, PST_BODY_LENGTH, 5,
     false, "", 0},
    {OK "\r\nall the rest", 0, 0, PST_ANSWER_RAW, 200, PST_BODY_UNTIL_CLOSE, 0, false, "", 12},
    {OK "Connection: keep-alive\r\n\r\n", 0, 0, PST_ANSWER_RAW, 200, PST_BODY_UNTIL_CLOSE, 0, false, "", 0},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 0, 0, PST_ANSWER_RAW, 200, PST_BODY_LENGTH, 1, false,
     "", 1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\nx", 0, 0, PST_ANSWER_RAW, 200,
     PST_BODY_LENGTH, 1, true, "", 1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive, close\r\n\r\nx", 0, 0, PST_ANSWER_RAW,
     200, PST_BODY_LENGTH, 1, false, "", 1},
    {"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 0, 0, PST_ANSWER_DONE, 404, PST_BODY_LENGTH, 0, true, "",
     0},
    {"HTTP/1.1 999 Odd thing \xe4\r\nContent-Length: 0\r\n\r\n", 0, 0, PST_ANSWER_DONE, 999, PST_BODY_LENGTH,
     0, true, "", 0},
    /* No body follows. */
    {OK "Content-Length: 5\r\n\r\n", PST_ANSWER_TO_HEAD, 0, PST_ANSWER_DONE, 200, PST_BODY_NONE, 0, true, "",
     0},
    {OK "Transfer-Encoding: chunked\r\n\r\n", PST_ANSWER_TO_HEAD, 0, PST_ANSWER_DONE, 200, PST_BODY_NONE, 0,
     true, "", 0},
    {OK "\r\n", PST_ANSWER_TO_HEAD, 0, PST_ANSWER_DONE, 200, PST_BODY_NONE, 0, true, "", 0},
    {"HTTP/1.1 204 No Content\r\n\r\n", 0, 0, PST_ANSWER_DONE, 204, PST_BODY_NONE, 0, true, "", 0},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", 0, 0, PST_ANSWER_DONE, 204, PST_BODY_NONE, 0,
     true, "", 3},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 0, 0, PST_ANSWER_DONE, 304, PST_BODY_NONE, 0,
     true, "", 0},
    /* Chunked. */
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 0, PST_ANSWER_DONE, 200, PST_BODY_CHUNKED, 0, true,
     "", 0},
    {OK "transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\nA;ext=\"v\"\r\n, world 12\r\n0\r\n\r\n", 0, 0,
     PST_ANSWER_DONE, 200, PST_BODY_CHUNKED, 0, true, "hello, world 12", 0},
    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: y\r\nMore: z\r\n\r\nHTTP", 0, 0,
     PST_ANSWER_DONE, 200, PST_BODY_CHUNKED, 0, true, "x", 4},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", 0, 0, PST_ANSWER_CHUNKS, 200, PST_BODY_CHUNKED, 0, true,
     "hel", 0},
    /* Interim answers are passed over. */
    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 0\r\n\r\n", 0, 0, PST_ANSWER_DONE, 200,
     PST_BODY_LENGTH, 0, true, "", 0},
    {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: close\r\n\r\nHTTP/1.1 102 P\r\n\r\n" OK
     "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
     0, 0, PST_ANSWER_DONE, 200, PST_BODY_CHUNKED, 0, true, "a", 0},
    {"HTTP/1.1 100 Continue\r\n\r\n", 0, 0, PST_ANSWER_HEAD, 0, 0, 0, false, "", 0},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05",
     PST_ANSWER_MAY_UPGRADE, 0, PST_ANSWER_RAW, 101, PST_BODY_UNTIL_CLOSE, 0, false, "", 2},
    BAD("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    /* Framing that can be read in two ways. */
    BAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
    BAD(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
    BAD(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
    BAD(OK "Content-Length: 5, 5\r\n\r\n"),
    BAD(OK "Content-Length: -5\r\n\r\n"),
    BAD(OK "Content-Length: 5x\r\n\r\n"),
    BAD(OK "Content-Length: 99999999999999999999\r\n\r\n"),
    BAD(OK "Content-Length: 9223372036854775808\r\n\r\n"),
    BAD(OK "Content-Length:\r\n\r\n"),
    BAD(OK "Transfer-Encoding: gzip\r\n\r\n"),
    BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BAD(OK "Transfer-Encoding: identity\r\n\r\n"),
    BAD(OK "Transfer-Encoding:\r\n\r\n"),
    BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    /* Not HTTP/1. */
    BAD("HTTP/2.0 200 OK\r\n\r\n"),
    BAD("HTTP/0.9 200 OK\r\n\r\n"),
    BAD("HTTP/1.2 200 OK\r\n\r\n"),
    BAD("ICY 200 OK\r\n\r\n"),
    BAD("<html>no head at all</html>"),
    BAD("HTTP/1.1 20 OK\r\n\r\n"),
    BAD("HTTP/1.1 2000 OK\r\n\r\n"),
    BAD("HTTP/1.1 099 OK\r\n\r\n"),
    BAD("HTTP/1.1 abc OK\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\n\r\n"),
    /* Line ends, white space, names, values. */
    BAD("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    BAD(OK "Content-Length: 0\n\r\n"),
    BAD(OK "A: b\rC: d\r\n\r\n"),
    BAD(OK "A: b\r\r\nC: d\r\n\r\n"),
    BAD(OK "A: \rb\r\n\r\n"),
    BAD(OK "A\r: b\r\n\r\n"),
    BAD(OK "A: b\r\n\rC: d\r\n\r\n"),
    BAD(OK "A: b\r\n\r\r\n"),
    BAD("HTTP/1.1 200 O\rK\r\n\r\n"),
    BAD("HTTP/1.1 200 OK\r\r\n\r\n"),
    BAD("HTTP/1.1 200 \rOK\r\n\r\n"),
    BAD("HTTP/1.1 200\rOK\r\n\r\n"),
    BAD("HTTP/1.1 200\r\r\n\r\n"),
    BAD("HTTP/1.1\r200 OK\r\n\r\n"),
    BAD("\rHTTP/1.1 200 OK\r\n\r\n"),
    BAD("HTTP/1.1 100 Con\rtinue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    BAD("HTTP/1.1 200 O\x01K\r\n\r\n"),
    BAD("HTTP/1.1 200 O\x7fK\r\n\r\n"),
    BAD("HTTP/1.1 200 OK\n\r\n"),
    BAD(OK "A : b\r\n\r\n"),
    BAD(OK " A: b\r\n\r\n"),
    BAD(OK "A: b\r\n folded\r\n\r\n"),
    BAD(OK "A\xe4: b\r\n\r\n"),
    BAD(OK "A: b\x01\r\n\r\n"),
    BAD(OK "no colon\r\n\r\n"),
    BAD(OK ": empty name\r\n\r\n"),
    /* Chunks. */
    BAD(OK "Transfer-Encoding: chunked\r\n\r\nz\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n"),
    BAD(OK "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n"),
};

static void check_case(struct pst_answer_parser *parser, const struct answer_case *c, size_t cut)
{
    struct outcome got;
    size_t len = strlen(c->wire);
    feed(parser, c->flags, c->wire, len, cut, &got);
    if (got.err != c->err || got.state != c->state)
        fail_msg("cut at %zu of %s: error %d state %d, not %d and %d (%s)", cut, c->wire, got.err,
                 (int)got.state, c->err, (int)c->state, pst_answer_fault(parser));
    const struct pst_answer *answer = pst_answer_head(parser);
    if (c->err < 0) {
        assert_true(pst_answer_fault(parser)[0] != '\0');
        return;
    }
    assert_string_equal(pst_answer_fault(parser), "");
    if (c->status == 0) {
        assert_null(answer);
        return;
    }
    assert_int_equal(answer->status, c->status);
    assert_int_equal(answer->framing.kind, c->kind);
    assert_int_equal(answer->framing.length, c->length);
    assert_int_equal(answer->keep_alive, c->keep_alive);
    assert_int_equal(len - got.taken, c->left);
    assert_int_equal(got.body_len, strlen(c->body));
    assert_memory_equal(got.body, c->body, got.body_len);
}

static void test_table(void **state)
{
    (void)state;
    struct pst_answer_parser *parser;
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].wire); cut++)
            check_case(parser, &cases[i], cut);
    }
    pst_answer_parser_free(parser);
}

static void test_head_fields(void **state)
{
    (void)state;
    static const char wire[] =
        "HTTP/1.1 202 Accepted, really\r\nOperation-Location:  https://x/y \t\r\nX-Empty:\r\n"
        "x-empty: \r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 12\r\n\r\n";
    struct pst_answer_parser *parser;
    struct outcome got;
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    for (size_t cut = 0; cut < sizeof(wire); cut++) {
        feed(parser, PST_ANSWER_TO_HEAD, wire, sizeof(wire) - 1, cut, &got);
        const struct pst_answer *answer = pst_answer_head(parser);
        assert_non_null(answer);
        assert_string_equal(answer->reason.p, "Accepted, really");
        assert_int_equal(answer->fields.n, 6);
        assert_string_equal(answer->fields.at[0].name.p, "Operation-Location");
        assert_string_equal(answer->fields.at[0].value.p, "https://x/y");
        assert_int_equal(answer->fields.at[0].value.len, 11);
        assert_string_equal(answer->fields.at[1].value.p, "");
        assert_string_equal(answer->fields.at[2].name.p, "x-empty");
        assert_int_equal(answer->fields.at[2].value.len, 0);
        assert_string_equal(answer->fields.at[4].value.p, "b=2");
        assert_true(answer->has_content_length);
        assert_int_equal(answer->content_length, 12);
    }
    pst_answer_parser_free(parser);
}

static char *large_head(size_t n_fields, size_t value_len, size_t *ret_len)
{
    size_t cap = 64 + n_fields * (value_len + 32);
    char *wire = malloc(cap);
    struct pst_buf buf;
    assert_non_null(wire);
    pst_buf_init(&buf, cap);
    pst_buf_add_cstr(&buf, OK "Content-Length: 0\r\n");
    for (size_t i = 0; i < n_fields; i++) {
        pst_buf_printf(&buf, "F%zu: ", i);
        for (size_t k = 0; k < value_len; k++)
            pst_buf_add_char(&buf, (char)('a' + (i + k) % 26));
        pst_buf_add_cstr(&buf, "\r\n");
    }
    pst_buf_add_cstr(&buf, "\r\n");
    assert_false(pst_buf_failed(&buf));
    memcpy(wire, pst_buf_front(&buf), pst_buf_len(&buf));
    *ret_len = pst_buf_len(&buf);
    pst_buf_done(&buf);
    return wire;
}

/* Memory that grows while slices point into it, and is given back afterwards. */
static void test_large_head(void **state)
{
    (void)state;
    struct pst_answer_parser *parser;
    size_t len;
    char *wire = large_head(500, 100, &len);
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    size_t bytes_before = pst_answer_parser_bytes(parser);
    assert_true(bytes_before < 3000);
    for (size_t at = 0; at < len; at += 7) {
        size_t piece = len - at < 7 ? len - at : 7;
        assert_int_equal(pst_answer_feed_head(parser, wire + at, piece), (ssize_t)piece);
    }
    const struct pst_answer *answer = pst_answer_head(parser);
    assert_non_null(answer);
    assert_int_equal(answer->fields.n, 501);
    assert_string_equal(answer->reason.p, "OK");
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(answer->fields.at[i + 1].value.len, 100);
        for (size_t k = 0; k < 100; k++)
            assert_int_equal(answer->fields.at[i + 1].value.p[k], 'a' + (int)((i + k) % 26));
    }
    pst_answer_begin(parser, 0);
    assert_int_equal(pst_answer_parser_bytes(parser), bytes_before);
    free(wire);
    pst_answer_parser_free(parser);
}

static void feed_until_error(const char *wire, size_t len, size_t step, int expected)
{
    struct pst_answer_parser *parser;
    ssize_t n = 0;
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    for (size_t at = 0; at < len && n >= 0; at += step)
        n = pst_answer_feed_head(parser, wire + at, len - at < step ? len - at : step);
    assert_int_equal(n, expected);
    assert_int_equal(pst_answer_state(parser), PST_ANSWER_FAULT);
    assert_null(pst_answer_head(parser));
    pst_answer_parser_free(parser);
}

static void test_bounds(void **state)
{
    (void)state;
    size_t len;
    char *wire = large_head(700, 100, &len);
    assert_true(len > PST_ANSWER_HEAD_MAX);
    feed_until_error(wire, len, len, -PST_ELIMIT);
    feed_until_error(wire, len, 1000, -PST_ELIMIT);
    free(wire);
    wire = large_head(PST_ANSWER_FIELDS_MAX, 1, &len);
    assert_true(len < PST_ANSWER_HEAD_MAX);
    feed_until_error(wire, len, len, -PST_ELIMIT);
    free(wire);
    /* Empty lines before the head, and interim answers without end. */
    wire = malloc(PST_ANSWER_HEAD_MAX + 2);
    assert_non_null(wire);
    for (size_t i = 0; i < PST_ANSWER_HEAD_MAX + 2; i++)
        wire[i] = i % 2 == 0 ? '\r' : '\n';
    feed_until_error(wire, PST_ANSWER_HEAD_MAX + 2, 4096, -PST_ELIMIT);
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    for (size_t i = 0; i <= PST_ANSWER_INTERIM_MAX; i++)
        memcpy(wire + i * (sizeof(interim) - 1), interim, sizeof(interim) - 1);
    feed_until_error(wire, (PST_ANSWER_INTERIM_MAX + 1) * (sizeof(interim) - 1), 1000, -PST_EPROTO);
    free(wire);
}

/* Chunk extensions and trailers without end bring no body and must not go on for ever. */
static void test_chunk_overhead(void **state)
{
    (void)state;
    static const char *const starts[] = {"5;ext=", "0\r\nX-Trailer: "};
    for (size_t i = 0; i < 2; i++) {
        struct pst_answer_parser *parser;
        char piece[1024];
        char out[1024];
        size_t out_len;
        ssize_t n = 0;
        static const char head[] = OK "Transfer-Encoding: chunked\r\n\r\n";
        assert_int_equal(pst_answer_parser_new(&parser), 0);
        assert_int_equal(pst_answer_feed_head(parser, head, sizeof(head) - 1), sizeof(head) - 1);
        assert_true(pst_answer_feed_chunks(parser, starts[i], strlen(starts[i]), out, &out_len) > 0);
        memset(piece, 'x', sizeof(piece));
        int rounds = 0;
        for (; n >= 0 && rounds < 100; rounds++)
            n = pst_answer_feed_chunks(parser, piece, sizeof(piece), out, &out_len);
        assert_int_equal(n, -PST_ELIMIT);
        assert_int_equal(rounds, PST_ANSWER_HEAD_MAX / 1024);
        pst_answer_parser_free(parser);
    }
}

/* The parser is used again for the next answer, after any end of the one before. */
static void test_reuse(void **state)
{
    (void)state;
    struct pst_answer_parser *parser;
    struct outcome got;
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].wire);
        feed(parser, cases[i].flags, cases[i].wire, len, len, &got);
        check_case(parser, &cases[(i * 7 + 3) % (sizeof(cases) / sizeof(cases[0]))], 0);
    }
    pst_answer_parser_free(parser);
}

static void test_forwards(void **state)
{
    (void)state;
    struct pst_answer_parser *parser;
    struct outcome got;
    static const char wire[] = OK "Connection: close, X-Private\r\nContent-Length: 0\r\n\r\n";
    static const char *const stays[] = {"Content-Type", "Date",   "apim-request-id",    "Set-Cookie",
                                        "X-Private2",   "Server", "Operation-Location", "Retry-After"};
    static const char *const goes[] = {"connection",
                                       "Keep-Alive",
                                       "TE",
                                       "trailer",
                                       "Transfer-Encoding",
                                       "UPGRADE",
                                       "Proxy-Connection",
                                       "Proxy-Authenticate",
                                       "Content-Length",
                                       "X-Request-Id",
                                       "Alt-Svc",
                                       "x-private"};
    assert_int_equal(pst_answer_parser_new(&parser), 0);
    feed(parser, 0, wire, sizeof(wire) - 1, sizeof(wire) - 1, &got);
    const struct pst_answer *answer = pst_answer_head(parser);
    assert_true(answer->names_hop_fields);
    for (size_t i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
        assert_true(pst_answer_field_forwards(answer, pst_str_of(stays[i])));
    for (size_t i = 0; i < sizeof(goes) / sizeof(goes[0]); i++)
        assert_false(pst_answer_field_forwards(answer, pst_str_of(goes[i])));
    pst_answer_parser_free(parser);
    assert_int_equal(strncmp(pst_http_parser_version(), "9.", 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_head_fields),
        cmocka_unit_test(test_large_head),     cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_chunk_overhead), cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_forwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
