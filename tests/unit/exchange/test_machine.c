/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges from their first byte to their last, between a codec in memory and a container that the test
 * plays: each state and event, three streams at a time, and memory that fails at every allocation. */
#include "codec.h"

#include "../upstream/rig.h"
#include "../upstream/wraps.h"
#include "postern/auth/why.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK "HTTP/1.1 200 OK\r\n"

static const struct pst_str open_paths[] = {PST_STR("/open"), PST_STR("/open/*"), PST_STR("/text/*")};

struct fixture {
    struct rig rig;
    struct pst_front_settings settings;
    struct pst_front_stats stats;
    struct pst_exchanges *all;
    struct pst_routes *routes;
    struct codec codec[3];
};

static void make_exchanges(struct fixture *f)
{
    const struct pst_exchange_parts parts = {
        .settings = &f->settings, .loop = f->rig.loop, .pool = f->rig.pool, .stats = &f->stats};
    assert_int_equal(pst_exchanges_new(&parts, &f->all), 0);
}

static void begin(struct fixture *f)
{
    const struct pst_route rest = {.number = 0};
    struct pst_why why;
    memset(f, 0, sizeof(*f));
    rig_begin(&f->rig);
    assert_int_equal(pst_routes_parse(NULL, 0, &rest, &f->routes, &why), 0);
    f->settings = (struct pst_front_settings){
        .open_paths = open_paths,
        .n_open_paths = sizeof(open_paths) / sizeof(open_paths[0]),
        .routes = f->routes,
        .first_byte_timeout_us = 2000000,
        .read_timeout_us = 2000000,
        .send_timeout_us = 2000000,
        .max_head_bytes = 32768,
        .max_target_bytes = 8192,
        .max_fields = 64,
        .max_websockets = 1,
        .websocket_idle_us = 60000000,
        .websocket_note_us = 60000000,
    };
    make_exchanges(f);
    for (size_t i = 0; i < 3; i++)
        codec_begin(&f->codec[i], f->all);
}

static void end(struct fixture *f)
{
    for (size_t i = 0; i < 3; i++) {
        codec_close(&f->codec[i], false);
        codec_done(&f->codec[i]);
    }
    rig_settle(&f->rig);
    pst_exchanges_free(f->all);
    pst_routes_free(f->routes);
    rig_end(&f->rig);
}

/* Turns until the stream's response is over, or it was reset. */
static void turn_until_over(struct fixture *f, const struct codec *codec)
{
    for (int i = 0; i < 2000 && codec->n_ends + codec->n_resets == 0; i++) {
        rig_settle(&f->rig);
        usleep(100);
    }
    assert_int_equal(codec->n_ends + codec->n_resets, 1);
}

static int ask(struct fixture *f, struct codec *codec, const char *target)
{
    assert_true(codec_ask(codec, "GET", target, 0));
    codec_finish(codec);
    int fd = rig_accept(&f->rig);
    for (int i = 0; i < 5; i++)
        rig_settle(&f->rig);
    rig_expect(fd, "\r\n\r\n");
    return fd;
}

static void test_response_goes_through(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    int fd = ask(&f, codec, "/open/a");
    rig_print(fd, "HTTP/1.1 200 Quite Right\r\nX-B: 2\r\nx-a: \r\nX-B: 1\r\nContent-Length: 5\r\n\r\nhello");
    turn_until_over(&f, codec);
    assert_int_equal(codec->head.status, 200);
    assert_string_equal(codec->reason, "Quite Right");
    assert_memory_equal(codec->fields_text, "X-B: 2\nx-a: \nX-B: 1\nContent-Length: 5\nX-Request-Id: ", 52);
    assert_string_equal(codec_body(codec), "hello");
    codec_close(codec, true);
    close(fd);
    end(&f);
}

/* What the container cannot give is said in Postern's name, as long as no head is out. */
static void test_container_fails(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        unsigned status; /* 0: the head was out, the stream is reset */
    } table[] = {
        {"", 502},
        {"garbage\r\n\r\n", 502},
        {OK "Content-Length: 9\r\n\r\nshort", 0},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", 0},
        {OK "Transfer-Encoding: chunked\r\n\r\nnone\r\n", 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fixture f;
        begin(&f);
        struct codec *codec = &f.codec[0];
        int fd = ask(&f, codec, "/open/a");
        rig_print(fd, table[i].sent);
        for (int k = 0; k < 5; k++)
            rig_settle(&f.rig);
        close(fd);
        turn_until_over(&f, codec);
        assert_int_equal(codec->head.status, table[i].status != 0 ? table[i].status : 200);
        assert_int_equal(codec->n_resets, table[i].status != 0 ? 0 : 1);
        assert_int_equal(atomic_load(&f.stats.answers_cut), table[i].status != 0 ? 0 : 1);
        codec_close(codec, true);
        end(&f);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *field, *value;
        enum pst_error_id error;
    } table[] = {
        {"GET", "/closed", NULL, NULL, PST_ERROR_KEY_MISSING},
        {"HEAD", "/closed", NULL, NULL, PST_ERROR_KEY_MISSING},
        {"TRACE", "/open", NULL, NULL, PST_ERROR_METHOD},
        {"GET", "nowhere", NULL, NULL, PST_ERROR_TARGET_FORM},
        {"GET", "/open/%zz", NULL, NULL, PST_ERROR_TARGET_ESCAPE},
        {"GET", "/open", "Host", "another.example", PST_ERROR_HOST},
        {"GET", "/open?GenerateRedirectResponse=true", NULL, NULL, PST_ERROR_NO_REDIRECT},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fixture f;
        begin(&f);
        struct codec *codec = &f.codec[0];
        if (table[i].field != NULL)
            codec_field(codec, table[i].field, table[i].value);
        assert_true(codec_ask(codec, table[i].method, table[i].target, 0));
        assert_int_equal(codec->n_ends, 1); /* from inside the event */
        assert_int_equal(codec->head.status, pst_error_def(table[i].error)->status);
        assert_int_equal(atomic_load(&f.stats.errors[table[i].error]), 1);
        assert_true(strlen(codec_value(codec, "Content-Length")) > 0);
        bool to_head = strcmp(table[i].method, "HEAD") == 0;
        assert_int_equal(pst_buf_len(&codec->body) == 0, to_head);
        codec_finish(codec);
        codec_close(codec, true);
        end(&f);
    }
}

/* What the codec finds wrong: with an exchange or without, before a head and in the middle of a body. */
static void test_errors_of_the_codec(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    const struct pst_str detail = PST_STR("of this kind");
    pst_exchange_events.error(f.all, &f.codec[0].stream, PST_ERROR_MALFORMED, detail);
    assert_int_equal(f.codec[0].head.status, 400);
    assert_non_null(strstr(codec_body(&f.codec[0]), "(of this kind)"));
    assert_int_equal(f.codec[0].n_ends, 1);
    struct codec *codec = &f.codec[1];
    assert_true(codec_ask(codec, "POST", "/open/a", 100));
    int fd = rig_accept(&f.rig);
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    assert_true(codec->reading);
    assert_int_equal(codec_send(codec, "some"), 4);
    pst_exchange_events.error(f.all, &codec->stream, PST_ERROR_BODY_TOO_SLOW, PST_STR(""));
    assert_int_equal(codec->head.status, 408);
    assert_int_equal(codec->n_ends, 1);
    assert_true(rig_sees_close(fd)); /* the container must not take it for a whole request */
    codec_close(codec, true);
    close(fd);
    end(&f);
}

/* The client's side is held while there is no connection, and as long as the container takes nothing. */
static void test_back_pressure_of_the_request(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    static char piece[64 * 1024 + 1];
    memset(piece, 'p', sizeof(piece) - 1);
    assert_true(codec_ask(codec, "POST", "/open/a", 64 * 1024 * 1024));
    assert_false(codec->reading);
    int fd = rig_accept(&f.rig);
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    assert_true(codec->reading);
    size_t sent = 0, taken;
    do {
        taken = codec_send(codec, piece);
        sent += taken;
    } while (taken == sizeof(piece) - 1 && sent < 60u * 1024 * 1024);
    assert_true(taken < sizeof(piece) - 1); /* the kernel's buffers are full */
    assert_false(codec->reading);
    char junk[65536];
    size_t got = 0;
    for (int i = 0; i < 10000 && !codec->reading; i++) {
        ssize_t n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        rig_settle(&f.rig);
    }
    assert_true(codec->reading);
    assert_true(got > 0);
    pst_exchange_events.gone(&codec->stream, PST_GONE_LEFT);
    assert_int_equal(codec->n_resets, 1);
    codec_close(codec, true);
    close(fd);
    end(&f);
}

/* A client that takes nothing stops the reading of the container; nothing is lost when it goes on. */
static void test_back_pressure_of_the_response(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    static char body[200000];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)('a' + i % 26);
    int fd = ask(&f, codec, "/open/a");
    rig_print(fd, OK "Content-Length: 200000\r\n\r\n");
    codec->full = true;
    rig_write(fd, body, sizeof(body));
    for (int i = 0; i < 2000 && codec->n_ends == 0; i++) {
        rig_settle(&f.rig); /* `body` fails the test when a piece comes out of turn */
        if (i % 10 == 9)
            codec_drain(codec);
        codec->full = true;
        usleep(10);
    }
    assert_int_equal(codec->n_ends, 1);
    assert_int_equal(pst_buf_len(&codec->body), sizeof(body));
    assert_memory_equal(pst_buf_front(&codec->body), body, sizeof(body));
    codec_close(codec, true);
    close(fd);
    end(&f);
}

/* A response that begins before the request has come in whole, and ends before it. */
static void test_early_response(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    assert_true(codec_ask(codec, "POST", "/open/a", -1));
    int fd = rig_accept(&f.rig);
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    assert_int_equal(codec_send(codec, "first"), 5);
    rig_expect(fd, "5\r\nfirst\r\n");
    rig_print(fd, OK "Content-Length: 4\r\n\r\nno");
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    assert_int_equal(codec->n_heads, 1);
    assert_true(codec->head.last);
    assert_int_equal(codec_send(codec, "second"), 6); /* the container still takes it */
    rig_expect(fd, "6\r\nsecond\r\n");
    rig_print(fd, "pe");
    turn_until_over(&f, codec);
    assert_string_equal(codec_body(codec), "nope");
    assert_int_equal(codec->n_discards, 1);
    assert_true(rig_sees_close(fd));
    codec_close(codec, true);
    close(fd);
    end(&f);
}

/* How a stream may go while something is under way: the container learns it, nothing is sent any more. */
static void test_gone(void **state)
{
    (void)state;
    static const enum pst_stream_gone ways[] = {PST_GONE_LEFT, PST_GONE_STALLED, PST_GONE_DISPLACED};
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        for (int in_body = 0; in_body < 2; in_body++) {
            struct fixture f;
            begin(&f);
            struct codec *codec = &f.codec[0];
            int fd = ask(&f, codec, "/open/a");
            if (in_body)
                rig_print(fd, OK "Content-Length: 100\r\n\r\nsome");
            for (int i = 0; i < 5; i++)
                rig_settle(&f.rig);
            pst_exchange_events.gone(&codec->stream, ways[way]);
            assert_int_equal(codec->n_resets, ways[way] == PST_GONE_DISPLACED ? 0 : 1);
            assert_int_equal(atomic_load(&f.stats.clients_left), ways[way] == PST_GONE_LEFT ? 1 : 0);
            assert_true(rig_sees_close(fd));
            codec_close(codec, false);
            assert_int_equal(codec->n_heads, (unsigned)in_body);
            close(fd);
            end(&f);
        }
    }
}

#define UPGRADE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
static void ask_for_upgrade(struct codec *codec)
{
    codec_field(codec, "Upgrade", "websocket");
    codec_field(codec, "Connection", "Upgrade");
    codec_field(codec, "Sec-WebSocket-Version", "13");
    codec_field(codec, "Sec-WebSocket-Key", UPGRADE_KEY);
}

static void test_upgrade(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    ask_for_upgrade(codec);
    int fd = ask(&f, codec, "/open/ws");
    rig_print(fd, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi");
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    assert_true(codec->upgraded);
    assert_string_equal(codec_value(codec, "Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(pst_buf_cstr(&codec->out), "\x81\x02hi");
    (void)pst_buf_add_cstr(&codec->in, "upwards");
    pst_exchange_events.bytes(&codec->stream);
    rig_expect(fd, "upwards");
    /* One place there is: the next upgrade is refused, the first is not disturbed. */
    struct codec *next = &f.codec[1];
    ask_for_upgrade(next);
    assert_true(codec_ask(next, "GET", "/open/ws", 0));
    assert_int_equal(next->head.status, 503);
    assert_int_equal(codec->n_ends + codec->n_resets, 0);
    close(fd);
    turn_until_over(&f, codec);
    assert_int_equal(codec->n_ends, 1);
    codec_close(codec, true);
    codec_close(next, true);
    end(&f);
}

static void test_upgrade_refused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    struct codec *codec = &f.codec[0];
    ask_for_upgrade(codec);
    codec->has_more = true; /* what came behind the head could be read in two ways */
    assert_true(codec_ask(codec, "GET", "/open/ws", 0));
    assert_int_equal(codec->head.status, 400);
    /* Clients of the Speech services cannot see a status: they get a close frame, 4000. */
    struct codec *speech = &f.codec[1];
    ask_for_upgrade(speech);
    assert_true(codec_ask(speech, "GET", "/speech/ws", 0));
    assert_true(speech->upgraded);
    for (int i = 0; i < 3000 && speech->n_ends == 0; i++) {
        rig_settle(&f.rig);
        usleep(1000);
    }
    struct pst_str out = pst_buf_str(&speech->out);
    assert_true(out.len > 4);
    assert_memory_equal(out.p, "\x88", 1);
    assert_memory_equal(out.p + 2, "\x0f\xa0", 2); /* 4000 */
    codec_close(speech, true);
    end(&f);
}

static void test_stop(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    int fd = ask(&f, &f.codec[0], "/open/a");
    pst_exchanges_stop(f.all);
    assert_true(codec_ask(&f.codec[1], "GET", "/open/b", 0));
    assert_int_equal(f.codec[1].head.status, 503);
    rig_print(fd, OK "Content-Length: 2\r\n\r\nok"); /* what is under way is finished */
    turn_until_over(&f, &f.codec[0]);
    assert_string_equal(codec_body(&f.codec[0]), "ok");
    close(fd);
    end(&f);
}

/* Filters see every response: pages may read refusals, too, and what the container says of itself. */
static void test_filters(void **state)
{
    (void)state;
    static const struct pst_str origins[] = {PST_STR("https://app.example")};
    struct fixture f;
    begin(&f);
    static char name[] = "localhost:5000";
    char *const names[] = {name};
    f.settings.upstream_names = names;
    f.settings.n_upstream_names = 1;
    f.settings.cors = (struct pst_cors){.origins = origins, .n_origins = 1, .methods = PST_STR("GET")};
    struct codec *refused = &f.codec[0], *codec = &f.codec[1], *head = &f.codec[2];
    codec_field(refused, "Origin", "https://app.example");
    assert_true(codec_ask(refused, "GET", "/closed", 0));
    assert_int_equal(refused->head.status, 401);
    assert_string_equal(codec_value(refused, "Access-Control-Allow-Origin"), "https://app.example");
    static const char links[] =
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\n"
        "Location: http://localhost:5000/x\r\nContent-Length: %zu\r\n\r\n%s";
    static const char body[] = "{\"@nextLink\":\"http://localhost:5000/text/a?x=1\",\"a\":1}";
    char text[512];
    codec_field(codec, "Origin", "https://app.example");
    int fd = ask(&f, codec, "/text/analytics/v3.1/analyze/jobs/1");
    snprintf(text, sizeof(text), links, sizeof(body) - 1, body);
    rig_print(fd, text);
    turn_until_over(&f, codec);
    assert_string_equal(codec_value(codec, "Access-Control-Allow-Origin"), "https://app.example");
    assert_string_equal(codec_value(codec, "Location"), "https://gateway.example/x");
    assert_string_equal(codec_value(codec, "Content-Length"), "");
    assert_int_equal(codec->head.body, PST_RESPONSE_OPEN);
    assert_string_equal(codec_body(codec), "{\"@nextLink\":\"https://gateway.example/text/a?x=1\",\"a\":1}");
    close(fd);
    /* Of a HEAD never another length than of a GET. */
    assert_true(codec_ask(head, "HEAD", "/text/analytics/v3.1/analyze/jobs/1", 0));
    codec_finish(head);
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    fd = rig_accept(&f.rig);
    snprintf(text, sizeof(text), links, sizeof(body) - 1, "");
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    rig_print(fd, text);
    turn_until_over(&f, head);
    assert_int_equal(head->head.body, PST_RESPONSE_NO_BODY);
    assert_string_equal(codec_value(head, "Content-Length"), "");
    close(fd);
    end(&f);
}

/* A body without a key is read whole before a connection is leased, whatever its framing; its bounds hold. */
static void test_gathered_body(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.settings.keyless_max_body_bytes = 10;
    f.settings.keyless_body_timeout_us = 50000;
    struct codec *codec = &f.codec[0];
    assert_true(codec_ask(codec, "POST", "/open/a", -1));
    assert_int_equal(codec_send(codec, "five "), 5);
    assert_int_equal(codec_send(codec, "more!"), 5);
    codec_finish(codec);
    int fd = rig_accept(&f.rig);
    for (int i = 0; i < 5; i++)
        rig_settle(&f.rig);
    rig_expect(fd, "five more!");
    rig_print(fd, OK "Content-Length: 2\r\n\r\nok");
    turn_until_over(&f, codec);
    assert_string_equal(codec_body(codec), "ok");
    close(fd);
    struct codec *large = &f.codec[1], *slow = &f.codec[2];
    assert_true(codec_ask(large, "POST", "/open/a", -1));
    (void)codec_send(large, "more than ten bytes");
    assert_int_equal(large->head.status, pst_error_def(PST_ERROR_KEYLESS_BODY_TOO_LARGE)->status);
    assert_true(codec_ask(slow, "POST", "/open/a", 5));
    turn_until_over(&f, slow);
    assert_int_equal(slow->head.status, pst_error_def(PST_ERROR_KEYLESS_BODY_TOO_SLOW)->status);
    end(&f);
}

/* When not even a refusal can be sent, the stream is reset. */
static void test_head_that_cannot_be_sent(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.codec[0].refuses = true;
    assert_true(codec_ask(&f.codec[0], "GET", "/closed", 0));
    assert_int_equal(f.codec[0].n_resets, 1);
    int fd = ask(&f, &f.codec[1], "/open/a");
    f.codec[1].refuses = true;
    rig_print(fd, OK "Content-Length: 2\r\n\r\nok");
    turn_until_over(&f, &f.codec[1]);
    assert_int_equal(f.codec[1].n_resets, 1);
    assert_int_equal(f.codec[1].n_heads, 0);
    close(fd);
    end(&f);
}

/* Three at a time, step by step in turns, each a part of the other's way: none gets another's bytes. */
static void test_three_interleaved(void **state)
{
    (void)state;
    struct fixture f;
    int fd[3];
    begin(&f);
    for (size_t i = 0; i < 3; i++) {
        assert_true(codec_ask(&f.codec[i], "POST", "/open/a", -1));
        fd[i] = rig_accept(&f.rig);
        for (int k = 0; k < 5; k++)
            rig_settle(&f.rig);
    }
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(codec_send(&f.codec[i], i == 0 ? "one" : i == 1 ? "two" : "six"), 3);
    }
    for (size_t i = 0; i < 3; i++)
        codec_finish(&f.codec[i]);
    rig_expect(fd[0], "3\r\none\r\n3\r\none\r\n3\r\none\r\n0\r\n\r\n");
    rig_expect(fd[1], "3\r\ntwo\r\n3\r\ntwo\r\n3\r\ntwo\r\n0\r\n\r\n");
    rig_expect(fd[2], "3\r\nsix\r\n3\r\nsix\r\n3\r\nsix\r\n0\r\n\r\n");
    for (size_t i = 3; i-- > 0;)
        rig_print(fd[i], OK "Transfer-Encoding: chunked\r\n\r\n");
    for (int k = 0; k < 5; k++)
        rig_settle(&f.rig);
    rig_print(fd[1], "2\r\n22\r\n");
    rig_print(fd[0], "2\r\n11\r\n");
    for (int k = 0; k < 5; k++)
        rig_settle(&f.rig);
    pst_exchange_events.gone(&f.codec[2].stream, PST_GONE_LEFT); /* in the middle of the others */
    rig_print(fd[0], "0\r\n\r\n");
    rig_print(fd[1], "1\r\n2\r\n0\r\nX-Trailer: 1\r\n\r\n");
    turn_until_over(&f, &f.codec[0]);
    turn_until_over(&f, &f.codec[1]);
    assert_string_equal(codec_body(&f.codec[0]), "11");
    assert_string_equal(codec_body(&f.codec[1]), "222");
    assert_int_equal(f.codec[2].n_resets, 1);
    for (size_t i = 0; i < 3; i++)
        close(fd[i]);
    end(&f);
}

/* Three exchanges with bodies both ways, one of them refused. The container answers whoever comes. */
static void run_three(struct fixture *f)
{
    static const char *const targets[] = {"/open/a", "/closed", "/open/b"};
    int fd[8], n = 0;
    for (size_t i = 0; i < 3; i++) {
        if (codec_ask(&f->codec[i], "POST", targets[i], 5))
            (void)codec_send(&f->codec[i], "hello");
    }
    for (int turn = 0; turn < 60; turn++) {
        rig_settle(&f->rig);
        int more = accept4(f->rig.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (more >= 0 && n < 8)
            fd[n++] = more;
        for (size_t i = 0; i < 3; i++) {
            struct codec *codec = &f->codec[i];
            if (turn == 10 && codec->stream.exchange != NULL && codec->n_ends + codec->n_resets == 0) {
                (void)codec_send(codec, "hello");
                codec_finish(codec);
            }
        }
        if (turn == 30) {
            for (int i = 0; i < n; i++)
                (void)!send(fd[i], OK "X-A: 1\r\nContent-Length: 5\r\n\r\nthere", 42, MSG_NOSIGNAL);
        }
        usleep(20);
    }
    for (int i = 0; i < n; i++)
        close(fd[i]);
    for (int turn = 0; turn < 20; turn++) {
        rig_settle(&f->rig);
        usleep(20);
    }
}

/* Memory fails at the n-th allocation, for every n: each stream ends, by a response or a reset, and is told
 * so once. (Leaks are the sanitizer's to find.) */
static void test_memory_fails_everywhere(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 400; n++) {
        struct fixture f;
        begin(&f);
        assert_int_equal(fcntl(f.rig.listener, F_SETFL, O_NONBLOCK), 0);
        wrap_fail_at = n;
        run_three(&f);
        bool reached = wrap_fail_at == 0;
        wrap_fail_at = 0;
        for (size_t i = 0; i < 3; i++) {
            struct codec *codec = &f.codec[i];
            if (codec->stream.exchange != NULL)
                assert_int_equal(codec->n_ends + codec->n_resets, 1);
            codec_close(codec, false);
        }
        end(&f);
        if (!reached) {
            print_message("%u allocations\n", n - 1);
            return;
        }
    }
    fail_msg("there is no end to the allocations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_goes_through),
        cmocka_unit_test(test_container_fails),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_errors_of_the_codec),
        cmocka_unit_test(test_back_pressure_of_the_request),
        cmocka_unit_test(test_back_pressure_of_the_response),
        cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_upgrade_refused),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_gathered_body),
        cmocka_unit_test(test_head_that_cannot_be_sent),
        cmocka_unit_test(test_three_interleaved),
        cmocka_unit_test(test_memory_fails_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
