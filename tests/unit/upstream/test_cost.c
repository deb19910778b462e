/* SPDX-License-Identifier: Apache-2.0 */
/* What a small exchange on a kept connection costs: one send, one recv, no epoll_ctl, no allocation. */
#include "rig.h"
#include "wraps.h"

#include <string.h>
#include <unistd.h>

#define REQUEST "POST /x HTTP/1.1\r\nHost: c\r\nContent-Length: 4\r\n\r\n"
#define OK      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: Kestrel\r\n"

struct exchange {
    struct rig rig;
    struct rig_lease l;
    int fd;
    bool take_whole; /* body_buffered, else read */
    size_t body_len;
    bool over;
};

static void take_body(struct pst_upconn *conn, struct exchange *x)
{
    char buf[4096];
    struct pst_str whole;
    ssize_t n = 1;
    if (x->take_whole && pst_upconn_body_buffered(conn, &whole)) {
        x->body_len = whole.len;
        n = 0;
    }
    while (n > 0) {
        n = pst_upconn_read(conn, buf, sizeof(buf));
        x->body_len += n > 0 ? (size_t)n : 0;
    }
    if (n == 0) {
        x->over = true;
        pst_pool_give_back(&x->l.lease);
    } else {
        assert_int_equal(n, -PST_EAGAIN);
    }
}

static void on_head_or_body(struct pst_upconn *conn, void *arg)
{
    take_body(conn, arg);
}

static void on_fail(struct pst_upconn *conn, int err, void *arg)
{
    (void)conn;
    (void)arg;
    fail_msg("failed with %d", err);
}

static const struct pst_upconn_handlers handlers = {NULL, on_head_or_body, on_head_or_body, on_fail};

/* The pieces reach the container's client one by one. */
static void exchange(struct exchange *x, const char *const *pieces, size_t n_pieces)
{
    x->body_len = 0;
    x->over = false;
    rig_lease_now(&x->rig, &x->l, 0);
    struct pst_upconn *conn = x->l.lease.conn;
    pst_upconn_start(conn, &handlers, x, 0);
    assert_int_equal(pst_upconn_send2(conn, PST_STR(REQUEST), PST_STR("body")), sizeof(REQUEST) - 1 + 4);
    pst_upconn_request_done(conn);
    if (x->fd < 0)
        x->fd = rig_accept(&x->rig);
    rig_expect(x->fd, "body");
    for (size_t i = 0; i < n_pieces; i++) {
        rig_print(x->fd, pieces[i]);
        rig_settle(&x->rig);
    }
    assert_true(x->over);
}

static void check_cost(bool take_whole, const char *const *pieces, size_t n_pieces, size_t body_len)
{
    struct exchange x = {.fd = -1, .take_whole = take_whole};
    rig_begin(&x.rig);
    rig_lease_init(&x.l);
    x.l.owner = 4711;
    for (int warm = 0; warm < 3; warm++)
        exchange(&x, pieces, n_pieces);
    memset(&wrap_counts, 0, sizeof(wrap_counts));
    for (int i = 0; i < 10; i++) {
        exchange(&x, pieces, n_pieces);
        assert_int_equal(x.body_len, body_len);
    }
    assert_int_equal(wrap_counts.sendmsg_calls, 10);
    assert_int_equal(wrap_counts.recv_calls, 10 * n_pieces);
    assert_int_equal(wrap_counts.epoll_ctl_calls, 0);
    assert_int_equal(wrap_counts.allocations, 0);
    close(x.fd);
    rig_end(&x.rig);
}

static void test_small_answers(void **state)
{
    (void)state;
    static const char *const with_length[] = {OK "Content-Length: 11\r\n\r\n{\"a\":12345}"};
    static const char *const chunked[] = {
        OK "Transfer-Encoding: chunked\r\n\r\nb\r\n{\"a\":12345}\r\n0\r\n\r\n"};
    static const char *const none[] = {"HTTP/1.1 204 No Content\r\n\r\n"};
    for (int whole = 0; whole < 2; whole++) {
        check_cost(whole, with_length, 1, 11);
        check_cost(whole, chunked, 1, 11);
        check_cost(whole, none, 1, 0);
    }
}

/* Each piece that comes by itself costs one recv, none of which can only say that there is nothing. */
static void test_answers_in_pieces(void **state)
{
    (void)state;
    static const char *const with_length[] = {OK "Content-Length: 11\r\n\r\n", "{\"a\":", "12345}"};
    static const char *const chunked[] = {OK "Transfer-Encoding: chunked\r\n\r\n", "5\r\n{\"a\":\r\n",
                                          "6\r\n12345}\r\n", "0\r\n\r\n"};
    check_cost(false, with_length, 3, 11);
    check_cost(true, with_length, 3, 11);
    check_cost(false, chunked, 4, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_answers),
        cmocka_unit_test(test_answers_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
