/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/base/fd.h"

#include <assert.h>
#include <stdlib.h>

#define TO(state) (1u << PST_LEASE_##state)

static const unsigned legal_lease_moves[PST_LEASE_STATE_MAX] = {
    [PST_LEASE_NONE] = TO(WAITING) | TO(CONNECTING) | TO(HELD),
    [PST_LEASE_WAITING] = TO(CONNECTING) | TO(HELD) | TO(NONE),
    [PST_LEASE_CONNECTING] = TO(HELD) | TO(NONE),
    [PST_LEASE_HELD] = TO(NONE),
};

static void lease_move(struct pst_lease *lease, enum pst_lease_state to)
{
    assert((legal_lease_moves[lease->state] & (1u << to)) != 0);
    lease->state = to;
}

static bool has_connection(const struct pst_lease *lease)
{
    return lease->state == PST_LEASE_CONNECTING || lease->state == PST_LEASE_HELD;
}

/* From here on it does not count in its owner's share. */
static void leave_share(struct pst_lease *lease)
{
    struct share *share = lease->share;
    if (share == NULL)
        return;
    if (lease->apart)
        share->apart--;
    else if (has_connection(lease))
        share->held--;
    lease->share = NULL;
    shares_settle(&lease->pool->shares, share);
}

/* The lease is over; its storage may be used again from here on. */
static void lease_end(struct pst_lease *lease)
{
    leave_share(lease);
    lease_move(lease, PST_LEASE_NONE);
    lease->conn = NULL;
    lease->pending = NULL;
}

/* ---- connections ---------------------------------------------------------------------------------- */

static void close_old_idle(struct pst_upconn *conn)
{
    uint64_t now_us = pst_loop_now_us(conn->pool->loop);
    if (conn->state != PST_UPCONN_IDLE)
        return; /* leased meanwhile; give_back sets the timer again */
    if (now_us >= conn->idle_until_us)
        pool_close(conn);
    else
        pst_timer_set(conn->pool->loop, &conn->timer, conn->idle_until_us - now_us);
}

static void on_conn_timer(struct pst_timer *timer, void *arg)
{
    struct pst_upconn *conn = arg;
    (void)timer;
    if (conn->state == PST_UPCONN_CONNECTING)
        connect_on_timer(conn);
    else
        close_old_idle(conn);
}

static struct pst_upconn *new_conn(struct pst_pool *pool, struct pst_lease *lease)
{
    struct pst_upconn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return NULL;
    if (pst_answer_parser_new(&conn->parser) < 0) {
        free(conn);
        return NULL;
    }
    conn->pool = pool;
    conn->lease = lease;
    conn->state = PST_UPCONN_CONNECTING;
    conn->generation = pool->generation;
    conn->fault = "";
    pst_watch_init(&conn->watch, upconn_on_event, conn);
    pst_timer_init(&conn->timer, on_conn_timer, conn);
    pst_deferred_init(&conn->kick, upconn_on_kick, conn);
    pst_list_init(&conn->node);
    pst_list_push_back(&pool->busy, &conn->node);
    pool->stats.connections++;
    return conn;
}

static void free_conn(struct pst_upconn *conn)
{
    pst_answer_parser_free(conn->parser);
    free(conn->rest);
    free(conn);
}

void pool_close(struct pst_upconn *conn)
{
    struct pst_pool *pool = conn->pool;
    int fd = conn->watch.fd;
    if (conn->state == PST_UPCONN_IDLE)
        pool->stats.idle--;
    upconn_move(conn, PST_UPCONN_CLOSED);
    conn->exchange++;
    conn->lease = NULL;
    pst_loop_remove(pool->loop, &conn->watch);
    pst_fd_close(fd);
    pst_timer_clear(pool->loop, &conn->timer);
    pst_loop_undefer(&conn->kick);
    pst_origin_unref(conn->origin);
    conn->origin = NULL;
    pst_list_remove(&conn->node);
    pst_list_push_back(&pool->dead, &conn->node);
    if (!conn->apart)
        pool->stats.connections--;
    pst_loop_defer(pool->loop, &pool->sweep);
}

static bool may_be_kept(const struct pst_upconn *conn)
{
    const struct pst_pool *pool = conn->pool;
    return pst_upconn_reusable(conn) && conn->generation == pool->generation &&
           pool->stats.connections <= pool->limits.max_connections &&
           (!conn->readable || !receive_is_dirty(conn));
}

/* Forgets the exchange, and memory that only a large one needed. */
static void clean(struct pst_upconn *conn)
{
    conn->exchange++;
    conn->handlers = NULL;
    conn->arg = NULL;
    conn->readable = conn->wants_read = conn->wants_write = conn->request_done = false;
    conn->in = (struct pst_str){NULL, 0};
    conn->in_is_scratch = false;
    conn->request_bytes = conn->answer_bytes = conn->body_left = 0;
    if (conn->rest_cap > REST_KEEP) {
        free(conn->rest);
        conn->rest = NULL;
        conn->rest_cap = 0;
    }
}

static void make_idle(struct pst_upconn *conn)
{
    struct pst_pool *pool = conn->pool;
    if (conn->state == PST_UPCONN_DONE)
        conn->served++;
    upconn_move(conn, PST_UPCONN_IDLE);
    clean(conn);
    conn->lease = NULL;
    pst_list_remove(&conn->node);
    pst_list_push_front(&pool->idle, &conn->node);
    pool->stats.idle++;
    conn->idle_until_us = pst_loop_now_us(pool->loop) + pool->limits.idle_timeout_us;
    if (!pst_timer_is_set(&conn->timer))
        pst_timer_set(pool->loop, &conn->timer, pool->limits.idle_timeout_us);
}

static struct pst_upconn *first_idle(struct pst_pool *pool)
{
    return pst_list_empty(&pool->idle) ? NULL : PST_CONTAINER(pool->idle.next, struct pst_upconn, node);
}

static void close_oldest_idle(struct pst_pool *pool)
{
    if (!pst_list_empty(&pool->idle))
        pool_close(PST_CONTAINER(pool->idle.prev, struct pst_upconn, node));
}

/* ---- leases --------------------------------------------------------------------------------------- */

static void hold(struct pst_lease *lease, struct pst_upconn *conn)
{
    lease_move(lease, PST_LEASE_HELD);
    lease->conn = conn;
    lease->pending = NULL;
    conn->lease = lease;
}

static void lend_idle(struct pst_lease *lease, struct pst_upconn *conn)
{
    struct pst_pool *pool = conn->pool;
    upconn_move(conn, PST_UPCONN_LEASED);
    pst_list_remove(&conn->node);
    pst_list_push_back(&pool->busy, &conn->node);
    pool->stats.idle--;
    pool->stats.reused++;
    hold(lease, conn);
}

static int open_for(struct pst_lease *lease)
{
    struct pst_upconn *conn = new_conn(lease->pool, lease);
    if (conn == NULL)
        return -PST_ENOMEM;
    lease_move(lease, PST_LEASE_CONNECTING);
    lease->pending = conn;
    connect_start(conn);
    return 0;
}

void pool_connected(struct pst_upconn *conn)
{
    struct pst_lease *lease = conn->lease;
    conn->pool->stats.opened++;
    upconn_move(conn, PST_UPCONN_LEASED);
    hold(lease, conn);
    lease->ready(lease, 0, lease->arg);
}

void pool_connect_failed(struct pst_upconn *conn, int err)
{
    struct pst_lease *lease = conn->lease;
    if (err == -PST_ETIMEOUT)
        conn->pool->stats.connect_timeouts++;
    else
        conn->pool->stats.refused++;
    pool_close(conn);
    lease_end(lease);
    lease->ready(lease, err, lease->arg);
}

/* Connections that may be lent: idle ones, and those that may still be opened. */
static size_t n_free(const struct pst_pool *pool)
{
    size_t in_use = pool->stats.connections - pool->stats.idle;
    return in_use < pool->limits.max_connections ? pool->limits.max_connections - in_use : 0;
}

static unsigned percent_of(const struct pst_pool *pool, const struct share *share)
{
    return share == &pool->shares.nobody ? pool->limits.keyless_percent : pool->limits.key_percent;
}

static bool may_take(const struct pst_pool *pool, const struct share *share)
{
    return share_allows(share->held, n_free(pool), percent_of(pool, share));
}

/* A connection is free, but not for this owner. */
static bool is_held_back(const struct pst_pool *pool, const struct share *share)
{
    return n_free(pool) > 0 && !may_take(pool, share);
}

static void leave_queue(struct pst_lease *lease)
{
    struct share *share = lease->share;
    pst_list_remove(&lease->node);
    pst_timer_clear(lease->pool->loop, &lease->timer);
    lease->pool->stats.waiting--;
    if (--share->n_waiting == 0)
        pst_list_remove(&share->turn);
}

static void on_wait_timer(struct pst_timer *timer, void *arg)
{
    struct pst_lease *lease = arg;
    (void)timer;
    int err = is_held_back(lease->pool, lease->share) ? -PST_ESHARE : -PST_EBUSY;
    lease->pool->stats.wait_timeouts++;
    leave_queue(lease);
    lease_end(lease);
    lease->ready(lease, err, lease->arg);
}

/* Whether the queue has a place for one more lease of this owner: 0 or an error. */
static int may_wait(const struct pst_pool *pool, const struct share *share)
{
    size_t waiting = pool->stats.waiting, max = pool->limits.max_waiting;
    size_t places = waiting < max ? max - waiting : 0;
    if (share_allows(share->n_waiting, places, percent_of(pool, share)))
        return 0;
    return places > 0 || is_held_back(pool, share) ? -PST_ESHARE : -PST_EBUSY;
}

static int enqueue(struct pst_lease *lease)
{
    struct pst_pool *pool = lease->pool;
    struct share *share = lease->share;
    int err = may_wait(pool, share);
    if (err < 0) {
        pool->stats.queue_full++;
        return err;
    }
    lease_move(lease, PST_LEASE_WAITING);
    pst_list_push_back(&share->waiting, &lease->node);
    if (share->n_waiting++ == 0)
        pst_list_push_back(&pool->shares.turns, &share->turn);
    pst_timer_set(pool->loop, &lease->timer, pool->limits.wait_us);
    pool->stats.waiting++;
    pool->stats.queued++;
    lease->held_back = is_held_back(pool, share);
    pool->stats.held_back += lease->held_back;
    return 0;
}

/* Gives the lease a free connection, which there must be. A fresh one takes the place of the oldest idle one
 * when there is no other. Returns 1: there it is; 0: it is being made; or an error. */
static int take(struct pst_lease *lease)
{
    struct pst_pool *pool = lease->pool;
    struct share *share = lease->share;
    struct pst_upconn *idle = lease->fresh ? NULL : first_idle(pool);
    int got = idle != NULL;
    if (idle != NULL) {
        lend_idle(lease, idle);
    } else {
        if (pool->stats.connections >= pool->limits.max_connections)
            close_oldest_idle(pool);
        got = open_for(lease);
    }
    if (got >= 0)
        share->held++;
    return got;
}

/* The owner whose turn it is, of those that may have a connection more; NULL: none. */
static struct share *next_in_turn(struct pst_pool *pool)
{
    PST_LIST_EACH(node, &pool->shares.turns)
    {
        struct share *share = PST_CONTAINER(node, struct share, turn);
        if (pool->origin == NULL || may_take(pool, share))
            return share;
    }
    return NULL;
}

/* Gives one of those that wait what it waits for; false when there is nothing to give. */
static bool serve_next(struct pst_pool *pool)
{
    struct share *share = next_in_turn(pool);
    if (share == NULL)
        return false;
    struct pst_lease *lease = PST_CONTAINER(share->waiting.next, struct pst_lease, node);
    leave_queue(lease);
    if (share->n_waiting > 0) { /* the others first */
        pst_list_remove(&share->turn);
        pst_list_push_back(&pool->shares.turns, &share->turn);
    }
    int got = pool->origin != NULL ? take(lease) : -PST_ENOENT;
    if (got < 0)
        lease_end(lease);
    if (got != 0)
        lease->ready(lease, got < 0 ? got : 0, lease->arg);
    return true;
}

/* At the end of the turn: frees what was closed in it and serves the queue with what became free. */
static void on_sweep(struct pst_deferred *deferred, void *arg)
{
    struct pst_pool *pool = arg;
    (void)deferred;
    /* Who queues again from inside `ready` waits for the next turn. */
    for (size_t n = pool->stats.waiting; n > 0 && serve_next(pool); n--)
        continue;
    for (struct pst_list *node; (node = pst_list_pop_front(&pool->dead)) != NULL;)
        free_conn(PST_CONTAINER(node, struct pst_upconn, node));
}

void pst_lease_init(struct pst_lease *lease)
{
    *lease = (struct pst_lease){.state = PST_LEASE_NONE};
    pst_list_init(&lease->node);
    pst_timer_init(&lease->timer, on_wait_timer, lease);
}

/* Nobody overtakes: neither the owner's own leases, nor what is to be lent at the end of this turn. */
static bool must_wait(const struct pst_pool *pool, const struct share *share)
{
    bool sweep_is_due = pool->stats.waiting > 0 && !pst_list_empty(&pool->sweep.node);
    return share->n_waiting > 0 || sweep_is_due || !may_take(pool, share);
}

int pst_pool_lease(struct pst_pool *pool, struct pst_lease *lease, uint64_t owner, unsigned flags,
                   pst_lease_ready *ready, void *arg)
{
    if (pool->origin == NULL)
        return -PST_ENOENT;
    struct share *share = shares_find(&pool->shares, owner);
    if (share == NULL)
        return -PST_ENOMEM;
    lease->pool = pool;
    lease->ready = ready;
    lease->arg = arg;
    lease->fresh = (flags & PST_LEASE_FRESH) != 0;
    lease->apart = false;
    lease->share = share;
    int got = must_wait(pool, share) ? enqueue(lease) : take(lease);
    if (got < 0)
        leave_share(lease);
    return got;
}

static void serve_later(struct pst_pool *pool)
{
    if (pool->stats.waiting > 0)
        pst_loop_defer(pool->loop, &pool->sweep);
}

void pst_pool_give_back(struct pst_lease *lease)
{
    struct pst_pool *pool = lease->pool;
    struct pst_upconn *conn = lease->conn;
    lease_end(lease);
    if (may_be_kept(conn))
        make_idle(conn);
    else
        pool_close(conn);
    serve_later(pool);
}

void pst_pool_set_apart(struct pst_lease *lease)
{
    struct pst_pool *pool = lease->pool;
    lease->conn->apart = true;
    pool->stats.connections--;
    lease->apart = true;
    lease->share->held--;
    lease->share->apart++;
    serve_later(pool);
}

bool pst_pool_may_set_apart(struct pst_pool *pool, uint64_t owner, size_t left)
{
    const struct share *share = shares_look(&pool->shares, owner);
    unsigned percent = owner == PST_LEASE_NOBODY ? pool->limits.keyless_percent : pool->limits.key_percent;
    return share_allows(share != NULL ? share->apart : 0, left, percent);
}

void pst_pool_discard(struct pst_lease *lease)
{
    switch (lease->state) {
    case PST_LEASE_WAITING:
        leave_queue(lease);
        break;
    case PST_LEASE_CONNECTING:
        pool_close(lease->pending);
        break;
    case PST_LEASE_HELD:
        pool_close(lease->conn);
        break;
    default:
        return;
    }
    lease_end(lease);
}

/* ---- the pool ------------------------------------------------------------------------------------- */

int pst_pool_new(struct pst_loop *loop, const struct pst_pool_limits *limits, struct pst_pool **ret_pool)
{
    struct pst_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return -PST_ENOMEM;
    pool->scratch = malloc(SCRATCH_BYTES);
    if (pool->scratch == NULL) {
        free(pool);
        return -PST_ENOMEM;
    }
    pool->loop = loop;
    pool->limits = *limits;
    pst_list_init(&pool->idle);
    pst_list_init(&pool->busy);
    pst_list_init(&pool->dead);
    shares_init(&pool->shares);
    pst_deferred_init(&pool->sweep, on_sweep, pool);
    *ret_pool = pool;
    return 0;
}

static void close_all_idle(struct pst_pool *pool)
{
    while (!pst_list_empty(&pool->idle))
        close_oldest_idle(pool);
}

void pst_pool_free(struct pst_pool *pool)
{
    if (pool == NULL)
        return;
    close_all_idle(pool);
    assert(pst_list_empty(&pool->busy) && pool->stats.waiting == 0);
    pst_loop_undefer(&pool->sweep);
    on_sweep(&pool->sweep, pool);
    pst_origin_unref(pool->origin);
    shares_done(&pool->shares);
    free(pool->scratch);
    free(pool);
}

void pst_pool_set_origin(struct pst_pool *pool, struct pst_origin *origin)
{
    struct pst_origin *old = pool->origin;
    bool same = pst_origin_same(old, origin);
    pool->origin = origin != NULL ? pst_origin_ref(origin) : NULL;
    pst_origin_unref(old);
    if (same)
        return;
    pool->generation++;
    pool->preferred = 0;
    close_all_idle(pool);
    serve_later(pool);
}

const struct pst_origin *pst_pool_origin(const struct pst_pool *pool)
{
    return pool->origin;
}

void pst_pool_set_limits(struct pst_pool *pool, const struct pst_pool_limits *limits)
{
    pool->limits = *limits;
    while (pool->stats.connections > limits->max_connections && pool->stats.idle > 0)
        close_oldest_idle(pool);
    serve_later(pool);
}

void pst_pool_stats(const struct pst_pool *pool, struct pst_pool_stats *ret_stats)
{
    *ret_stats = pool->stats;
}
