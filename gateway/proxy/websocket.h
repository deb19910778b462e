/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket streams of a worker's clients. Belongs to the worker's thread; a stream lives from the
 * container's 101 until libmicrohttpd has let go of the connection. */
#ifndef POSTERN_PROXY_WEBSOCKET_H
#define POSTERN_PROXY_WEBSOCKET_H

#include "internal.h"
#include "postern/http/websocket.h"

/* The close code that ends every client at once, the Speech SDK's too, which retries after most others. */
#define WEBSOCKET_REFUSED 4000

struct websocket {
    struct exchange *x;
    struct pst_list node;           /* in front->websockets */
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

void websockets_init(struct pst_front *front);
void websockets_done(struct pst_front *front);
/* A close frame for each stream: 1001. */
void websockets_stop(struct pst_front *front);

/* Whether the request asks for a WebSocket (x->upgrade), and what is wrong with that. */
enum pst_error_id websocket_asked(struct exchange *x) PST_MUSTCHECK;
/* Counts an upgrade among max_websockets, or says that there are too many, in all or of its key. For upgrades
 * that were let in only: those that are refused must not take the places of others. Does nothing for other
 * requests. */
enum pst_error_id websocket_take_place(struct exchange *x) PST_MUSTCHECK;
/* Makes x->websocket, with the 101 in x->around, the stream of its client from here on. NULL: no memory. */
struct websocket *websocket_open(struct exchange *x) PST_MUSTCHECK;
/* The container's answer is a 101. */
void websocket_start(struct exchange *x);
/* Something can be read or written, on either side; or the client shut its side. */
void websocket_pump(struct exchange *x);
/* The exchange is over: notes what is left, frees. Does nothing for other exchanges. */
void websocket_done(struct exchange *x);

/* websocket_refuse.c: whether a refusal of this upgrade is told in a close frame, because its client cannot
 * see an HTTP status. */
bool websocket_refusal_closes(const struct exchange *x);
/* Accepts the upgrade without the container, to close it with 4000 soon. */
void websocket_refuse(struct exchange *x, enum pst_error_id id);

/* note.c: what was used since the last note; `last` at the stream's end. */
void note_prepare(struct exchange *x, struct pst_usage_record *record);
void note_stream(struct exchange *x, bool last);
/* front.c: bytes of the request's head as libmicrohttpd counted them. */
uint64_t front_head_bytes(struct client *client);
/* exchange.c: gives back the memory that only the handshake needed. */
void exchange_slim(struct exchange *x);

#endif
