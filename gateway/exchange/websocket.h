/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket streams of a worker's clients. Belongs to the worker's thread; a stream lives from the
 * container's 101 until the client's stream is closed. */
#ifndef POSTERN_EXCHANGE_WEBSOCKET_H
#define POSTERN_EXCHANGE_WEBSOCKET_H

#include "exchange.h"

/* The close code that ends every client at once, the Speech SDK's too, which retries after most others. */
#define WEBSOCKET_REFUSED 4000

struct websocket {
    struct exchange *x;
    const struct pst_bytes_ops *bytes;
    struct pst_list node;           /* in all->websockets */
    struct pst_deferred more;       /* a direction has more to move than its share of a turn */
    struct pst_websocket_scan scan; /* of what goes to the client */
    bool last;                      /* nothing more is read; the stream ends when what is kept is written */
    enum pst_error_id refused;      /* there is no container: why the close frame will say 4000 */
    bool up_over;                   /* the container gets no more */

    uint64_t start_us;
    uint64_t last_until_us;
    uint64_t refuse_at_us;
    uint64_t moved, moved_us; /* bytes of both directions, and when they last grew */
    uint64_t sent, sent_us;   /* bytes the client took, and when it last took any or owed none */

    uint8_t from[16]; /* the client's address, behind trusted proxies */

    struct pst_usage_record record; /* what does not change from note to note */
    uint64_t noted_us, noted_in, noted_out;
};

void websockets_init(struct pst_exchanges *all);
void websockets_done(struct pst_exchanges *all);
/* A close frame for each stream: 1001. */
void websockets_stop(struct pst_exchanges *all);

/* Sends the 101 and makes x->websocket, the stream of its client from here on; `answer` NULL: there is no
 * container. NULL when it cannot be done; nothing was sent then. */
struct websocket *websocket_open(struct exchange *x, const struct pst_answer *answer) PST_MUSTCHECK;
/* The container's response is a 101. PST_ERROR_NONE, or why it is none that can be passed on. */
enum pst_error_id websocket_start(struct exchange *x) PST_MUSTCHECK;
/* Something can be read or written, on either side; or the client shut its side. */
void websocket_pump(struct exchange *x);
/* The exchange is over: notes what is left, frees. Does nothing for other exchanges. */
void websocket_done(struct exchange *x);

#endif
