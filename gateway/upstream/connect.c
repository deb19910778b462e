/* SPDX-License-Identifier: Apache-2.0 */
/* Making a connection: one address after the other, the one that worked last first, within one time limit. */
#include "private.h"

#include "postern/base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* A full backlog of a unix socket answers EAGAIN and tells nobody when there is room: ask again. */
#define BACKLOG_RETRY_US 10000

/* A container on another node may vanish without a word during an answer that takes minutes: probe after a
 * minute, give up a minute later. */
#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_PROBES     4

static void set_options(int fd, int family)
{
    int on = 1;
    int idle_s = KEEPALIVE_IDLE_S;
    int interval_s = KEEPALIVE_INTERVAL_S;
    int probes = KEEPALIVE_PROBES;
    if (family == AF_UNIX)
        return;
    /* None of them is needed for a correct exchange, so a refusal changes nothing. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static int error_of_connect(int errno_value)
{
    switch (errno_value) {
    case ENOENT: /* the unix socket is not there (yet) */
    case ENOTDIR:
    case ECONNRESET:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return -PST_EREFUSED;
    default:
        return pst_err_from_errno(errno_value);
    }
}

static void drop_socket(struct pst_upconn *conn)
{
    int fd = conn->watch.fd;
    pst_loop_remove(conn->pool->loop, &conn->watch);
    pst_fd_close(fd);
    conn->readable = conn->hung_up = false;
}

/* 0 when the attempt is under way; the loop tells how it ends. -PST_EAGAIN: the backlog is full. */
static int try_address(struct pst_upconn *conn)
{
    socklen_t len;
    const struct sockaddr *address = pst_origin_address(conn->origin, conn->address, &len);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_of_connect(errno);
    set_options(fd, address->sa_family);
    int err = 0;
    if (connect(fd, address, len) < 0 && errno != EINPROGRESS)
        err = error_of_connect(errno);
    if (err == 0)
        err = pst_loop_add(conn->pool->loop, &conn->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    if (err < 0)
        pst_fd_close(fd);
    return err;
}

static uint64_t time_left_us(const struct pst_upconn *conn)
{
    uint64_t now_us = pst_loop_now_us(conn->pool->loop);
    return conn->connect_deadline_us > now_us ? conn->connect_deadline_us - now_us : 0;
}

/* Goes on from the current address until one is under way or none is left. */
static void try_on(struct pst_upconn *conn)
{
    size_t n = pst_origin_n_addresses(conn->origin);
    while (conn->n_tried < n) {
        int err = try_address(conn);
        if (err == 0) {
            /* Each address gets its share of the time that is left. */
            pst_timer_set(conn->pool->loop, &conn->timer, time_left_us(conn) / (n - conn->n_tried));
            return;
        }
        conn->connect_err = err;
        if (err == -PST_EAGAIN && time_left_us(conn) > 0) {
            pst_timer_set(conn->pool->loop, &conn->timer, BACKLOG_RETRY_US);
            return;
        }
        conn->n_tried++;
        conn->address = (conn->address + 1) % n;
    }
    /* Told from the loop, never from inside pst_pool_lease(). */
    pst_loop_defer(conn->pool->loop, &conn->kick);
}

void connect_start(struct pst_upconn *conn)
{
    struct pst_pool *pool = conn->pool;
    conn->origin = pst_origin_ref(pool->origin);
    conn->address = pool->preferred;
    conn->connect_deadline_us = pst_loop_now_us(pool->loop) + pool->limits.connect_timeout_us;
    conn->connect_err = -PST_EREFUSED;
    try_on(conn);
}

static void next_address(struct pst_upconn *conn, int err)
{
    pst_timer_clear(conn->pool->loop, &conn->timer);
    drop_socket(conn);
    conn->connect_err = err;
    conn->n_tried++;
    conn->address = (conn->address + 1) % pst_origin_n_addresses(conn->origin);
    try_on(conn);
}

void connect_on_event(struct pst_upconn *conn)
{
    int socket_error = 0;
    socklen_t len = sizeof(socket_error);
    if (getsockopt(conn->watch.fd, SOL_SOCKET, SO_ERROR, &socket_error, &len) < 0)
        socket_error = errno;
    if (socket_error != 0) {
        next_address(conn, error_of_connect(socket_error));
        return;
    }
    pst_timer_clear(conn->pool->loop, &conn->timer);
    conn->pool->preferred = conn->address;
    pst_origin_unref(conn->origin);
    conn->origin = NULL;
    pool_connected(conn);
}

void connect_on_timer(struct pst_upconn *conn)
{
    if (conn->watch.fd >= 0)
        next_address(conn, -PST_ETIMEOUT);
    else
        try_on(conn);
}

void connect_on_kick(struct pst_upconn *conn)
{
    int err = conn->connect_err;
    pool_connect_failed(conn, err == -PST_EAGAIN ? -PST_ETIMEOUT : err);
}
