/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the front and its clients. Their functions are in the headers of their
 * files. */
#ifndef POSTERN_HTTP1_HTTP1_H
#define POSTERN_HTTP1_HTTP1_H

#include "postern/base/buf.h"
#include "postern/base/list.h"
#include "postern/http1/front.h"
#include "postern/tls/session.h"
#include "virtual_epoll.h"

#include <sys/socket.h>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

/*     HANDSHAKE ─established─▶ IDLE ◀────response complete────┐
 *                               │ first byte                  │
 *                               ▼                             │
 *                              HEAD ─────head complete─────▶ BUSY
 *     any ─▶ ENDING: libmicrohttpd is being told to let go; freed when it and the session are gone */
enum client_state { CLIENT_HANDSHAKE, CLIENT_IDLE, CLIENT_HEAD, CLIENT_BUSY, CLIENT_ENDING };

/* Where libmicrohttpd is in the request; it takes a response only at the head and at the end. */
enum mhd_place { AT_HEAD, IN_BODY, AT_END };
/* ENDED: all of it was given; it is out when nothing waits for the session any more. UPGRADED: the 101 was,
 * and the bytes are the exchange's. */
enum response_state { RESPONSE_NONE, RESPONSE_BEGUN, RESPONSE_UPGRADED, RESPONSE_ENDED };

/* One TLS session, given to libmicrohttpd as a virtual socket, and the request on it. */
struct client {
    struct pst_stream stream; /* of the request under way */
    struct pst_peer peer;
    struct pst_front *front;
    struct pst_list node;  /* in front->clients */
    struct pst_list fresh; /* in front->fresh: bytes came, see whether they were a whole head */
    struct pst_list place; /* in front->unproven until a key is accepted */
    uint64_t established_us;
    struct pst_session *session;
    struct MHD_Connection *mhd;
    const void *mhd_memory; /* points into its pool, NULL before the first request */
    struct pst_timer timer;
    int socket; /* a virtual one; libmicrohttpd closes it */
    enum client_state state;
    uint64_t idle_mark; /* session's bytes read when the last request ended */
    uint64_t rate_mark; /* bytes read at the last look at the body's rate */
    uint64_t rate_mark_us;

    bool idle_memory_given_back;
    bool suspended;  /* libmicrohttpd's connection is */
    bool hush;       /* what libmicrohttpd writes goes nowhere: the response was ours */
    bool detached;   /* we speak on the session ourselves: libmicrohttpd reads nothing ... */
    bool end_of_mhd; /* ... and then the end */
    bool left;       /* the client shut its side */
    bool cut;        /* close without close_notify */
    bool displaced;  /* its place went to another */
    bool send_waits; /* the socket is full */

    /* The request under way and its response (stream.c) */
    struct pst_stream_request request;
    bool began; /* its head is there */
    enum mhd_place where;
    enum response_state response;
    struct pst_buf waiting;           /* of the response, what the session did not take yet */
    bool held_at_head;                /* suspended in libmicrohttpd's first call */
    bool asks_close, asks_keep_alive; /* the request's Connection */
    bool chunked;                     /* the response's body goes out in chunks */
    bool closes;                      /* its head said that the connection ends with it */
};

struct pst_front {
    struct pst_front_parts parts;
    struct MHD_Daemon *daemon;
    struct virtual_epoll sockets;
    struct pst_list clients;
    struct pst_list fresh;
    struct pst_list unproven; /* clients on whose connection no key was accepted yet, front: open longest */
    size_t n_leaving;         /* displaced, and not gone yet */
    size_t n_clients;
    size_t n_handshakes;
    struct pst_buf head; /* a response's, while it is written */
    int64_t date_s;      /* the second that `date` is of */
    char date[PST_RESPONSE_DATE_BYTES];
    struct MHD_Response *response;      /* what libmicrohttpd is given, and nobody sees */
    struct MHD_Response *last_response; /* the same; the connection closes after it */
    struct client *reading;             /* whose bytes libmicrohttpd read last */
    bool run_again;                     /* libmicrohttpd has something to do */
    char mhd_complaint[256];            /* what it said last of a request it could not read */
    bool stopping;
};

static inline uint64_t now_us(const struct pst_front *front)
{
    return pst_loop_now_us(front->parts.loop);
}

static inline void count(atomic_ullong *counter)
{
    pst_front_count(counter);
}

static inline struct client *client_of_stream(struct pst_stream *stream)
{
    return PST_CONTAINER(stream, struct client, stream);
}

#endif
