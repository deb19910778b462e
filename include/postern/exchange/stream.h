/* SPDX-License-Identifier: Apache-2.0 */
/* Between a codec and the exchange: one request of a client and its response. A codec (http1/; the tests have
 * one of their own) turns bytes into events and what the exchange says into bytes; the exchange knows nothing
 * of connections. The codec embeds struct pst_stream in an object of its own. All on the worker's thread.
 *
 *     begin ─▶ request ─▶ body* ─▶ request_end        what the client sends
 *                  └──▶ head ─▶ body* ─▶ end          what the exchange sends, at any time from `request` on
 *     closed: always the last event, once; the stream and all slices of the request live until then
 *
 * Rules:
 * - No event comes from inside an operation, but for one: what begins with `body` being full ends with
 *   `writable`. `request` may be answered from inside the event itself.
 * - `end` ends the sending half only: events of the request may still come.
 * - After `reset` no event comes but `closed`.
 * - Of what is sent in a turn of the loop, the last byte leaves at the turn's end, after `closed` when it
 * comes in the same turn: so what is noted in `closed` is noted first.
 * - 100 (Continue) is the codec's: when the request's body begins to be read, and never after a head.
 * - A body that nobody reads to its end is the codec's: it reads and drops a small one, or closes.
 * - A response to HEAD, or of 204 or 304, says PST_RESPONSE_NO_BODY; fields may declare a length all the
 * same.
 *
 * Timers:
 *     handshake, head, between requests, rate of a body, a client that takes nothing     the codec
 *     lease, first byte of the container, between pieces of its body                     the exchange
 *     idle and longest time of an upgraded stream                                        the exchange */
#ifndef POSTERN_EXCHANGE_STREAM_H
#define POSTERN_EXCHANGE_STREAM_H

#include "postern/base/arena.h"
#include "postern/base/str.h"
#include "postern/http/error.h"
#include "postern/http/field.h"
#include "postern/http/framing.h"
#include "postern/http/response_head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PST_ADDRESS_TEXT_SIZE 48

struct pst_stream;
struct exchange;
struct pst_exchanges;
struct pst_client_identity;

/* Who is at the other end; shared by the streams of a connection, and lives as long as it. */
struct pst_peer {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    char address_text[PST_ADDRESS_TEXT_SIZE];
    bool trusted;    /* a trusted proxy */
    bool over_limit; /* beyond max_connections: gets a 503 */
    bool tls_1_3;
    struct pst_client_identity *certificate; /* NULL: it showed none */
    struct pst_str certificate_key;          /* the id of the key it stands for; empty: none */
    /* Holds the certificate against what is trusted now. */
    bool (*certificate_holds)(struct pst_peer *peer, int64_t now_real_us);
};

/* A request whose head is read. Slices are the codec's. */
struct pst_stream_request {
    struct pst_str method;
    bool http_1_0; /* of HTTP/1.0: no interim responses, no upgrade */
    struct pst_fields fields;
    struct pst_framing framing; /* of its body */
    bool has_body;
    bool expects_continue;
    enum pst_error_id malformed; /* what is wrong with it, as far as the codec is concerned */
};

enum pst_stream_gone {
    PST_GONE_LEFT,      /* the client closed its side, or the connection broke */
    PST_GONE_STALLED,   /* it takes nothing for too long */
    PST_GONE_SHUTDOWN,  /* the gateway stops; the codec cuts the stream off itself */
    PST_GONE_DISPLACED, /* the connection is needed for another client; the same */
};

/* After an upgrade: bytes to and from the client. */
struct pst_bytes_ops {
    /* > 0, 0 at the end of what the client sends, -PST_EAGAIN (`bytes` will come), or another error. */
    ssize_t (*read)(struct pst_stream *stream, void *data, size_t len);
    /* How much was taken; -PST_EAGAIN: nothing (`bytes` will come); or another error. */
    ssize_t (*write)(struct pst_stream *stream, const void *data, size_t len);
    /* Bytes that the client's connection has taken since it began. */
    uint64_t (*sent)(struct pst_stream *stream);
};

/* What a codec does for the exchange. */
struct pst_stream_ops {
    /* The response's head, once. 0; -PST_ELIMIT or -PST_ENOMEM, and nothing was sent. */
    int (*head)(struct pst_stream *stream, const struct pst_response *response);
    /* A piece of its body, which is taken whole. False: no more before `writable`. */
    bool (*body)(struct pst_stream *stream, struct pst_str piece);
    /* The response is whole. What is left of the request is the codec's to read and drop, or to cut. */
    void (*end)(struct pst_stream *stream);
    /* Whether the request's body is taken: false until then. What an event `body` did not take, too. */
    void (*set_reading)(struct pst_stream *stream, bool reading);
    /* Nobody wants what is left of the request's body, though the response goes on. */
    void (*discard)(struct pst_stream *stream);
    /* A key was accepted on it: the connection is not one to be given up for others. */
    void (*accepted)(struct pst_stream *stream);
    /* Cuts the stream off: the client sees that something is missing. */
    void (*reset)(struct pst_stream *stream);
    /* Sends the 101; from then on the bytes of the connection are the exchange's, until `end` or `reset`.
     * NULL when it cannot be done. The response's status is 101, `upgrade` says to what. */
    const struct pst_bytes_ops *(*upgrade)(struct pst_stream *stream, const struct pst_response *response);
    /* Whether the client sent something behind the request's head already: such an upgrade is refused. */
    bool (*has_more)(struct pst_stream *stream);
};

/* What a codec tells the exchange. */
struct pst_stream_events {
    /* A request's target is there, as it came; the head may still fail. False without memory. Sets
     * stream->exchange and stream->arena. */
    bool (*begin)(struct pst_exchanges *all, struct pst_stream *stream, struct pst_str raw_target);
    void (*request)(struct pst_stream *stream, const struct pst_stream_request *request);
    /* Returns how much of the piece was taken; with less than all, the rest comes again after
     * set_reading(true). */
    size_t (*body)(struct pst_stream *stream, struct pst_str piece);
    void (*request_end)(struct pst_stream *stream);
    void (*writable)(struct pst_stream *stream);
    /* Something can be read or written after an upgrade. */
    void (*bytes)(struct pst_stream *stream);
    /* The request is not what it should be, or too slow: is responded to with `id`, when there is no head
     * yet. `detail` goes into the message when it is not empty. Without a `begin` there is no exchange: the
     * response is sent all the same, and noted. */
    void (*error)(struct pst_exchanges *all, struct pst_stream *stream, enum pst_error_id id,
                  struct pst_str detail);
    void (*gone)(struct pst_stream *stream, enum pst_stream_gone why);
    /* `delivered`: the response is whole, and all of it with the connection. */
    void (*closed)(struct pst_stream *stream, bool delivered);
};

struct pst_stream {
    const struct pst_stream_ops *ops;
    struct pst_peer *peer;
    struct exchange *exchange; /* from `begin` to `closed`, else NULL */
    struct pst_arena *arena;   /* the exchange's: for what lives as long as the request */
    bool over;                 /* no byte can be moved any more */
};

#endif
