/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"
#include "wraps.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pst_pool_stats stats_of(const struct rig *rig)
{
    struct pst_pool_stats stats;
    pst_pool_stats(rig->pool, &stats);
    return stats;
}

static void test_give_back_and_reuse(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease a;
    rig_begin(&rig);
    rig_lease_init(&a);
    /* The first comes from the loop, never from inside the call. */
    assert_int_equal(pst_pool_lease(rig.pool, &a.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &a), 0);
    assert_int_equal(a.n_ready, 0);
    assert_int_equal(a.lease.state, PST_LEASE_CONNECTING);
    rig_turn_until(&rig, &a.done, 1000);
    struct pst_upconn *conn = a.lease.conn;
    assert_int_equal(pst_upconn_state(conn), PST_UPCONN_LEASED);
    pst_pool_give_back(&a.lease);
    assert_null(a.lease.conn);
    assert_int_equal(pst_upconn_state(conn), PST_UPCONN_IDLE);
    /* The second at once. */
    assert_int_equal(pst_pool_lease(rig.pool, &a.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &a), 1);
    assert_ptr_equal(a.lease.conn, conn);
    assert_int_equal(a.n_ready, 1);
    struct pst_pool_stats stats = stats_of(&rig);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.idle, 0);
    assert_int_equal(stats.opened, 1);
    assert_int_equal(stats.reused, 1);
    pst_pool_discard(&a.lease);
    pst_pool_discard(&a.lease); /* NONE: nothing */
    int fd = rig_accept(&rig);
    assert_true(rig_sees_close(fd));
    close(fd);
    assert_int_equal(stats_of(&rig).connections, 0);
    rig_end(&rig);
}

static void test_last_in_first_out(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease leases[3];
    struct pst_upconn *conns[3];
    rig_begin(&rig);
    for (int i = 0; i < 3; i++) {
        rig_lease_init(&leases[i]);
        rig_lease_now(&rig, &leases[i], 0);
        conns[i] = leases[i].lease.conn;
    }
    for (int i = 0; i < 3; i++)
        pst_pool_give_back(&leases[i].lease);
    assert_int_equal(stats_of(&rig).idle, 3);
    for (int i = 2; i >= 0; i--) {
        rig_lease_now(&rig, &leases[i], 0);
        assert_ptr_equal(leases[i].lease.conn, conns[i]);
    }
    for (int i = 0; i < 3; i++)
        pst_pool_discard(&leases[i].lease);
    rig_end(&rig);
}

/* Four connections, four in the queue, the ninth is refused; the queue is served in order. */
static void test_bounds_and_queue(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease leases[9];
    rig_begin(&rig);
    for (int i = 0; i < 9; i++)
        rig_lease_init(&leases[i]);
    for (int i = 0; i < 4; i++)
        rig_lease_now(&rig, &leases[i], 0);
    for (int i = 4; i < 8; i++) {
        assert_int_equal(
            pst_pool_lease(rig.pool, &leases[i].lease, PST_LEASE_NOBODY, 0, rig_on_ready, &leases[i]), 0);
        assert_int_equal(leases[i].lease.state, PST_LEASE_WAITING);
    }
    assert_int_equal(
        pst_pool_lease(rig.pool, &leases[8].lease, PST_LEASE_NOBODY, 0, rig_on_ready, &leases[8]),
        -PST_EBUSY);
    assert_int_equal(leases[8].lease.state, PST_LEASE_NONE);
    rig_settle(&rig);
    for (int i = 4; i < 8; i++)
        assert_int_equal(leases[i].n_ready, 0);
    /* One given back: the first in the queue gets that very connection; not from inside the call. */
    struct pst_upconn *conn = leases[2].lease.conn;
    pst_pool_give_back(&leases[2].lease);
    assert_int_equal(leases[4].n_ready, 0);
    /* Nobody overtakes the queue. */
    assert_int_equal(
        pst_pool_lease(rig.pool, &leases[2].lease, PST_LEASE_NOBODY, 0, rig_on_ready, &leases[2]),
        -PST_EBUSY);
    rig_turn_until(&rig, &leases[4].done, 1000);
    assert_ptr_equal(leases[4].lease.conn, conn);
    assert_int_equal(leases[5].n_ready, 0);
    /* One closed: the next gets a new one. */
    pst_pool_discard(&leases[0].lease);
    rig_turn_until(&rig, &leases[5].done, 1000);
    assert_int_equal(stats_of(&rig).opened, 5);
    /* One in the queue goes away: the others move up. */
    pst_pool_discard(&leases[6].lease);
    pst_pool_give_back(&leases[1].lease);
    rig_turn_until(&rig, &leases[7].done, 1000);
    assert_int_equal(leases[6].n_ready, 0);
    struct pst_pool_stats stats = stats_of(&rig);
    assert_int_equal(stats.connections, 4);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.queued, 4);
    assert_int_equal(stats.queue_full, 2);
    for (int i = 0; i < 9; i++)
        pst_pool_discard(&leases[i].lease);
    rig_end(&rig);
}

struct again {
    struct rig *rig;
    struct rig_lease *l;
    int n;
    int last_err;
};

/* Asks again from inside the callback, at most twice. */
static void ask_again(struct pst_lease *lease, int err, void *arg)
{
    struct again *again = arg;
    again->last_err = err;
    if (++again->n < 3 && err < 0)
        assert_int_equal(pst_pool_lease(again->rig->pool, lease, PST_LEASE_NOBODY, 0, ask_again, again), 0);
}

static void test_wait_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease holder;
    struct rig_lease waiter;
    rig_begin(&rig);
    rig.limits.max_connections = 1;
    rig.limits.wait_us = 40000;
    pst_pool_set_limits(rig.pool, &rig.limits);
    rig_lease_init(&holder);
    rig_lease_init(&waiter);
    rig_lease_now(&rig, &holder, 0);
    struct again again = {&rig, &waiter, 0, 0};
    assert_int_equal(pst_pool_lease(rig.pool, &waiter.lease, PST_LEASE_NOBODY, 0, ask_again, &again), 0);
    rig_turn_for(&rig, 600);
    assert_int_equal(again.n, 3);
    assert_int_equal(again.last_err, -PST_EBUSY);
    assert_int_equal(stats_of(&rig).wait_timeouts, 3);
    assert_int_equal(waiter.lease.state, PST_LEASE_NONE);
    pst_pool_give_back(&holder.lease);
    rig_lease_now(&rig, &waiter, 0);
    pst_pool_discard(&waiter.lease);
    rig_end(&rig);
}

static void test_refused(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    rig_begin(&rig);
    close(rig.listener);
    rig.listener = -1;
    rig_lease_init(&l);
    for (int round = 1; round <= 2; round++) {
        l.done = 0;
        assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
        assert_int_equal(l.n_ready, round - 1); /* never from inside the call */
        rig_turn_until(&rig, &l.done, 1000);
        assert_int_equal(l.err, -PST_EREFUSED);
        assert_int_equal(stats_of(&rig).refused, round);
        assert_int_equal(stats_of(&rig).connections, 0);
    }
    struct again again = {&rig, &l, 0, 0};
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, ask_again, &again), 0);
    rig_turn_for(&rig, 50);
    assert_int_equal(again.n, 3);
    rig_end(&rig);
}

static void test_no_address(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease holder;
    struct rig_lease l;
    rig_begin(&rig);
    rig_lease_init(&l);
    rig_lease_init(&holder);
    rig.limits.max_connections = 1;
    pst_pool_set_limits(rig.pool, &rig.limits);
    rig_lease_now(&rig, &holder, 0);
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
    pst_pool_set_origin(rig.pool, NULL);
    assert_null(pst_pool_origin(rig.pool));
    rig_turn_until(&rig, &l.done, 1000);
    assert_int_equal(l.err, -PST_ENOENT);
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), -PST_ENOENT);
    pst_pool_discard(&holder.lease);
    rig_end(&rig);
}

/* The first address refuses, the second takes; the next connection begins with the second. */
static void test_next_address(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease a;
    struct rig_lease b;
    uint16_t ports[3];
    rig_begin(&rig);
    for (int i = 0; i < 2; i++)
        close(rig_listen(1, &ports[i])); /* free a moment ago: nobody listens */
    ports[2] = rig.port;
    struct pst_origin *origin = rig_tcp_origin(ports, 3);
    pst_pool_set_origin(rig.pool, origin);
    rig_lease_init(&a);
    rig_lease_init(&b);
    rig_lease_now(&rig, &a, 0);
    unsigned before = wrap_counts.epoll_ctl_calls;
    rig_lease_now(&rig, &b, 0);
    assert_int_equal(wrap_counts.epoll_ctl_calls - before, 1);
    pst_pool_discard(&a.lease);
    pst_pool_discard(&b.lease);
    /* All addresses refuse. */
    pst_origin_unref(origin);
    origin = rig_tcp_origin(ports, 2);
    pst_pool_set_origin(rig.pool, origin);
    a.done = 0;
    assert_int_equal(pst_pool_lease(rig.pool, &a.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &a), 0);
    rig_turn_until(&rig, &a.done, 1000);
    assert_int_equal(a.err, -PST_EREFUSED);
    pst_origin_unref(origin);
    rig_end(&rig);
}

/* A listener whose queue is full swallows what comes: connecting hangs. */
static int full_listener(uint16_t *ret_port, int fillers[static 2])
{
    int listener = rig_listen(0, ret_port);
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, len);
    }
    return listener;
}

static void test_connect_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    uint16_t ports[2];
    int fillers[2];
    rig_begin(&rig);
    int full = full_listener(&ports[0], fillers);
    rig.limits.connect_timeout_us = 100000;
    pst_pool_set_limits(rig.pool, &rig.limits);
    struct pst_origin *origin = rig_tcp_origin(ports, 1);
    pst_pool_set_origin(rig.pool, origin);
    rig_lease_init(&l);
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
    rig_turn_until(&rig, &l.done, 1000);
    assert_int_equal(l.err, -PST_ETIMEOUT);
    assert_int_equal(stats_of(&rig).connect_timeouts, 1);
    /* Cancelled while connecting: nothing is called. */
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
    rig_settle(&rig);
    pst_pool_discard(&l.lease);
    rig_turn_for(&rig, 200);
    assert_int_equal(l.n_ready, 1);
    assert_int_equal(stats_of(&rig).connections, 0);
    /* A hanging first address leaves time for the second. */
    ports[1] = rig.port;
    pst_origin_unref(origin);
    origin = rig_tcp_origin(ports, 2);
    pst_pool_set_origin(rig.pool, origin);
    rig_lease_now(&rig, &l, 0);
    pst_pool_discard(&l.lease);
    pst_origin_unref(origin);
    close(full);
    close(fillers[0]);
    close(fillers[1]);
    rig_end(&rig);
}

/* An attempt that fails later, with an event of its own, leaves no trace on the connection that succeeds. */
static void test_refused_later(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    uint16_t ports[2];
    int fillers[2];
    rig_begin(&rig);
    int full = full_listener(&ports[0], fillers);
    ports[1] = rig.port;
    rig.limits.connect_timeout_us = 10000000;
    pst_pool_set_limits(rig.pool, &rig.limits);
    struct pst_origin *origin = rig_tcp_origin(ports, 2);
    pst_pool_set_origin(rig.pool, origin);
    rig_lease_init(&l);
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
    rig_settle(&rig);
    /* The next try of the kernel, after a second, finds nobody. */
    close(full);
    close(fillers[0]);
    close(fillers[1]);
    rig_turn_until(&rig, &l.done, 4000);
    assert_int_equal(l.err, 0);
    assert_true(pst_upconn_reusable(l.lease.conn));
    pst_pool_give_back(&l.lease);
    assert_int_equal(stats_of(&rig).idle, 1);
    pst_origin_unref(origin);
    rig_end(&rig);
}

/* A unix socket's full backlog refuses with EAGAIN and sends no event when there is room again. */
static void test_unix_backlog(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease leases[3];
    rig_begin_unix(&rig, 0);
    for (int i = 0; i < 3; i++) {
        rig_lease_init(&leases[i]);
        assert_int_equal(
            pst_pool_lease(rig.pool, &leases[i].lease, PST_LEASE_NOBODY, 0, rig_on_ready, &leases[i]), 0);
    }
    rig_turn_for(&rig, 100);
    assert_int_equal(leases[2].n_ready, 0);
    assert_int_equal(leases[2].lease.state, PST_LEASE_CONNECTING);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = rig_accept(&rig);
        rig_turn_for(&rig, 60);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(leases[i].n_ready, 1);
        assert_int_equal(leases[i].err, 0);
        pst_pool_discard(&leases[i].lease);
        close(fds[i]);
    }
    rig_end(&rig);
}

static void test_unix_absent(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    rig_begin_unix(&rig, 4);
    char text[PST_ORIGIN_TEXT_SIZE];
    pst_origin_address_text(rig.origin, 0, text);
    assert_int_equal(unlink(text + 5), 0);
    rig_lease_init(&l);
    assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
    rig_turn_until(&rig, &l.done, 1000);
    assert_int_equal(l.err, -PST_EREFUSED);
    rig_end(&rig);
}

static void test_idle_limit(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    rig_begin(&rig);
    rig.limits.idle_timeout_us = 100000;
    pst_pool_set_limits(rig.pool, &rig.limits);
    rig_lease_init(&l);
    rig_lease_now(&rig, &l, 0);
    int fd = rig_accept(&rig);
    /* Used again and again it stays, longer than the limit. */
    for (int i = 0; i < 6; i++) {
        pst_pool_give_back(&l.lease);
        rig_turn_for(&rig, 50);
        assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 1);
    }
    pst_pool_give_back(&l.lease);
    rig_turn_for(&rig, 250);
    assert_int_equal(stats_of(&rig).connections, 0);
    assert_int_equal(stats_of(&rig).died_idle, 0);
    assert_true(rig_sees_close(fd));
    close(fd);
    rig_end(&rig);
}

/* Data, an end or a reset on an idle connection: it is closed at once and lent to nobody. */
static void test_dies_idle(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct rig rig;
        struct rig_lease l;
        rig_begin(&rig);
        rig_lease_init(&l);
        rig_lease_now(&rig, &l, 0);
        int fd = rig_accept(&rig);
        pst_pool_give_back(&l.lease);
        if (how == 0)
            rig_print(fd, "HTTP/1.1 408 Request Timeout\r\n\r\n");
        else if (how == 1)
            shutdown(fd, SHUT_WR);
        else
            rig_reset(fd);
        rig_settle(&rig);
        assert_int_equal(stats_of(&rig).died_idle, 1);
        assert_int_equal(stats_of(&rig).connections, 0);
        assert_int_equal(stats_of(&rig).idle, 0);
        assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l), 0);
        pst_pool_discard(&l.lease);
        if (how < 2)
            close(fd);
        rig_end(&rig);
    }
}

/* It died before the loop could see it: not kept when it is given back, nor used when it was lent meanwhile.
 */
static void test_died_unseen(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease l;
    rig_begin(&rig);
    rig_lease_init(&l);
    rig_lease_now(&rig, &l, 0);
    int fd = rig_accept(&rig);
    rig_print(fd, "unasked");
    rig_settle(&rig);
    pst_pool_give_back(&l.lease);
    assert_int_equal(stats_of(&rig).idle, 0);
    assert_int_equal(stats_of(&rig).connections, 0);
    close(fd);
    rig_end(&rig);
}

static void test_new_origin(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease a;
    struct rig_lease b;
    uint16_t port;
    rig_begin(&rig);
    rig_lease_init(&a);
    rig_lease_init(&b);
    rig_lease_now(&rig, &a, 0);
    rig_lease_now(&rig, &b, 0);
    pst_pool_give_back(&b.lease);
    /* The same addresses again change nothing. */
    struct pst_origin *same = rig_tcp_origin(&rig.port, 1);
    pst_pool_set_origin(rig.pool, same);
    pst_origin_unref(same);
    assert_int_equal(stats_of(&rig).idle, 1);
    /* Others: idle ones go at once, leased ones when they come back. */
    int other = rig_listen(4, &port);
    struct pst_origin *origin = rig_tcp_origin(&port, 1);
    pst_pool_set_origin(rig.pool, origin);
    pst_origin_unref(origin);
    assert_int_equal(stats_of(&rig).idle, 0);
    assert_int_equal(stats_of(&rig).connections, 1);
    pst_pool_give_back(&a.lease);
    assert_int_equal(stats_of(&rig).connections, 0);
    rig_lease_now(&rig, &a, 0);
    int fd = accept4(other, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    pst_pool_discard(&a.lease);
    close(fd);
    close(other);
    rig_end(&rig);
}

static void test_fresh(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease leases[2];
    rig_begin(&rig);
    rig.limits.max_connections = 2;
    pst_pool_set_limits(rig.pool, &rig.limits);
    for (int i = 0; i < 2; i++) {
        rig_lease_init(&leases[i]);
        rig_lease_now(&rig, &leases[i], 0);
    }
    struct pst_upconn *oldest = leases[1].lease.conn;
    struct pst_upconn *newest = leases[0].lease.conn;
    pst_pool_give_back(&leases[1].lease);
    pst_pool_give_back(&leases[0].lease);
    /* At the bound: the oldest idle one makes room. */
    assert_int_equal(pst_pool_lease(rig.pool, &leases[0].lease, PST_LEASE_NOBODY, PST_LEASE_FRESH,
                                    rig_on_ready, &leases[0]),
                     0);
    assert_int_equal(pst_upconn_state(oldest),
                     PST_UPCONN_CLOSED); /* its memory lives to the end of the turn */
    assert_int_equal(pst_upconn_state(newest), PST_UPCONN_IDLE);
    leases[0].done = 0;
    rig_turn_until(&rig, &leases[0].done, 1000);
    assert_ptr_not_equal(leases[0].lease.conn, newest);
    assert_false(pst_upconn_reused(leases[0].lease.conn));
    assert_int_equal(stats_of(&rig).connections, 2);
    /* In the queue, a fresh one passes an idle connection by. */
    rig_lease_now(&rig, &leases[1], 0);
    struct rig_lease fresh;
    rig_lease_init(&fresh);
    assert_int_equal(
        pst_pool_lease(rig.pool, &fresh.lease, PST_LEASE_NOBODY, PST_LEASE_FRESH, rig_on_ready, &fresh), 0);
    assert_int_equal(fresh.lease.state, PST_LEASE_WAITING);
    pst_pool_give_back(&leases[1].lease);
    rig_turn_until(&rig, &fresh.done, 1000);
    assert_ptr_not_equal(fresh.lease.conn, newest);
    assert_int_equal(stats_of(&rig).connections, 2);
    pst_pool_discard(&fresh.lease);
    pst_pool_discard(&leases[0].lease);
    rig_end(&rig);
}

static void test_lower_bound(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease leases[4];
    rig_begin(&rig);
    for (int i = 0; i < 4; i++) {
        rig_lease_init(&leases[i]);
        rig_lease_now(&rig, &leases[i], 0);
    }
    pst_pool_give_back(&leases[0].lease);
    rig.limits.max_connections = 2;
    pst_pool_set_limits(rig.pool, &rig.limits);
    assert_int_equal(stats_of(&rig).connections, 3);
    pst_pool_give_back(&leases[1].lease); /* above the bound: not kept */
    assert_int_equal(stats_of(&rig).connections, 2);
    pst_pool_give_back(&leases[2].lease);
    assert_int_equal(stats_of(&rig).connections, 2);
    assert_int_equal(stats_of(&rig).idle, 1);
    pst_pool_give_back(&leases[3].lease);
    rig_end(&rig);
}

struct chain {
    struct rig *rig;
    struct rig_lease *next;
    int done;
};

/* Ends its own lease and takes another, from inside the callback. */
static void end_and_take(struct pst_lease *lease, int err, void *arg)
{
    struct chain *chain = arg;
    assert_int_equal(err, 0);
    pst_pool_discard(lease);
    assert_int_equal(
        pst_pool_lease(chain->rig->pool, &chain->next->lease, PST_LEASE_NOBODY, 0, rig_on_ready, chain->next),
        0);
    chain->done = 1;
}

static void test_from_inside_ready(void **state)
{
    (void)state;
    struct rig rig;
    struct rig_lease a;
    struct rig_lease b;
    rig_begin(&rig);
    rig_lease_init(&a);
    rig_lease_init(&b);
    struct chain chain = {&rig, &b, 0};
    assert_int_equal(pst_pool_lease(rig.pool, &a.lease, PST_LEASE_NOBODY, 0, end_and_take, &chain), 0);
    rig_turn_until(&rig, &b.done, 1000);
    assert_int_equal(b.err, 0);
    /* The same from the queue. */
    rig.limits.max_connections = 1;
    pst_pool_set_limits(rig.pool, &rig.limits);
    struct rig_lease c;
    rig_lease_init(&c);
    chain.next = &c;
    assert_int_equal(pst_pool_lease(rig.pool, &a.lease, PST_LEASE_NOBODY, 0, end_and_take, &chain), 0);
    assert_int_equal(a.lease.state, PST_LEASE_WAITING);
    pst_pool_give_back(&b.lease);
    rig_turn_until(&rig, &c.done, 1000);
    assert_int_equal(c.err, 0);
    pst_pool_discard(&c.lease);
    rig_end(&rig);
}

/* Each allocation on the way fails once; whatever is told, nothing leaks and the pool goes on. */
static void test_no_memory(void **state)
{
    (void)state;
    struct pst_loop *loop;
    struct pst_pool *pool;
    const struct pst_pool_limits limits = {.max_connections = 1, .key_percent = 100, .keyless_percent = 100};
    assert_int_equal(pst_loop_new(&loop), 0);
    for (unsigned at = 1; at <= 2; at++) {
        wrap_fail_at = at;
        assert_int_equal(pst_pool_new(loop, &limits, &pool), -PST_ENOMEM);
    }
    wrap_fail_at = 0;
    pst_loop_free(loop);
    struct rig rig;
    rig_begin(&rig);
    for (unsigned at = 1; at <= 4; at++) {
        struct rig_lease l;
        rig_lease_init(&l);
        wrap_fail_at = at;
        assert_int_equal(pst_pool_lease(rig.pool, &l.lease, PST_LEASE_NOBODY, 0, rig_on_ready, &l),
                         -PST_ENOMEM);
        assert_int_equal(l.lease.state, PST_LEASE_NONE);
        assert_int_equal(stats_of(&rig).connections, 0);
        wrap_fail_at = 0;
        rig_lease_now(&rig, &l, 0);
        pst_pool_discard(&l.lease);
        rig_settle(&rig);
    }
    rig_end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_give_back_and_reuse),
        cmocka_unit_test(test_last_in_first_out),
        cmocka_unit_test(test_bounds_and_queue),
        cmocka_unit_test(test_wait_limit),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_next_address),
        cmocka_unit_test(test_connect_limit),
        cmocka_unit_test(test_refused_later),
        cmocka_unit_test(test_unix_backlog),
        cmocka_unit_test(test_unix_absent),
        cmocka_unit_test(test_idle_limit),
        cmocka_unit_test(test_dies_idle),
        cmocka_unit_test(test_died_unseen),
        cmocka_unit_test(test_new_origin),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_lower_bound),
        cmocka_unit_test(test_from_inside_ready),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
