/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the front, its clients and their exchanges. */
#ifndef POSTERN_PROXY_INTERNAL_H
#define POSTERN_PROXY_INTERNAL_H

#include "postern/auth/wrong_credentials.h"
#include "postern/base/arena.h"
#include "postern/base/list.h"
#include "postern/http/request_head.h"
#include "postern/http/request_id.h"
#include "postern/http/response_head.h"
#include "postern/http/websocket.h"
#include "postern/proxy/front.h"
#include "postern/tls/client_identity.h"
#include "postern/tls/session.h"
#include "virtual_epoll.h"

#include <sys/socket.h>

struct MHD_Connection;
struct MHD_Daemon;
struct links;
struct websocket;

#define ADDRESS_TEXT_SIZE 48
/* What moves between client and container at a time: full records. */
#define PIECE_BYTES ((size_t)2 * PST_TLS_RECORD_BYTES)

/*     HANDSHAKE ─established─▶ IDLE ◀─────answer complete─────┐
 *                               │ first byte                  │
 *                               ▼                             │
 *                              HEAD ─────head complete─────▶ BUSY
 *     any ─▶ ENDING: libmicrohttpd is being told to let go; freed when it and the session are gone */
enum client_state { CLIENT_HANDSHAKE, CLIENT_IDLE, CLIENT_HEAD, CLIENT_BUSY, CLIENT_ENDING };

/* Where libmicrohttpd is in the request; it takes a response only at the head and at the end. */
enum mhd_place { AT_HEAD, IN_BODY, AT_END };
/* ENDED: all of it was given; it is out when nothing waits for the session any more. */
enum response_state { RESPONSE_NONE, RESPONSE_BEGUN, RESPONSE_ENDED };

struct client {
    struct pst_front *front;
    struct pst_list node;  /* in front->clients */
    struct pst_list fresh; /* in front->fresh: bytes came, see whether they were a whole head */
    struct pst_list place; /* in front->unproven until a key is accepted */
    uint64_t established_us;
    struct pst_session *session;
    struct MHD_Connection *mhd;
    const void *mhd_memory; /* points into its pool, NULL before the first request */
    struct exchange *exchange;
    struct pst_timer timer;
    int socket; /* a virtual one; libmicrohttpd closes it */
    enum client_state state;
    uint64_t idle_mark; /* session's bytes read when the last request ended */
    uint64_t rate_mark; /* bytes read at the last look at the body's rate */
    uint64_t rate_mark_us;

    bool rested;     /* idle, and has given back what memory it can */
    bool suspended;  /* libmicrohttpd's connection is */
    bool hush;       /* what libmicrohttpd writes goes nowhere: the response was ours */
    bool detached;   /* we speak on the session ourselves: libmicrohttpd reads nothing ... */
    bool end_of_mhd; /* ... and then the end */
    bool left;       /* the client shut its side */
    bool cut;        /* close without close_notify */
    bool displaced;  /* its place went to another */
    bool over_limit; /* beyond max_connections: gets a 503 */
    bool send_waits; /* the socket is full */
    bool trusted;    /* the peer is a trusted proxy */

    /* The request under way and its response (stream.c) */
    enum mhd_place where;
    enum response_state response;
    struct pst_buf waiting;           /* of the response, what the session did not take yet */
    bool held_at_head;                /* suspended in libmicrohttpd's first call */
    bool asks_close, asks_keep_alive; /* the request's Connection */
    bool chunked;                     /* the response's body goes out in chunks */
    bool closes;                      /* its head said that the connection ends with it */

    struct pst_client_identity *certificate; /* NULL: it showed none */
    struct pst_str certificate_key;          /* the id of the key it stands for; empty: none */
    uint8_t address[16];                     /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    char address_text[ADDRESS_TEXT_SIZE];
};

/*     NEW ─▶ LEASE ─▶ SEND ─▶ AWAIT ─┬─▶ RESPOND ─▶ RESPONDED ─▶ DONE
 *      ├─▶ GATHER ─▶ LEASE: a body without a key is read first (gather.c)
 *      │       │       └ early response ┘               ▲
 *      └───────┴───────┴─────── a response of Postern's own, a refusal mostly
 *                        AWAIT ─101─▶ STREAM ─▶ DEAD (websocket.c)
 *     any but DONE ─▶ DEAD: the client left or was cut off */
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
    EXCHANGE_DONE,
};

/* What Postern answers itself (local.c). */
enum local { LOCAL_NONE, LOCAL_ISSUE_TOKEN, LOCAL_TOKEN_KEYS, LOCAL_PREFLIGHT };

struct exchange {
    struct client *client;
    struct pst_list free_node;
    struct pst_arena arena;
    enum exchange_state state;

    /* The request */
    struct pst_str raw_target;
    bool target_too_long;
    struct pst_str method;
    struct pst_target target;
    const struct pst_route *route; /* what holds on its path */
    struct pst_fields fields;      /* all, as they came */
    struct pst_fields forward;     /* without credentials */
    struct pst_framing framing;
    struct pst_str host;
    struct pst_str origin; /* of the page that may read the answer; empty: none */
    bool http_1_0;
    bool is_head;
    bool began;
    bool upgrade;         /* to a WebSocket, well asked for */
    bool upgrade_counted; /* in front->n_websockets */
    char accept[PST_WEBSOCKET_ACCEPT_SIZE];
    struct websocket *websocket; /* state STREAM, and until the end */
    enum local local;
    bool query_counts; /* credentials are looked for in the query, as the cloud's clients put them there */
    bool has_body;
    bool expects_continue;
    bool body_whole; /* the client's body has come in whole */
    bool ended;      /* and the exchange was told so */
    char request_id[PST_REQUEST_ID_SIZE];
    struct pst_str request_id_str;
    struct pst_key_match key;
    bool keyed;            /* that key is in force and permits the request; on an open path it need not */
    bool by_certificate;   /* it counted, alone or beside a key: what is open ends with it */
    int64_t good_until_us; /* when the token ends by which the key was found, real time; 0: no token */

    /* To the container */
    struct pst_lease lease;
    struct pst_buf head;   /* what is left of the head */
    struct pst_buf output; /* chunks to the container, or all of a gathered body */
    bool gathered;
    bool last_chunk_queued;
    bool retried;
    bool waits_for_room; /* the client's bytes are held back, the container takes no more */
    struct pst_timer timer;

    /* The response */
    struct pst_str refusal_message; /* instead of the error's own; empty: that */
    struct links *links;            /* NULL: the body is not looked at */
    bool upload_goes_on;            /* state RESPOND: the container still takes the request's body */
    struct pst_deferred more;       /* it has more to move than its share of a turn */
    struct pst_buf around;          /* a WebSocket's bytes to the client, or a body that was rewritten */

    /* What is noted */
    int64_t start_real_us;
    uint64_t start_us;
    uint64_t ttfb_us;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint16_t status;
    uint8_t end; /* enum pst_usage_end */
    uint8_t attempts;
    enum pst_error_id error; /* what went wrong, whether the client could be told or not */
};

/* What usage records say by number: the journal's, 0 without one (note.c). */
struct note_names {
    uint16_t errors[PST_ERROR_MAX];
    uint16_t endpoint;
    uint16_t *rules; /* by their numbers */
};

struct pst_front {
    struct pst_front_parts parts;
    struct note_names names;
    struct MHD_Daemon *daemon;
    struct virtual_epoll sockets;
    struct pst_request_ids ids;
    struct pst_wrong_credentials wrong;
    struct pst_list clients;
    struct pst_list fresh;
    struct pst_list unproven; /* clients on whose connection no key was accepted yet, front: open longest */
    size_t n_leaving;         /* displaced, and not gone yet */
    struct pst_list free_exchanges;
    size_t n_free_exchanges;
    size_t n_clients;
    size_t n_handshakes;
    struct pst_list websockets;
    struct pst_timer websocket_sweep;
    size_t n_websockets; /* streams, and upgrades under way */
    size_t n_refusals;   /* upgrades refused by a close frame that is due; not among n_websockets */
    char *piece;         /* what moves between client and container, a piece at a time */
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
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* front.c: gives the client's virtual socket to libmicrohttpd, which closes it when it fails. */
int front_add_to_mhd(struct client *client) PST_MUSTCHECK;
/* Room for a piece of PIECE_BYTES on its way from one side to the other, which nobody keeps; NULL without
 * memory. */
char *front_piece(struct pst_front *front);

/* client.c */
void client_new(struct pst_front *front, struct pst_tls_context *tls, int fd, const struct sockaddr *peer);
/* Tells libmicrohttpd that there is something to read or room to write. */
void client_wake(struct client *client);
/* Only inside libmicrohttpd's callbacks. */
void client_suspend(struct client *client);
void client_resume(struct client *client);
/* Makes libmicrohttpd let go of the connection, now that nothing more is to be said. */
void client_end(struct client *client);
/* The same, without a goodbye: the client sees that something is missing. */
void client_cut(struct client *client);
/* After each run of libmicrohttpd: whose head is still incomplete? */
void client_check_fresh(struct pst_front *front);
/* A request is over; the connection waits for the next one. */
void client_idle(struct client *client);
/* The head is complete; `body_follows` starts the watch over the body's rate. */
void client_busy(struct client *client, bool body_follows);
/* Writes an error of ours in libmicrohttpd's place and notes it, with the exchange or alone; `detail` goes
 * into the message when it is not empty. */
void client_write_error(struct client *client, enum pst_error_id id, struct pst_str detail);

/* places.c: who may be one of max_connections. A client takes its place after its handshake, is safe in it
 * once a key was accepted (place_keep), and leaves it when it is freed. */
#define PLACES_BESIDE 64 /* connections beyond max_connections that are still taken, to be told 503 */
void place_take(struct client *client);
static inline void place_keep(struct client *client)
{
    pst_list_remove(&client->place);
}
void place_leave(struct client *client);
/* Whether one more connection can be taken. */
bool place_is_there(const struct pst_front *front);
/* For one more: gives it the place of another when all are taken. False when there is none to be had. */
bool place_make(struct pst_front *front);

/* stream.c: the request under way of a client, and its response */
/* A request begins: nothing is known of it but its target. */
void stream_begin(struct client *client);
/* The request's fields, as slices of libmicrohttpd's memory. False when there are more than fit. */
bool stream_fields(struct client *client, struct pst_fields *fields) PST_MUSTCHECK;
/* libmicrohttpd's calls: a handler's result, as MHD_YES or MHD_NO. */
int stream_on_call(struct client *client, const char *method, const char *version, const char *data,
                   size_t *size);
/* The session takes more: writes what waits, then lets the exchange go on. */
void stream_on_writable(struct client *client);
/* For the exchange. The response's head, once: 0, -PST_ELIMIT or -PST_ENOMEM, and nothing was written. */
int stream_head(struct client *client, const struct pst_response *response) PST_MUSTCHECK;
/* A piece of body, which is taken whole. False when no more should come before exchange_on_writable(). */
bool stream_body(struct client *client, struct pst_str piece);
/* All of the response is with the session. */
bool stream_is_out(const struct client *client);
/* The response is whole. */
void stream_end(struct client *client);
/* The request's body is not taken for now; and is again. */
void stream_hold(struct client *client);
void stream_read(struct client *client);
/* Nobody wants what is left of the request's body. */
void stream_discard(struct client *client);

/* mhd_error.c */
/* A line of libmicrohttpd's log: perhaps what it is about to complain of. */
void mhd_error_note(struct pst_front *front, const char *text);
/* Whether what it writes is 100 (Continue). */
bool mhd_error_is_continue(const char *data, size_t len);
/* libmicrohttpd writes though no response of ours is out. False for 100 (Continue), which may go out; else
 * our own error has been written in its place, and what it writes from now on goes nowhere. */
bool mhd_error_replace(struct client *client, const char *data, size_t len) PST_MUSTCHECK;
/* libmicrohttpd gives a client up without a word, for want of memory mostly: says ours. */
void mhd_error_unanswered(struct client *client);

/* authenticate.c: the client's address, behind whatever trusted proxies. */
void find_client_address(const struct exchange *x, uint8_t address[static 16]);
/* What a client is told of it. */
enum pst_error_id error_of_verdict(enum pst_key_verdict verdict);

/* exchange.c */
struct exchange *exchange_new(struct client *client, struct pst_str raw_target);
/* The head is complete. */
void exchange_on_request(struct exchange *x, const char *method, const char *version);
/* Takes what it can of a piece of body; *size is set to what is left. */
void exchange_on_body(struct exchange *x, const char *data, size_t *size);
void exchange_on_request_end(struct exchange *x);
void exchange_on_writable(struct exchange *x);
void exchange_on_client_left(struct exchange *x);
/* Ends it where it stands, without another word; the client is to be cut then. */
void exchange_cut(struct exchange *x, uint8_t end);
/* The connection is through with the request: notes what was used and frees. `delivered`: all of the
 * response is with the session. */
void exchange_on_closed(struct exchange *x, bool delivered);
/* Something failed on our or the container's side: responds with `id`, if that is still possible. */
void exchange_fail(struct exchange *x, enum pst_error_id id, uint8_t end);
void exchange_set_timer(struct exchange *x, uint64_t after_us);
/* Since its first byte, as of this turn; at least 1. */
uint64_t exchange_age_us(const struct exchange *x);
void exchanges_free(struct pst_front *front);

/* request.c: reads and checks the head; the first thing that is wrong. */
enum pst_error_id request_read(struct exchange *x, const char *method, const char *version) PST_MUSTCHECK;
/* Questions that Postern answers itself and never passes on, whoever asks. */
enum pst_error_id request_answered_here(const struct exchange *x) PST_MUSTCHECK;
/* authenticate.c: who it is, and whether he may. */
enum pst_error_id request_authenticate(struct exchange *x) PST_MUSTCHECK;
/* certificate.c: keeps what the client proved in its handshake. False without memory. */
bool certificate_take(struct client *client) PST_MUSTCHECK;
void certificate_drop(struct client *client);
/* Whether there is one, and it counts on the request's route. */
bool certificate_is_shown(const struct exchange *x);
/* NONE, or why it is not: missing or wrong. */
enum pst_error_id certificate_is_valid(struct exchange *x) PST_MUSTCHECK;
/* False when the exchange was let in by its certificate, and that is no longer valid. */
bool certificate_still_holds(const struct exchange *x) PST_MUSTCHECK;
/* The key that the connection's certificate stands for, as of now. */
enum pst_error_id certificate_check(struct exchange *x, struct pst_key_match *ret) PST_MUSTCHECK;
/* What the container is told of it. Returns how many. */
#define CERTIFICATE_FIELDS_MAX 4
size_t certificate_fields(struct exchange *x, struct pst_field fields[static CERTIFICATE_FIELDS_MAX]);
/* jobs.c: is the job that is asked for one of another key? */
enum pst_error_id jobs_check(const struct exchange *x) PST_MUSTCHECK;
/* The container answered: does a job begin? */
void jobs_note(const struct exchange *x, const struct pst_answer *answer);
/* cors.c: fills x->origin, when the head's fields are there. */
void cors_look(struct exchange *x);
/* A preflight, which Postern answers. */
bool cors_asks(const struct exchange *x);
/* One that is the container's to answer: browsers send none with a credential. */
bool cors_leaves(const struct exchange *x);
/* A field of the container's answer that is not passed on. */
bool cors_replaces(const struct exchange *x, struct pst_str name);
/* What Postern adds to whatever answer. Returns how many. */
#define CORS_FIELDS_MAX (PST_CORS_FIELDS_MAX + PST_CORS_PREFLIGHT_FIELDS_MAX)
size_t cors_fields(const struct exchange *x, struct pst_field fields[static CORS_FIELDS_MAX]);
/* local.c: which of Postern's own answers is asked for; and makes it, once it is known who asks. */
enum local local_find(const struct exchange *x);
/* Whether it is only for who has a key. */
bool local_needs_key(enum local local);
/* Responds, or says why it is refused. */
enum pst_error_id local_respond(struct exchange *x) PST_MUSTCHECK;
/* bearer.c: the token of an issuer in the request's head: may it be used? Fills x->key. */
enum pst_error_id bearer_check(struct exchange *x) PST_MUSTCHECK;
enum pst_error_id request_write_head(struct exchange *x) PST_MUSTCHECK;

/* gather.c: a body that is read whole before a connection is leased: whether it is to be, and from its head
 * (an error: refused) to its end. What is wrong on the way, or late, ends the exchange. */
bool gather_wanted(const struct exchange *x);
enum pst_error_id gather_begin(struct exchange *x) PST_MUSTCHECK;
void gather_body(struct exchange *x, const char *data, size_t *size);
void gather_late(struct exchange *x);
void gather_end(struct exchange *x);

/* forward.c: the request's way to the container. */
void forward_lease(struct exchange *x, unsigned flags);
/* In whose share of the connections the exchange counts: its key's, or nobody's. */
uint64_t forward_owner(const struct exchange *x);
/* Takes what it can of the client's body; *size is set to what is left. */
void forward_body(struct exchange *x, const char *data, size_t *size);
/* The body is whole: sends what is left; then waits for the answer. */
void forward_end(struct exchange *x);
/* For the record of the container's reachability: why there is no response, or no whole one; `err` is
 * pst_upconn_read()'s. While the lease holds the connection. */
void forward_note_failure(const struct exchange *x, enum pst_error_id id);
void forward_note_break(const struct exchange *x, int err);

/* respond.c: the container's response, whose head is there. */
void respond_container(struct exchange *x);
/* Moves on with its body. */
void respond_pump(struct exchange *x);
/* A refusal. */
void respond_error(struct exchange *x, enum pst_error_id id, struct pst_str detail, uint8_t end);
/* A response of Postern's own; `type` empty: it has no body. */
void respond_own(struct exchange *x, uint16_t status, struct pst_str type, struct pst_str body);
/* The 101's head into x->around; `answer` NULL: there is no container. */
void respond_upgrade(struct exchange *x, const struct pst_answer *answer);
/* An error for what became no exchange, head and body appended to `out`. */
int respond_without_exchange(struct pst_front *front, enum pst_error_id id, struct pst_str detail,
                             struct pst_str request_id, struct pst_buf *out,
                             uint64_t *ret_body_bytes) PST_MUSTCHECK;
/* rewrite.c: a field's value as the client gets it: the field's own, in the exchange's arena, or empty when
 * it could not be made. */
struct pst_str rewrite_url(struct exchange *x, struct pst_str url);
struct pst_str rewrite_value(struct exchange *x, const struct pst_field *field);
/* links.c: whether the answer's body may have links to further pages, to be rewritten on the way; its length
 * is not known then. Of a HEAD: whether a GET's would. */
bool links_expected(const struct exchange *x, const struct pst_answer *answer) PST_MUSTCHECK;
/* Prepares for that, if there is such a body. */
bool links_look(struct exchange *x, const struct pst_answer *answer) PST_MUSTCHECK;
/* A piece of such a body, or its end (an empty piece): what the client gets of it by now is in x->around.
 * 0 or -PST_ENOMEM. */
int links_feed(struct exchange *x, struct pst_str piece) PST_MUSTCHECK;

/* note.c: gives the journal the names that records will have. Before the first request; 0 or -PST_ENOMEM. */
int note_names_init(struct pst_front *front) PST_MUSTCHECK;
void note_names_done(struct pst_front *front);
/* How the exchange ends, and why; PST_ERROR_NONE where the catalogue has no word for it. */
void note_end(struct exchange *x, enum pst_error_id error, uint8_t end);
void note_exchange(struct exchange *x);
/* For what was refused before libmicrohttpd saw a request target. */
void note_refusal(struct client *client, enum pst_error_id id, struct pst_str request_id,
                  uint64_t body_bytes);
uint8_t note_end_of_error(enum pst_error_id id);

#endif
