/* SPDX-License-Identifier: Apache-2.0 */
/* What pool.c, connect.c, conn.c and receive.c share. Everything here belongs to the worker's loop thread.
 *
 * Who does what: pool.c lends and takes back; share.c knows who holds how much; connect.c makes a connection;
 * conn.c sends, and passes events on; receive.c reads answers. A connection is in exactly one of its pool's
 * lists: idle, busy (CONNECTING to FAILED) or dead (CLOSED: its memory goes at the end of the turn, since a
 * callback of its own may still be running). */
#ifndef POSTERN_GATEWAY_UPSTREAM_PRIVATE_H
#define POSTERN_GATEWAY_UPSTREAM_PRIVATE_H

#include "postern/upstream/pool.h"
#include "share.h"

/* One read of an answer's head; also the largest body that can come along with it. */
#define SCRATCH_BYTES (64 * 1024)
/* What an idle connection may keep of the buffer for such bodies. */
#define REST_KEEP (4 * 1024)

struct pst_upconn {
    struct pst_watch watch;
    struct pst_timer timer;   /* CONNECTING: the attempt; IDLE: the idle limit */
    struct pst_deferred kick; /* looks at the connection again at the end of the turn */
    struct pst_list node;
    struct pst_pool *pool;
    struct pst_lease *lease; /* CONNECTING to FAILED */
    enum pst_upconn_state state;
    uint64_t generation; /* of the origin it is connected to */
    bool apart;          /* not counted in the pool */
    uint64_t served;     /* exchanges before this one */
    uint64_t idle_until_us;

    /* CONNECTING */
    struct pst_origin *origin; /* held while addresses are tried, else NULL */
    size_t address;            /* index being tried */
    size_t n_tried;
    uint64_t connect_deadline_us;
    int connect_err; /* of the last address */

    /* What the edges told; `readable` stands until a read came back short. */
    bool readable;
    bool hung_up; /* the container will send no more, or the connection broke */

    /* The exchange. */
    uint64_t exchange; /* changes at each start and end, so that a handler sees whether it is still its own */
    const struct pst_upconn_handlers *handlers;
    void *arg;
    bool wants_write;
    bool wants_read;
    bool request_done;
    bool send_broken;
    bool excess; /* bytes behind the end of the answer */
    int err;     /* of HEAD or BODY, stays */
    const char *fault;
    uint64_t request_bytes;
    uint64_t answer_bytes;
    uint64_t last_progress_us;
    uint64_t body_left; /* with a length: not read yet */
    struct pst_answer_parser *parser;
    struct pst_str in;  /* body, decoded, that came along with the head and is not read yet */
    bool in_is_scratch; /* it still lies in the pool's scratch; true only inside on_head */
    char *rest;         /* where it is kept afterwards */
    size_t rest_cap;
};

struct pst_pool {
    struct pst_loop *loop;
    struct pst_pool_limits limits;
    struct pst_origin *origin;
    uint64_t generation;
    size_t preferred;     /* address that took the last connection */
    struct pst_list idle; /* front: given back last */
    struct pst_list busy;
    struct pst_list dead;
    struct shares shares;
    struct pst_deferred sweep;
    struct pst_pool_stats stats; /* the three numbers of "now" are kept here, too */
    char *scratch;
};

/* pool.c */
void pool_close(struct pst_upconn *conn);
/* CONNECTING is over: the lease gets the connection, or the error. */
void pool_connected(struct pst_upconn *conn);
void pool_connect_failed(struct pst_upconn *conn, int err);

/* connect.c: begins; how it ends is told to pool.c later, from the loop. */
void connect_start(struct pst_upconn *conn);
void connect_on_event(struct pst_upconn *conn);
void connect_on_timer(struct pst_upconn *conn);
/* At the end of the turn: addresses that failed at once. */
void connect_on_kick(struct pst_upconn *conn);

/* conn.c: the only place where a state changes. */
void upconn_move(struct pst_upconn *conn, enum pst_upconn_state to);
void upconn_on_event(struct pst_watch *watch, uint32_t events, void *arg);
void upconn_on_kick(struct pst_deferred *deferred, void *arg);
void upconn_fail(struct pst_upconn *conn, int err, const char *fault);
static inline bool upconn_is_still(const struct pst_upconn *conn, uint64_t exchange)
{
    return conn->exchange == exchange;
}

/* receive.c: state HEAD and readable. */
void receive_head(struct pst_upconn *conn);
/* Whether the socket has anything to be read now, asked without reading it. */
bool receive_is_dirty(const struct pst_upconn *conn);

#endif
