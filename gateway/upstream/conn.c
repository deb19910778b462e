/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's states, its events, and the sending side. */
#include "private.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define TO(state) (1u << PST_UPCONN_##state)

static const unsigned legal_moves[PST_UPCONN_STATE_MAX] = {
    [PST_UPCONN_CONNECTING] = TO(LEASED) | TO(CLOSED),
    [PST_UPCONN_IDLE] = TO(LEASED) | TO(CLOSED),
    [PST_UPCONN_LEASED] = TO(HEAD) | TO(IDLE) | TO(CLOSED),
    [PST_UPCONN_HEAD] = TO(BODY) | TO(DONE) | TO(FAILED) | TO(CLOSED),
    [PST_UPCONN_BODY] = TO(DONE) | TO(FAILED) | TO(CLOSED),
    [PST_UPCONN_DONE] = TO(IDLE) | TO(CLOSED),
    [PST_UPCONN_FAILED] = TO(CLOSED),
    [PST_UPCONN_CLOSED] = 0,
};

void upconn_move(struct pst_upconn *conn, enum pst_upconn_state to)
{
    assert((legal_moves[conn->state] & (1u << to)) != 0);
    conn->state = to;
}

void upconn_fail(struct pst_upconn *conn, int err, const char *fault)
{
    bool before_head = conn->state == PST_UPCONN_HEAD;
    upconn_move(conn, PST_UPCONN_FAILED);
    conn->err = err;
    conn->fault = fault;
    if (before_head)
        conn->handlers->on_fail(conn, err, conn->arg);
}

/* What is readable or writable is passed to whoever waits for it. Each callback may end the exchange. */
static void exchange_on_event(struct pst_upconn *conn, bool writable)
{
    uint64_t exchange = conn->exchange;
    if (conn->state == PST_UPCONN_HEAD && conn->readable && conn->err == 0) {
        receive_head(conn);
    } else if (conn->wants_read && conn->readable) {
        conn->wants_read = false;
        conn->handlers->on_body(conn, conn->arg);
    }
    if (upconn_is_still(conn, exchange) && conn->wants_write && writable &&
        conn->state != PST_UPCONN_FAILED) {
        conn->wants_write = false;
        conn->handlers->on_writable(conn, conn->arg);
    }
}

/* The event may be older than the connection's last use in the same turn, so the socket itself is asked. */
static void idle_on_event(struct pst_upconn *conn)
{
    if (!conn->readable || !receive_is_dirty(conn)) {
        conn->readable = false;
        return;
    }
    conn->pool->stats.died_idle++;
    pool_close(conn);
}

void upconn_on_event(struct pst_watch *watch, uint32_t events, void *arg)
{
    struct pst_upconn *conn = arg;
    (void)watch;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        conn->readable = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        conn->hung_up = true;
    switch (conn->state) {
    case PST_UPCONN_CONNECTING:
        connect_on_event(conn);
        break;
    case PST_UPCONN_IDLE:
        idle_on_event(conn);
        break;
    case PST_UPCONN_HEAD:
    case PST_UPCONN_BODY:
    case PST_UPCONN_DONE:
        exchange_on_event(conn, (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0);
        break;
    default:
        break;
    }
}

void upconn_on_kick(struct pst_deferred *deferred, void *arg)
{
    struct pst_upconn *conn = arg;
    (void)deferred;
    if (conn->state == PST_UPCONN_CONNECTING)
        connect_on_kick(conn);
    else if (conn->state == PST_UPCONN_HEAD && conn->err < 0)
        upconn_fail(conn, conn->err, conn->fault);
    else if (conn->state == PST_UPCONN_HEAD || conn->state == PST_UPCONN_BODY)
        exchange_on_event(conn, false);
}

void pst_upconn_start(struct pst_upconn *conn, const struct pst_upconn_handlers *handlers, void *arg,
                      unsigned flags)
{
    upconn_move(conn, PST_UPCONN_HEAD);
    conn->exchange++;
    conn->handlers = handlers;
    conn->arg = arg;
    conn->last_progress_us = pst_loop_now_us(conn->pool->loop);
    pst_answer_begin(conn->parser, flags);
    if (conn->readable) {
        /* Closed meanwhile, or it spoke before it was asked: what it said is no answer to this request. */
        conn->err = -PST_ERESET;
        conn->fault = "closed, or spoke out of turn, before the request";
        pst_loop_defer(conn->pool->loop, &conn->kick);
    }
}

static ssize_t send_parts(struct pst_upconn *conn, struct iovec *parts, size_t n_parts, size_t len)
{
    if (conn->send_broken || conn->err < 0 || conn->state < PST_UPCONN_HEAD || conn->state > PST_UPCONN_DONE)
        return -PST_ECLOSED;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};
    ssize_t n;
    do {
        n = sendmsg(conn->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        /* An early answer may lie in the socket still: look at the end of the turn. */
        conn->send_broken = conn->readable = conn->hung_up = true;
        pst_loop_defer(conn->pool->loop, &conn->kick);
        return -PST_ECLOSED;
    }
    if (n < (ssize_t)len)
        conn->wants_write = true;
    if (n <= 0)
        return 0;
    conn->request_bytes += (uint64_t)n;
    conn->last_progress_us = pst_loop_now_us(conn->pool->loop);
    return n;
}

static struct iovec part_of(const void *data, size_t len)
{
    union {
        const void *in;
        void *out;
    } pointer = {data}; /* sendmsg(2) does not write through it */
    return (struct iovec){pointer.out, len};
}

ssize_t pst_upconn_send(struct pst_upconn *conn, const void *data, size_t len)
{
    struct iovec part = part_of(data, len);
    return len > 0 ? send_parts(conn, &part, 1, len) : 0;
}

ssize_t pst_upconn_send2(struct pst_upconn *conn, struct pst_str head, struct pst_str body)
{
    struct iovec parts[2] = {part_of(head.p, head.len), part_of(body.p, body.len)};
    return head.len + body.len > 0 ? send_parts(conn, parts, body.len > 0 ? 2 : 1, head.len + body.len) : 0;
}

void pst_upconn_request_done(struct pst_upconn *conn)
{
    conn->request_done = true;
}

void pst_upconn_shutdown(struct pst_upconn *conn)
{
    if (conn->watch.fd >= 0)
        (void)shutdown(conn->watch.fd, SHUT_WR); /* broken already: the other side's events tell */
    conn->send_broken = true;
}

bool pst_upconn_reusable(const struct pst_upconn *conn)
{
    if (conn->hung_up || conn->excess)
        return false;
    if (conn->state == PST_UPCONN_LEASED)
        return !conn->readable;
    return conn->state == PST_UPCONN_DONE && conn->request_done && !conn->send_broken && !conn->wants_write &&
           pst_answer_head(conn->parser)->keep_alive;
}

const struct pst_answer *pst_upconn_head(const struct pst_upconn *conn)
{
    return pst_answer_head(conn->parser);
}

enum pst_upconn_state pst_upconn_state(const struct pst_upconn *conn)
{
    return conn->state;
}

bool pst_upconn_reused(const struct pst_upconn *conn)
{
    return conn->served > 0;
}

uint64_t pst_upconn_answer_bytes(const struct pst_upconn *conn)
{
    return conn->answer_bytes;
}

uint64_t pst_upconn_request_bytes(const struct pst_upconn *conn)
{
    return conn->request_bytes;
}

uint64_t pst_upconn_last_progress_us(const struct pst_upconn *conn)
{
    return conn->last_progress_us;
}

const char *pst_upconn_fault(const struct pst_upconn *conn)
{
    return conn->fault;
}

uint64_t pst_upconn_fault_at(const struct pst_upconn *conn)
{
    return pst_answer_fault_at(conn->parser);
}
