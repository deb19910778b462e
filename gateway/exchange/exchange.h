/* SPDX-License-Identifier: Apache-2.0 */
/* What an exchange is made of: a request, who sends it, the attempt to have it answered, the response, and
 * what is noted of it all; and what a worker's exchanges share. Functions are in the headers of their files.
 *
 *     NEW ─▶ LEASE ─▶ SEND ─▶ AWAIT ─┬─▶ RESPOND ─▶ RESPONDED ─▶ (closed)
 *      ├─▶ GATHER ─▶ LEASE: a body without a key is read first (gather.c)
 *      │       │       └ early response ┘               ▲
 *      └───────┴───────┴─────── a response of Postern's own, a refusal mostly
 *                        AWAIT ─101─▶ STREAM (websocket.c) ─▶ DEAD
 *     any ─▶ DEAD: the client left or was cut off */
#ifndef POSTERN_EXCHANGE_EXCHANGE_H
#define POSTERN_EXCHANGE_EXCHANGE_H

#include "postern/auth/wrong_credentials.h"
#include "postern/base/arena.h"
#include "postern/base/list.h"
#include "postern/exchange/exchanges.h"
#include "postern/http/request_id.h"
#include "postern/http/target.h"
#include "postern/http/websocket.h"
#include "postern/tls/context.h"

/* What moves between client and container at a time: full records of TLS. */
#define PIECE_BYTES ((size_t)2 * PST_TLS_RECORD_BYTES)

struct attempt_events;
struct filter;
struct links;
struct websocket;

enum exchange_state {
    EXCHANGE_NEW,
    EXCHANGE_GATHER,
    EXCHANGE_LEASE,
    EXCHANGE_SEND,
    EXCHANGE_AWAIT,
    EXCHANGE_RESPOND,
    EXCHANGE_RESPONDED,
    EXCHANGE_STREAM,
    EXCHANGE_DEAD,
};

/* What Postern responds to itself. */
enum local { LOCAL_NONE, LOCAL_ISSUE_TOKEN, LOCAL_TOKEN_KEYS, LOCAL_PREFLIGHT };

/* What the client asks. Does not change once the phase `route` has read it, but for `forward` and the query,
 * which lose the credentials. */
struct request {
    struct pst_str raw_target;
    struct pst_str method;
    struct pst_target target;
    struct pst_fields fields;  /* all, as they came */
    struct pst_fields forward; /* without credentials */
    struct pst_framing framing;
    struct pst_str host;
    char id[PST_REQUEST_ID_SIZE];
    struct pst_str id_str;
    char accept[PST_WEBSOCKET_ACCEPT_SIZE];
    enum local local;
    bool target_too_long;
    bool http_1_0;
    bool is_head;
    bool has_body;
    bool began;   /* its head is there */
    bool whole;   /* and so is its body */
    bool upgrade; /* to a WebSocket, well asked for */
};

/* Who asks. */
struct identity {
    struct pst_key_match key;
    int64_t good_until_us; /* when the token ends by which the key was found, real time; 0: no token */
    bool found;            /* a key that is in force; what it permits is another question */
    bool open;             /* the path needs no key: a wrong one is not held against the request */
    bool keyed;            /* that key is in force and permits the request; on an open path it need not */
    bool by_certificate;   /* it counted, alone or beside a key: what is open ends with it */
    bool query_counts; /* credentials are looked for in the query, as the cloud's clients put them there */
};

/* The way to the container. A retry is a new attempt. */
struct attempt {
    const struct attempt_events *events;
    struct pst_lease lease;
    struct pst_buf head;   /* what is left of the head */
    struct pst_buf output; /* chunks to the container, all of a gathered body, or a WebSocket's bytes */
    uint8_t n;             /* attempts so far */
    bool gathered;
    bool last_chunk_queued;
    bool retried;
    bool upload_goes_on; /* state RESPOND: the container still takes the request's body */
};

struct response {
    struct pst_str message;      /* of a refusal, instead of the error's own; empty: that */
    struct pst_str origin;       /* of the page that may read the response; empty: none */
    const struct filter *filter; /* of the body; NULL: it goes on as it is */
    struct links *links;         /* the filter's */
    struct pst_buf rewritten;    /* a piece of such a body, or a WebSocket's bytes to the client */
};

/* What is noted. */
struct record {
    int64_t start_real_us;
    uint64_t start_us;
    uint64_t ttfb_us;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint16_t status;
    uint8_t end;             /* enum pst_usage_end */
    enum pst_error_id error; /* what went wrong, whether the client could be told or not */
};

struct exchange {
    struct pst_exchanges *all;
    struct pst_stream *stream;
    struct pst_list free_node;
    struct pst_arena arena;
    enum exchange_state state;
    struct pst_timer timer;
    struct pst_deferred more; /* the response has more to move than its share of a turn */

    struct request request;
    struct identity identity;
    const struct pst_route *route; /* what holds on its path */
    struct attempt attempt;
    struct response response;
    struct record record;
    struct websocket *websocket; /* state STREAM, and until the end */
    bool upgrade_counted;        /* among all->n_websockets */
};

/* What usage records say by number: the journal's, 0 without one (note.c). */
struct note_names {
    uint16_t errors[PST_ERROR_MAX];
    uint16_t endpoint;
    uint16_t *rules; /* by their numbers */
};

struct pst_exchanges {
    struct pst_exchange_parts parts;
    struct note_names names;
    struct pst_request_ids ids;
    struct pst_wrong_credentials wrong;
    struct pst_list free_exchanges;
    size_t n_free_exchanges;
    struct pst_list websockets;
    struct pst_timer websocket_sweep;
    size_t n_websockets; /* streams, and upgrades under way */
    size_t n_refusals;   /* upgrades refused by a close frame that is due; not among n_websockets */
    char *piece;         /* room for a piece on its way from one side to the other, which nobody keeps */
    bool stopping;
};

static inline uint64_t now_us(const struct pst_exchanges *all)
{
    return pst_loop_now_us(all->parts.loop);
}

static inline void count(atomic_ullong *counter)
{
    pst_front_count(counter);
}

/* Since its first byte, as of this turn; at least 1. */
static inline uint64_t exchange_age_us(const struct exchange *x)
{
    uint64_t age_us = now_us(x->all) - x->record.start_us;
    return age_us > 0 ? age_us : 1;
}

static inline void exchange_set_timer(struct exchange *x, uint64_t after_us)
{
    pst_timer_set(x->all->parts.loop, &x->timer, after_us);
}

static inline void exchange_clear_timer(struct exchange *x)
{
    pst_timer_clear(x->all->parts.loop, &x->timer);
}

#endif
