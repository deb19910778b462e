/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the container, one pool per worker; never touched from another thread.
 *
 * A lease lends one connection to one exchange and ends with give_back() or discard(). Idle connections are
 * lent last in, first out, so that those not needed grow old and are closed. An idle connection is watched:
 * data or EOF on it closes it at once.
 *
 * Each lease has an owner, a key or nobody. An owner may hold a share of what the others leave, of the
 * connections and of the queue (gateway/upstream/share.h); the owners that wait are served in turns, each in
 * its own order. */
#ifndef POSTERN_UPSTREAM_POOL_H
#define POSTERN_UPSTREAM_POOL_H

#include "postern/base/err.h"
#include "postern/base/list.h"
#include "postern/loop/loop.h"
#include "postern/upstream/conn.h"
#include "postern/upstream/origin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_pool;

struct pst_pool_limits {
    size_t max_connections;      /* leased, connecting and idle; at least 1 */
    size_t max_waiting;          /* leases in the queue */
    unsigned key_percent;        /* 1 to 100: one key's share */
    unsigned keyless_percent;    /* 1 to 100: the share of all leases of nobody together */
    uint64_t wait_us;            /* longest stay in the queue */
    uint64_t connect_timeout_us; /* for all addresses together */
    uint64_t idle_timeout_us;    /* an idle connection is closed after it; less than the container's own */
};

struct pst_pool_stats {
    size_t connections; /* now: leased + connecting + idle */
    size_t idle;
    size_t waiting;
    uint64_t opened;    /* since the start: connections made */
    uint64_t reused;    /* leases served by an idle connection */
    uint64_t queued;    /* leases that had to wait */
    uint64_t held_back; /* of these: a connection was free, but not for their owner */
    uint64_t queue_full;
    uint64_t wait_timeouts;
    uint64_t refused; /* leases that found no address that takes connections */
    uint64_t connect_timeouts;
    uint64_t died_idle; /* closed by the container, or spoke out of turn, while idle */
};

/*           ┌─────────────── 1: an idle one is there ─────────────┐
 *     NONE ─┼─▶ WAITING ─▶ CONNECTING ─ready(0)─▶ HELD ◀──────────┘ ─give_back, discard─▶ NONE
 *           └──────────────▲   └─ready(err)─▶ NONE      discard in any state ─▶ NONE, ready is not called
 */
enum pst_lease_state {
    PST_LEASE_NONE,
    PST_LEASE_WAITING,
    PST_LEASE_CONNECTING,
    PST_LEASE_HELD,
    PST_LEASE_STATE_MAX
};

struct pst_lease;
struct share;
/* `err` 0: lease->conn is there. -PST_EBUSY: waited too long for a free connection. -PST_ESHARE: waited too
 * long, while connections were free, for its owner to give one back. -PST_EREFUSED: no address takes
 * connections. -PST_ETIMEOUT: connecting took too long. -PST_ENOMEM, -PST_EIO. After an error the lease is
 * NONE and may be used again, also from inside the callback. */
typedef void pst_lease_ready(struct pst_lease *lease, int err, void *arg);

/* The caller's storage, embedded in the exchange. Start with pst_lease_init(); read `conn`, `state` and
 * `held_back` only.
 */
struct pst_lease {
    struct pst_upconn *conn; /* HELD only, else NULL */
    enum pst_lease_state state;
    struct pst_pool *pool;
    pst_lease_ready *ready;
    void *arg;
    bool fresh;           /* asked for with PST_LEASE_FRESH */
    bool apart;           /* HELD: its connection is set apart */
    bool held_back;       /* WAITING: a connection was free, but not for its owner */
    struct share *share;  /* its owner's, in which it counts; NULL: it does not */
    struct pst_list node; /* in the queue */
    struct pst_timer timer;
    struct pst_upconn *pending; /* CONNECTING: the one being made */
};

/* 0 or -PST_ENOMEM. The pool has no origin at first. */
int pst_pool_new(struct pst_loop *loop, const struct pst_pool_limits *limits,
                 struct pst_pool **ret_pool) PST_MUSTCHECK;
/* All leases must have ended; not from inside a callback of the pool or of a connection. NULL is fine. */
void pst_pool_free(struct pst_pool *pool);

/* Takes a reference of its own. NULL: no address is known. When the addresses changed, idle connections to
 * the old ones are closed now and leased ones when they are given back. */
void pst_pool_set_origin(struct pst_pool *pool, struct pst_origin *origin);
const struct pst_origin *pst_pool_origin(const struct pst_pool *pool);
/* Takes effect for what comes; idle connections above the new bound are closed. */
void pst_pool_set_limits(struct pst_pool *pool, const struct pst_pool_limits *limits);
void pst_pool_stats(const struct pst_pool *pool, struct pst_pool_stats *ret_stats);

enum pst_lease_flags {
    PST_LEASE_FRESH = 1 << 0, /* a new connection, not an idle one: for the retry after a stale one */
};

/* The owner of leases that are no key's. Any other number is a key (pst_key_id_number()). */
#define PST_LEASE_NOBODY UINT64_MAX

void pst_lease_init(struct pst_lease *lease);
/* Lends a connection to one of `owner`'s exchanges. Returns
 *   1  lease->conn is there at once (an idle one); `ready` will not be called;
 *   0  `ready` is called exactly once, later, from the loop, unless the lease is discarded before;
 *   -PST_EBUSY (all connections in use and the queue full), -PST_ESHARE (the owner has its share of the
 *   connections or of the queue), -PST_ENOENT (no address known), -PST_ENOMEM. */
int pst_pool_lease(struct pst_pool *pool, struct pst_lease *lease, uint64_t owner, unsigned flags,
                   pst_lease_ready *ready, void *arg) PST_MUSTCHECK;
/* Ends a HELD lease: the connection is kept when it is reusable (pst_upconn_reusable), else closed. */
void pst_pool_give_back(struct pst_lease *lease);
/* A HELD lease's connection stays with its lease for long (an upgrade): from here on it does not count in
 * max_connections nor among those of its owner, and ends with pst_pool_discard(). */
void pst_pool_set_apart(struct pst_lease *lease);
/* Whether `owner` may have one more of those, when there may be `left` more of them in all: a share of what
 * others leave, as of the connections. */
bool pst_pool_may_set_apart(struct pst_pool *pool, uint64_t owner, size_t left);
/* Ends a lease in any state; its connection, made or in the making, is closed at once. NONE: does nothing. */
void pst_pool_discard(struct pst_lease *lease);

#endif
