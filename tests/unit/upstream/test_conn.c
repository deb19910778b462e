/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include "wraps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST  "GET / HTTP/1.1\r\nHost: c\r\n\r\n"
#define OK       "HTTP/1.1 200 OK\r\n"
#define BODY_MAX (8 * 1024 * 1024)

/* What a callback does with the exchange, beside taking notes. */
enum act { ACT_NOTHING, ACT_DISCARD, ACT_READ, ACT_TAKE_WHOLE };

struct talk {
    struct rig rig;
    struct rig_lease l;
    int fd; /* the container's side */
    int n_head, n_body, n_writable, n_fail;
    int err;
    enum act on_head, on_body, on_writable, on_fail;
    char *body;
    size_t body_len;
    int body_err; /* what the last read said: 1 more, 0 the end, or an error */
    size_t cap;   /* of each read */
};

static void act(struct talk *t, enum act what);

static void on_writable(struct pst_upconn *conn, void *arg)
{
    struct talk *t = arg;
    assert_ptr_equal(conn, t->l.lease.conn);
    t->n_writable++;
    act(t, t->on_writable);
}

static void on_head(struct pst_upconn *conn, void *arg)
{
    struct talk *t = arg;
    assert_ptr_equal(conn, t->l.lease.conn);
    assert_non_null(pst_upconn_head(conn));
    t->n_head++;
    act(t, t->on_head);
}

static void on_body(struct pst_upconn *conn, void *arg)
{
    struct talk *t = arg;
    assert_ptr_equal(conn, t->l.lease.conn);
    t->n_body++;
    act(t, t->on_body);
}

static void on_fail(struct pst_upconn *conn, int err, void *arg)
{
    struct talk *t = arg;
    assert_ptr_equal(conn, t->l.lease.conn);
    assert_int_equal(pst_upconn_state(conn), PST_UPCONN_FAILED);
    t->n_fail++;
    t->err = err;
    act(t, t->on_fail);
}

static const struct pst_upconn_handlers handlers = {on_writable, on_head, on_body, on_fail};

/* Reads until it would wait, the end, or an error. */
static void read_all(struct talk *t)
{
    for (;;) {
        assert_true(t->body_len + t->cap <= BODY_MAX);
        ssize_t n = pst_upconn_read(t->l.lease.conn, t->body + t->body_len, t->cap);
        if (n > 0) {
            t->body_len += (size_t)n;
            continue;
        }
        t->body_err = n == -PST_EAGAIN ? 1 : (int)n;
        return;
    }
}

static void act(struct talk *t, enum act what)
{
    struct pst_str whole;
    switch (what) {
    case ACT_DISCARD:
        pst_pool_discard(&t->l.lease);
        break;
    case ACT_READ:
        read_all(t);
        break;
    case ACT_TAKE_WHOLE:
        assert_true(pst_upconn_body_buffered(t->l.lease.conn, &whole));
        memcpy(t->body, whole.p, whole.len);
        t->body_len = whole.len;
        t->body_err = 0;
        break;
    default:
        break;
    }
}

static void begin(struct talk *t)
{
    memset(t, 0, sizeof(*t));
    t->body = malloc(BODY_MAX);
    assert_non_null(t->body);
    t->cap = 65536;
    t->body_err = 1;
    rig_begin(&t->rig);
    rig_lease_init(&t->l);
    rig_lease_now(&t->rig, &t->l, 0);
    t->fd = rig_accept(&t->rig);
}

static void end(struct talk *t)
{
    pst_pool_discard(&t->l.lease);
    if (t->fd >= 0)
        close(t->fd);
    rig_end(&t->rig);
    free(t->body);
}

/* Starts the exchange and sends the whole request. */
static void ask(struct talk *t, unsigned flags)
{
    t->n_head = t->n_body = t->n_writable = t->n_fail = 0;
    t->body_len = 0;
    t->body_err = 1;
    pst_upconn_start(t->l.lease.conn, &handlers, t, flags);
    assert_int_equal(pst_upconn_send(t->l.lease.conn, REQUEST, sizeof(REQUEST) - 1), sizeof(REQUEST) - 1);
    pst_upconn_request_done(t->l.lease.conn);
    rig_expect(t->fd, "\r\n\r\n");
}

static void reply(struct talk *t, const char *text)
{
    rig_print(t->fd, text);
    rig_settle(&t->rig);
}

static void test_simple(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.on_head = ACT_READ;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pst_upconn_reused(t.l.lease.conn), i > 0);
        ask(&t, 0);
        assert_null(pst_upconn_head(t.l.lease.conn));
        assert_int_equal(pst_upconn_answer_bytes(t.l.lease.conn), 0);
        assert_int_equal(pst_upconn_request_bytes(t.l.lease.conn), sizeof(REQUEST) - 1);
        reply(&t, OK "Content-Length: 5\r\nX-A: b\r\n\r\nhello");
        assert_int_equal(t.n_head, 1);
        assert_int_equal(t.n_fail, 0);
        assert_int_equal(t.body_err, 0);
        assert_int_equal(t.body_len, 5);
        assert_memory_equal(t.body, "hello", 5);
        assert_int_equal(pst_upconn_head(t.l.lease.conn)->status, 200);
        assert_int_equal(pst_upconn_answer_bytes(t.l.lease.conn),
                         strlen(OK "Content-Length: 5\r\nX-A: b\r\n\r\nhello"));
        assert_true(pst_upconn_reusable(t.l.lease.conn));
        struct pst_upconn *conn = t.l.lease.conn;
        pst_pool_give_back(&t.l.lease);
        rig_lease_now(&t.rig, &t.l, 0);
        assert_ptr_equal(t.l.lease.conn, conn);
    }
    end(&t);
}

struct wire_case {
    const char *wire;
    unsigned flags;
    const char *body;
    bool reusable;
    bool close_after;
};

static const struct wire_case wire_cases[] = {
    {OK "Content-Length: 5\r\n\r\nhello", 0, "hello", true, false},
    {OK "Content-Length: 0\r\n\r\n", 0, "", true, false},
    {OK "Content-Length: 5\r\nConnection: close\r\n\r\nhello", 0, "hello", false, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nT: v\r\n\r\n", 0,
     "hello, world", true, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", true, false},
    {OK "\r\nuntil the end", 0, "until the end", false, true},
    {"HTTP/1.0 200 OK\r\n\r\nold", 0, "old", false, true},
    {OK "Content-Length: 77\r\n\r\n", PST_ANSWER_TO_HEAD, "", true, false},
    {"HTTP/1.1 204 No Content\r\n\r\n", 0, "", true, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", 0, "", true, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n" OK "Content-Length: 2\r\n\r\nok", 0,
     "ok", true, false},
    /* Whole before the end of the connection. */
    {OK "Content-Length: 5\r\n\r\nhello", 0, "hello", false, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 0, "hello", false, true},
};

static void check_split(const struct wire_case *c, size_t cut, size_t cap)
{
    struct talk t;
    begin(&t);
    t.on_head = t.on_body = ACT_READ;
    t.cap = cap;
    ask(&t, c->flags);
    if (cut > 0) {
        rig_write(t.fd, c->wire, cut);
        rig_settle(&t.rig);
    }
    if (cut < strlen(c->wire))
        rig_print(t.fd, c->wire + cut);
    if (c->close_after)
        shutdown(t.fd, SHUT_WR);
    rig_settle(&t.rig);
    if (t.n_head != 1 || t.n_fail != 0 || t.body_err != 0 || t.body_len != strlen(c->body))
        fail_msg("%s cut at %zu: %d heads, %d failures, end %d, %zu bytes", c->wire, cut, t.n_head, t.n_fail,
                 t.body_err, t.body_len);
    assert_memory_equal(t.body, c->body, t.body_len);
    assert_int_equal(pst_upconn_state(t.l.lease.conn), PST_UPCONN_DONE);
    assert_int_equal(pst_upconn_reusable(t.l.lease.conn), c->reusable);
    assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 1), 0); /* the end stays */
    end(&t);
}

static void test_split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wire_cases) / sizeof(wire_cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(wire_cases[i].wire); cut++)
            check_split(&wire_cases[i], cut, 4096);
        check_split(&wire_cases[i], 0, 1);
        check_split(&wire_cases[i], strlen(wire_cases[i].wire) - 1, 1);
    }
}

/* The answer broken off at every byte: never taken for whole. */
static void check_broken(const struct wire_case *c, size_t cut, bool reset)
{
    struct talk t;
    begin(&t);
    t.on_head = t.on_body = ACT_READ;
    ask(&t, c->flags);
    if (cut > 0)
        rig_write(t.fd, c->wire, cut);
    if (reset)
        rig_settle(&t.rig); /* a reset overtakes data that was not read */
    if (reset)
        rig_reset(t.fd);
    else
        close(t.fd);
    t.fd = -1;
    rig_settle(&t.rig);
    if (t.n_head == 0) {
        assert_int_equal(t.n_fail, 1);
        assert_int_equal(t.err, -PST_ERESET);
        assert_int_equal(pst_upconn_answer_bytes(t.l.lease.conn), cut);
    } else {
        assert_int_equal(t.n_fail, 0);
        assert_int_equal(t.body_err, -PST_ERESET);
        assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 1), -PST_ERESET); /* it stays */
    }
    assert_true(pst_upconn_fault(t.l.lease.conn)[0] != '\0');
    assert_false(pst_upconn_reusable(t.l.lease.conn));
    end(&t);
}

static void test_broken_at_every_byte(void **state)
{
    (void)state;
    static const size_t which[] = {0, 3};
    for (size_t i = 0; i < 2; i++) {
        for (size_t cut = 0; cut < strlen(wire_cases[which[i]].wire); cut++) {
            check_broken(&wire_cases[which[i]], cut, false);
            check_broken(&wire_cases[which[i]], cut, true);
        }
    }
    /* Until close: an end is an end, a reset is not. */
    struct talk t;
    begin(&t);
    t.on_head = t.on_body = ACT_READ;
    ask(&t, 0);
    reply(&t, OK "\r\nhalf");
    rig_reset(t.fd);
    t.fd = -1;
    rig_settle(&t.rig);
    assert_int_equal(t.body_len, 4);
    assert_int_equal(t.body_err, -PST_ERESET);
    end(&t);
}

static void test_rubbish(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "<html>\r\n\r\n",
        OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct talk t;
        begin(&t);
        ask(&t, 0);
        reply(&t, heads[i]);
        assert_int_equal(t.n_head, 0);
        assert_int_equal(t.n_fail, 1);
        assert_int_equal(t.err, -PST_EPROTO);
        assert_true(pst_upconn_fault(t.l.lease.conn)[0] != '\0');
        assert_null(pst_upconn_head(t.l.lease.conn));
        /* More of it changes nothing. */
        reply(&t, heads[i]);
        assert_int_equal(t.n_fail, 1);
        end(&t);
    }
    /* In the body, with the head and behind it. */
    for (int later = 0; later < 2; later++) {
        struct talk t;
        begin(&t);
        t.on_head = t.on_body = ACT_READ;
        ask(&t, 0);
        if (later) {
            reply(&t, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            assert_int_equal(t.body_len, 5);
            reply(&t, "zz\r\n");
        } else {
            reply(&t, OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
        }
        assert_int_equal(t.n_head, 1);
        assert_int_equal(t.n_fail, 0);
        assert_int_equal(t.body_err, -PST_EPROTO);
        assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 10), -PST_EPROTO);
        struct pst_str whole;
        assert_false(pst_upconn_body_buffered(t.l.lease.conn, &whole));
        end(&t);
    }
}

static void test_head_too_large(void **state)
{
    (void)state;
    struct talk t;
    char line[1024];
    memset(line, 'a', sizeof(line));
    memcpy(line, "X-A: ", 5);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    begin(&t);
    ask(&t, 0);
    rig_print(t.fd, OK);
    for (int i = 0; i < 64; i++) {
        rig_write(t.fd, line, sizeof(line));
        if (i % 8 == 0)
            rig_settle(&t.rig);
    }
    rig_settle(&t.rig);
    assert_int_equal(t.n_fail, 1);
    assert_int_equal(t.err, -PST_ELIMIT);
    end(&t);
}

/* Bytes behind the end: the answer counts, the connection does not. */
static void test_excess(void **state)
{
    (void)state;
    static const char *const wires[] = {
        OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n",
        OK "Content-Length: 0\r\n\r\nX",
        OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nX",
        "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nX",
        "HTTP/1.1 304 Not Modified\r\n\r\nX",
    };
    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        size_t head = (size_t)(strstr(wires[i], "\r\n\r\n") + 4 - wires[i]);
        for (int way = 0; way < 3; way++) {
            struct talk t;
            begin(&t);
            t.on_head = way == 2 ? ACT_TAKE_WHOLE : ACT_READ;
            t.on_body = ACT_READ;
            ask(&t, 0);
            if (way == 1) {
                rig_write(t.fd, wires[i], head);
                rig_settle(&t.rig);
                rig_print(t.fd, wires[i] + head);
                rig_settle(&t.rig);
            } else {
                reply(&t, wires[i]);
            }
            assert_int_equal(t.n_head, 1);
            assert_int_equal(t.body_err, 0);
            assert_true(t.body_len == 0 || t.body_len == 5);
            /* Where only the socket knows, give_back asks it. */
            pst_pool_give_back(&t.l.lease);
            struct pst_pool_stats stats;
            pst_pool_stats(t.rig.pool, &stats);
            assert_int_equal(stats.connections, 0);
            end(&t);
        }
    }
}

/* The reader's buffer is exactly as large as what is left: nothing tells that the socket is drained, but
 * give_back finds out. */
static void test_exact_buffer(void **state)
{
    (void)state;
    for (int excess = 0; excess < 2; excess++) {
        struct talk t;
        struct pst_pool_stats stats;
        begin(&t);
        ask(&t, 0);
        reply(&t, OK "Content-Length: 5\r\n\r\n");
        assert_int_equal(t.n_head, 1);
        assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 5), -PST_EAGAIN);
        reply(&t, excess ? "helloX" : "hello");
        assert_int_equal(t.n_body, 1);
        assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 5), 5);
        assert_int_equal(pst_upconn_state(t.l.lease.conn), PST_UPCONN_DONE);
        pst_pool_give_back(&t.l.lease);
        pst_pool_stats(t.rig.pool, &stats);
        assert_int_equal(stats.connections, excess ? 0 : 1);
        end(&t);
    }
}

static void test_body_buffered(void **state)
{
    (void)state;
    static const struct {
        const char *wire;
        const char *body; /* NULL: not whole */
        unsigned flags;
    } cases[] = {
        {OK "Content-Length: 5\r\n\r\nhello", "hello", 0},
        {OK "Content-Length: 0\r\n\r\n", "", 0},
        {OK "Content-Length: 5\r\n\r\n", "", PST_ANSWER_TO_HEAD},
        {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello", 0},
        {OK "Content-Length: 6\r\n\r\nhello", NULL, 0},
        {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", NULL, 0},
        {OK "\r\nhello", NULL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int inside = 0; inside < 2; inside++) {
            struct talk t;
            struct pst_str whole;
            if (inside && cases[i].body == NULL)
                continue;
            begin(&t);
            t.on_head = inside ? ACT_TAKE_WHOLE : ACT_NOTHING;
            ask(&t, cases[i].flags);
            reply(&t, cases[i].wire);
            assert_int_equal(t.n_head, 1);
            if (cases[i].body == NULL) {
                assert_false(pst_upconn_body_buffered(t.l.lease.conn, &whole));
                read_all(&t);
                assert_int_equal(t.body_err, 1);
                assert_int_equal(t.body_len, 5);
            } else {
                if (!inside)
                    act(&t, ACT_TAKE_WHOLE);
                assert_int_equal(t.body_len, strlen(cases[i].body));
                assert_memory_equal(t.body, cases[i].body, t.body_len);
                assert_int_equal(pst_upconn_state(t.l.lease.conn), PST_UPCONN_DONE);
                assert_true(pst_upconn_reusable(t.l.lease.conn));
                assert_true(pst_upconn_body_buffered(t.l.lease.conn, &whole));
                assert_int_equal(whole.len, 0);
            }
            end(&t);
        }
    }
    /* Part of it read before. */
    struct talk t;
    struct pst_str whole;
    begin(&t);
    ask(&t, 0);
    reply(&t, OK "Content-Length: 5\r\n\r\nhello");
    assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 2), 2);
    assert_true(pst_upconn_body_buffered(t.l.lease.conn, &whole));
    assert_true(pst_str_eq(whole, PST_STR("llo")));
    end(&t);
}

/* What came with the head survives other connections' use of the shared buffer. */
static void test_rest_is_kept(void **state)
{
    (void)state;
    struct talk t;
    struct talk other;
    char wire[256 + 3000];
    begin(&t);
    ask(&t, 0);
    int head = snprintf(wire, sizeof(wire), OK "Content-Length: 3000\r\n\r\n");
    memset(wire + head, 'x', 3000);
    rig_write(t.fd, wire, (size_t)head + 3000);
    rig_settle(&t.rig);
    assert_int_equal(t.n_head, 1);
    /* The same pool, another connection. */
    memset(&other, 0, sizeof(other));
    other.rig = t.rig;
    other.body = malloc(BODY_MAX);
    other.cap = 4096;
    rig_lease_init(&other.l);
    rig_lease_now(&t.rig, &other.l, 0);
    other.fd = rig_accept(&t.rig);
    ask(&other, 0);
    memset(wire + head, 'y', 3000);
    rig_write(other.fd, wire, (size_t)head + 3000);
    rig_settle(&t.rig);
    read_all(&t);
    read_all(&other);
    assert_int_equal(t.body_len, 3000);
    assert_int_equal(other.body_len, 3000);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(t.body[i], 'x');
        assert_int_equal(other.body[i], 'y');
    }
    pst_pool_discard(&other.l.lease);
    close(other.fd);
    free(other.body);
    end(&t);
}

/* Writes `len` bytes of a pattern as far as the socket takes them. */
static size_t write_some(int fd, size_t at, size_t len)
{
    char piece[65536];
    size_t n = len - at < sizeof(piece) ? len - at : sizeof(piece);
    for (size_t i = 0; i < n; i++)
        piece[i] = (char)((at + i) * 31 >> 3);
    ssize_t sent = send(fd, piece, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? (size_t)sent : 0;
}

static void check_pattern(const struct talk *t, size_t len)
{
    assert_int_equal(t->body_len, len);
    for (size_t i = 0; i < len; i++) {
        if (t->body[i] != (char)(i * 31 >> 3))
            fail_msg("byte %zu is wrong", i);
    }
}

static void test_large_body(void **state)
{
    (void)state;
    const size_t len = 5 * 1000 * 1000 + 7;
    static const size_t caps[] = {997, 16384, 200000};
    for (size_t i = 0; i < 3; i++) {
        struct talk t;
        char head[64];
        begin(&t);
        t.on_head = t.on_body = ACT_READ;
        t.cap = caps[i];
        ask(&t, 0);
        snprintf(head, sizeof(head), OK "Content-Length: %zu\r\n\r\n", len);
        rig_print(t.fd, head);
        for (size_t at = 0; at < len; rig_settle(&t.rig))
            at += write_some(t.fd, at, len);
        rig_settle(&t.rig);
        check_pattern(&t, len);
        assert_int_equal(t.body_err, 0);
        assert_true(pst_upconn_reusable(t.l.lease.conn));
        end(&t);
    }
}

/* A reader that does not read holds the container back, and loses nothing. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct talk t;
    const size_t len = 7 * 1000 * 1000;
    char head[64];
    begin(&t);
    ask(&t, 0);
    snprintf(head, sizeof(head), OK "Content-Length: %zu\r\n\r\n", len);
    rig_print(t.fd, head);
    size_t at = 0;
    for (int idle = 0; idle < 20; rig_settle(&t.rig)) {
        size_t n = write_some(t.fd, at, len);
        at += n;
        idle = n > 0 ? 0 : idle + 1;
        assert_true(at < len);
    }
    assert_int_equal(t.n_head, 1);
    assert_int_equal(t.n_body, 0);
    t.on_body = ACT_READ;
    read_all(&t);
    while (at < len) {
        at += write_some(t.fd, at, len);
        rig_settle(&t.rig);
    }
    rig_settle(&t.rig);
    check_pattern(&t, len);
    assert_int_equal(t.body_err, 0);
    end(&t);
}

static void test_large_request(void **state)
{
    (void)state;
    struct talk t;
    const size_t len = 6 * 1000 * 1000;
    char *data = malloc(len);
    char *got = malloc(len + 100);
    assert_true(data != NULL && got != NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((i * 31) >> 3);
    begin(&t);
    pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
    ssize_t n = pst_upconn_send2(t.l.lease.conn, PST_STR("HEAD:"), (struct pst_str){data, len});
    assert_true(n > 5 && (size_t)n < len + 5);
    size_t sent = (size_t)n - 5;
    size_t arrived = 0;
    while (sent < len) {
        t.n_writable = 0;
        while (t.n_writable == 0) {
            ssize_t more = recv(t.fd, got + arrived, len + 100 - arrived, MSG_DONTWAIT);
            arrived += more > 0 ? (size_t)more : 0;
            rig_settle(&t.rig);
        }
        n = pst_upconn_send(t.l.lease.conn, data + sent, len - sent);
        assert_true(n >= 0);
        sent += (size_t)n;
    }
    while (arrived < len + 5) {
        ssize_t more = recv(t.fd, got + arrived, len + 100 - arrived, 0);
        assert_true(more > 0);
        arrived += (size_t)more;
    }
    assert_int_equal(arrived, len + 5);
    assert_memory_equal(got, "HEAD:", 5);
    assert_memory_equal(got + 5, data, len);
    assert_int_equal(pst_upconn_request_bytes(t.l.lease.conn), len + 5);
    free(data);
    free(got);
    end(&t);
}

/* 413 while the request is still being sent; then the container closes with the request unread, which resets
 * the connection. The answer must get through. */
static void test_early_answer(void **state)
{
    (void)state;
    for (int closes = 0; closes < 2; closes++) {
        struct talk t;
        char junk[65536];
        begin(&t);
        t.on_head = t.on_body = ACT_READ;
        memset(junk, 'j', sizeof(junk));
        pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
        ssize_t n = sizeof(junk);
        while (n == sizeof(junk))
            n = pst_upconn_send(t.l.lease.conn, junk, sizeof(junk));
        rig_print(t.fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nstop");
        if (closes) {
            close(t.fd);
            t.fd = -1;
            /* The next send finds the connection broken; nothing is called from inside it. */
            n = pst_upconn_send(t.l.lease.conn, junk, sizeof(junk));
            assert_int_equal(n, -PST_ECLOSED);
            assert_int_equal(t.n_head, 0);
            assert_int_equal(pst_upconn_send(t.l.lease.conn, junk, 1), -PST_ECLOSED);
        }
        rig_settle(&t.rig);
        assert_int_equal(t.n_head, 1);
        assert_int_equal(t.n_fail, 0);
        assert_int_equal(pst_upconn_head(t.l.lease.conn)->status, 413);
        assert_int_equal(t.body_len, 4);
        assert_int_equal(t.body_err, 0);
        assert_false(pst_upconn_reusable(t.l.lease.conn)); /* the request was not sent whole */
        end(&t);
    }
}

/* The container goes away while the request is being sent, without a word. */
static void test_reset_while_sending(void **state)
{
    (void)state;
    struct talk t;
    char junk[65536];
    begin(&t);
    memset(junk, 'j', sizeof(junk));
    pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
    assert_true(pst_upconn_send(t.l.lease.conn, junk, sizeof(junk)) > 0);
    rig_reset(t.fd);
    t.fd = -1;
    while (pst_upconn_send(t.l.lease.conn, junk, sizeof(junk)) >= 0)
        ;
    assert_int_equal(t.n_fail, 0);
    rig_settle(&t.rig);
    assert_int_equal(t.n_fail, 1);
    assert_int_equal(t.err, -PST_ERESET);
    assert_int_equal(pst_upconn_answer_bytes(t.l.lease.conn), 0);
    assert_int_equal(t.n_writable, 0);
    end(&t);
}

/* A kept connection that the container closed a moment ago, unseen: told as stale. */
static void test_stale(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.on_head = ACT_READ;
    ask(&t, 0);
    reply(&t, OK "Content-Length: 2\r\n\r\nok");
    pst_pool_give_back(&t.l.lease);
    close(t.fd);
    t.fd = -1;
    /* No turn of the loop in between. */
    assert_int_equal(pst_pool_lease(t.rig.pool, &t.l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &t.l), 1);
    t.n_head = 0;
    pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
    assert_true(pst_upconn_send(t.l.lease.conn, REQUEST, sizeof(REQUEST) - 1) > 0);
    rig_settle(&t.rig);
    assert_int_equal(t.n_fail, 1);
    assert_int_equal(t.err, -PST_ERESET);
    assert_true(pst_upconn_reused(t.l.lease.conn));
    assert_int_equal(pst_upconn_answer_bytes(t.l.lease.conn), 0);
    end(&t);
}

/* Spoke before it was asked, while it was lent but not used: that is no answer. */
static void test_spoke_first(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    rig_print(t.fd, OK "Content-Length: 4\r\n\r\nfake");
    rig_settle(&t.rig);
    assert_false(pst_upconn_reusable(t.l.lease.conn));
    pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
    assert_int_equal(pst_upconn_send(t.l.lease.conn, REQUEST, sizeof(REQUEST) - 1), -PST_ECLOSED);
    assert_int_equal(t.n_fail, 0);
    rig_print(t.fd, OK "Content-Length: 0\r\n\r\n"); /* an event that comes before the failure is told */
    rig_settle(&t.rig);
    assert_int_equal(t.n_fail, 1);
    assert_int_equal(t.n_head, 0);
    assert_int_equal(t.err, -PST_ERESET);
    end(&t);
}

/* Discarded from inside each callback, with more to come: nothing else is called, the container sees the end.
 */
static void test_discard_inside(void **state)
{
    (void)state;
    for (int where = 0; where < 4; where++) {
        struct talk t;
        begin(&t);
        enum act *acts[] = {&t.on_head, &t.on_body, &t.on_writable, &t.on_fail};
        *acts[where] = ACT_DISCARD;
        if (where == 2) {
            char junk[65536] = {0};
            pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
            while (pst_upconn_send(t.l.lease.conn, junk, sizeof(junk)) == sizeof(junk))
                ;
            for (int i = 0; i < 1000 && t.n_writable == 0; i++) {
                (void)!recv(t.fd, junk, sizeof(junk), MSG_DONTWAIT);
                rig_settle(&t.rig);
            }
            assert_int_equal(t.n_writable, 1);
        } else {
            ask(&t, 0);
            if (where == 1) {
                reply(&t, OK "Content-Length: 10\r\n\r\nhel");
                read_all(&t);
            }
            reply(&t, where == 3   ? "rubbish\r\n\r\n"
                      : where == 1 ? "lo"
                                   : OK "Content-Length: 10\r\n\r\nhello");
        }
        assert_int_equal(t.l.lease.state, PST_LEASE_NONE);
        assert_int_equal(t.n_head, where <= 1);
        assert_int_equal(t.n_body, where == 1);
        assert_int_equal(t.n_fail, where == 3);
        assert_true(rig_sees_close(t.fd));
        rig_settle(&t.rig);
        end(&t);
    }
}

/* One event brings the answer and room to send: after a discard in on_head, on_writable is not called. */
static void test_discard_with_more_to_come(void **state)
{
    (void)state;
    struct talk t;
    char junk[65536] = {0};
    begin(&t);
    t.on_head = ACT_DISCARD;
    pst_upconn_start(t.l.lease.conn, &handlers, &t, 0);
    while (pst_upconn_send(t.l.lease.conn, junk, sizeof(junk)) == sizeof(junk))
        ;
    rig_print(t.fd, OK "Content-Length: 0\r\n\r\n");
    while (recv(t.fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
        ;
    rig_settle(&t.rig);
    assert_int_equal(t.n_head, 1);
    assert_int_equal(t.n_writable, 0);
    end(&t);
}

static void start_next(struct pst_upconn *conn, void *arg)
{
    struct talk *t = arg;
    struct pst_str whole;
    assert_true(pst_upconn_body_buffered(conn, &whole));
    assert_true(pst_str_eq(whole, PST_STR("one")));
    pst_pool_give_back(&t->l.lease);
    assert_int_equal(pst_pool_lease(t->rig.pool, &t->l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &t->l), 1);
    assert_ptr_equal(t->l.lease.conn, conn);
    pst_upconn_start(conn, &handlers, t, 0);
    assert_true(pst_upconn_send(conn, REQUEST, sizeof(REQUEST) - 1) > 0);
    pst_upconn_request_done(conn);
}

static void no_failure(struct pst_upconn *conn, int err, void *arg)
{
    (void)conn;
    (void)arg;
    fail_msg("failed with %d", err);
}

/* Given back, lent again and asked again from inside on_head: the second exchange is its own. */
static void test_next_exchange_inside(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    const struct pst_upconn_handlers first = {NULL, start_next, NULL, no_failure};
    t.on_head = ACT_READ;
    pst_upconn_start(t.l.lease.conn, &first, &t, 0);
    assert_true(pst_upconn_send(t.l.lease.conn, REQUEST, sizeof(REQUEST) - 1) > 0);
    pst_upconn_request_done(t.l.lease.conn);
    rig_expect(t.fd, "\r\n\r\n");
    reply(&t, OK "Content-Length: 3\r\n\r\none");
    rig_expect(t.fd, "\r\n\r\n");
    assert_int_equal(t.n_head, 0);
    reply(&t, OK "Content-Length: 3\r\n\r\ntwo");
    assert_int_equal(t.n_head, 1);
    assert_int_equal(t.n_body, 0);
    assert_memory_equal(t.body, "two", 3);
    assert_true(pst_upconn_reusable(t.l.lease.conn));
    end(&t);
}

static void test_upgrade(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.on_head = t.on_body = ACT_READ;
    ask(&t, PST_ANSWER_MAY_UPGRADE);
    reply(&t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
    assert_int_equal(t.n_head, 1);
    assert_true(pst_upconn_head(t.l.lease.conn)->upgraded);
    assert_int_equal(t.body_len, 5);
    assert_int_equal(pst_upconn_send(t.l.lease.conn, "ping", 4), 4);
    rig_expect(t.fd, "ping");
    reply(&t, "pong");
    assert_memory_equal(t.body, "firstpong", 9);
    pst_upconn_shutdown(t.l.lease.conn);
    char byte;
    assert_int_equal(read(t.fd, &byte, 1), 0);
    assert_int_equal(pst_upconn_send(t.l.lease.conn, "x", 1), -PST_ECLOSED);
    reply(&t, "bye");
    shutdown(t.fd, SHUT_WR);
    rig_settle(&t.rig);
    assert_memory_equal(t.body, "firstpongbye", 12);
    assert_int_equal(t.body_err, 0);
    assert_false(pst_upconn_reusable(t.l.lease.conn));
    end(&t);
}

/* Event by event, as a container that streams tokens sends them. */
static void test_stream(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    t.on_head = t.on_body = ACT_READ;
    ask(&t, 0);
    reply(&t, OK "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 50; i++) {
        reply(&t, "9\r\ndata: x\n\n\r\n");
        assert_int_equal(t.body_len, (size_t)(i + 1) * 9);
        assert_int_equal(t.n_body, i + 1);
    }
    reply(&t, "0\r\n\r\n");
    assert_int_equal(t.body_err, 0);
    assert_true(pst_upconn_reusable(t.l.lease.conn));
    end(&t);
}

static void test_progress(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    ask(&t, 0);
    uint64_t asked = pst_upconn_last_progress_us(t.l.lease.conn);
    rig_turn_for(&t.rig, 20);
    assert_int_equal(pst_upconn_last_progress_us(t.l.lease.conn), asked);
    reply(&t, "HTTP/1.1 ");
    assert_true(pst_upconn_last_progress_us(t.l.lease.conn) >= asked + 15000);
    end(&t);
}

/* Memory fails when the rest of a body is to be kept: told by the next read, not by a crash. */
static void test_no_memory(void **state)
{
    (void)state;
    struct talk t;
    begin(&t);
    ask(&t, 0);
    rig_print(t.fd, OK "Content-Length: 5\r\n\r\nhello");
    wrap_fail_at = 1;
    rig_settle(&t.rig);
    wrap_fail_at = 0;
    assert_int_equal(t.n_head, 1);
    struct pst_str whole;
    assert_false(pst_upconn_body_buffered(t.l.lease.conn, &whole));
    assert_int_equal(pst_upconn_read(t.l.lease.conn, t.body, 10), -PST_ENOMEM);
    assert_int_equal(pst_upconn_state(t.l.lease.conn), PST_UPCONN_FAILED);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_broken_at_every_byte),
        cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_head_too_large),
        cmocka_unit_test(test_excess),
        cmocka_unit_test(test_exact_buffer),
        cmocka_unit_test(test_body_buffered),
        cmocka_unit_test(test_rest_is_kept),
        cmocka_unit_test(test_large_body),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_large_request),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_reset_while_sending),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_spoke_first),
        cmocka_unit_test(test_discard_inside),
        cmocka_unit_test(test_discard_with_more_to_come),
        cmocka_unit_test(test_next_exchange_inside),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
