/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange from its first byte to its last: what the client's side and the container's tell, and what
 * comes of it in each state. */
#include "attempt.h"
#include "cors.h"
#include "gather.h"
#include "note.h"
#include "phases.h"
#include "postern/base/log.h"
#include "request.h"
#include "respond.h"
#include "websocket.h"
#include "websocket_refuse.h"

#include <stdlib.h>

/* Holds the copy of the target, the fields and the response's strings of an ordinary request without growing.
 */
#define ARENA_BLOCK_BYTES  (16 * 1024)
#define ARENA_MAX_BYTES    (1024 * 1024)
#define MAX_FREE_EXCHANGES 256
/* The head for the container: the client's, rewritten, and what is added. */
#define HEAD_ROOM_BYTES  (16 * 1024)
#define OUTPUT_MAX_BYTES (256 * 1024)

static struct exchange *exchange_alloc(struct pst_exchanges *all)
{
    struct pst_list *node = pst_list_pop_front(&all->free_exchanges);
    if (node != NULL) {
        all->n_free_exchanges--;
        return PST_CONTAINER(node, struct exchange, free_node);
    }
    struct exchange *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    pst_list_init(&x->free_node);
    pst_arena_init(&x->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    pst_buf_init(&x->attempt.head, all->parts.settings->max_head_bytes + HEAD_ROOM_BYTES);
    pst_buf_init(&x->attempt.output, OUTPUT_MAX_BYTES);
    pst_buf_init(&x->response.rewritten, OUTPUT_MAX_BYTES);
    pst_lease_init(&x->attempt.lease);
    return x;
}

static void exchange_destroy(struct exchange *x)
{
    pst_arena_done(&x->arena);
    pst_buf_done(&x->attempt.head);
    pst_buf_done(&x->attempt.output);
    pst_buf_done(&x->response.rewritten);
    free(x);
}

/* Keeps memory for the next request, unless this one was unusually large. */
static void exchange_release(struct pst_exchanges *all, struct exchange *x)
{
    if (all->n_free_exchanges >= MAX_FREE_EXCHANGES || x->attempt.output.cap > OUTPUT_MAX_BYTES / 4) {
        exchange_destroy(x);
        return;
    }
    struct pst_arena arena = x->arena;
    struct pst_buf head = x->attempt.head, output = x->attempt.output;
    pst_buf_done(&x->response.rewritten); /* seldom used */
    struct pst_buf rewritten = x->response.rewritten;
    *x = (struct exchange){
        .arena = arena,
        .attempt = {.head = head, .output = output},
        .response = {.rewritten = rewritten},
    };
    pst_arena_reset(&x->arena);
    pst_buf_reset(&x->attempt.head);
    pst_buf_reset(&x->attempt.output);
    pst_lease_init(&x->attempt.lease);
    pst_list_init(&x->free_node);
    pst_list_push_front(&all->free_exchanges, &x->free_node);
    all->n_free_exchanges++;
}

static void free_all(struct pst_exchanges *all)
{
    for (struct pst_list *node; (node = pst_list_pop_front(&all->free_exchanges)) != NULL;)
        exchange_destroy(PST_CONTAINER(node, struct exchange, free_node));
}

/* What can still be said of a failure on our or the container's side. */
static void fail_as(struct exchange *x, enum pst_error_id id, struct pst_str detail, uint8_t end)
{
    exchange_clear_timer(x);
    pst_loop_undefer(&x->more);
    pst_pool_discard(&x->attempt.lease);
    switch (x->state) {
    case EXCHANGE_DEAD:
    case EXCHANGE_RESPONDED:
        return;
    case EXCHANGE_RESPOND:
    case EXCHANGE_STREAM:
        /* The head is out: all that can be said is that the response is not whole. */
        x->state = EXCHANGE_DEAD;
        note_end(x, id, end);
        count(&x->all->parts.stats->answers_cut);
        x->stream->ops->reset(x->stream);
        return;
    default:
        respond_error(x, id, detail, end);
    }
}

static void fail(struct exchange *x, enum pst_error_id id)
{
    fail_as(x, id, PST_STR(""), note_end_of_error(id));
}

/* What the container's side tells */

static void take_result(struct exchange *x, enum respond_result result, int error)
{
    if (result == RESPOND_FAILED)
        fail_as(x, pst_error_from_upstream(error, false), PST_STR(""),
                x->state == EXCHANGE_RESPOND ? PST_END_UPSTREAM_BROKE : PST_END_INTERNAL);
}

static void on_response_head(struct exchange *x)
{
    int error = 0;
    if (pst_upconn_head(x->attempt.lease.conn)->upgraded) {
        enum pst_error_id id = websocket_start(x);
        if (id != PST_ERROR_NONE)
            fail_as(x, id, PST_STR(""), note_end_of_error(id));
    } else if (x->state == EXCHANGE_AWAIT || x->state == EXCHANGE_SEND) { /* earlier than the request's end */
        enum respond_result result = respond_container(x, &error);
        take_result(x, result, error);
    }
}

static void on_response_body(struct exchange *x)
{
    int error = 0;
    if (x->state == EXCHANGE_RESPOND) {
        enum respond_result result = respond_pump(x, &error);
        take_result(x, result, error);
    } else if (x->state == EXCHANGE_STREAM) {
        websocket_pump(x);
    }
}

static void on_container_writable(struct exchange *x)
{
    if (x->state == EXCHANGE_STREAM)
        websocket_pump(x);
}

static const struct attempt_events attempt_events = {
    .head = on_response_head,
    .body = on_response_body,
    .writable = on_container_writable,
    .failed = fail,
};

static void on_timer(struct pst_timer *timer, void *arg)
{
    (void)timer;
    struct exchange *x = arg;
    if (x->state == EXCHANGE_GATHER) {
        fail(x, PST_ERROR_KEYLESS_BODY_TOO_SLOW);
        return;
    }
    attempt_note_failure(x, PST_ERROR_UPSTREAM_TIMEOUT);
    fail(x, PST_ERROR_UPSTREAM_TIMEOUT);
}

/* What the client's side tells */

static void on_more(struct pst_deferred *deferred, void *arg)
{
    (void)deferred;
    on_response_body(arg);
}

static bool on_begin(struct pst_exchanges *all, struct pst_stream *stream, struct pst_str raw_target)
{
    struct exchange *x = exchange_alloc(all);
    if (x == NULL)
        return false;
    size_t max = all->parts.settings->max_target_bytes;
    x->all = all;
    x->stream = stream;
    x->route = pst_routes_find(all->parts.settings->routes, PST_STR(""), &(bool){false});
    pst_timer_init(&x->timer, on_timer, x);
    pst_deferred_init(&x->more, on_more, x);
    x->record.start_us = now_us(all);
    x->record.start_real_us = pst_loop_real_us(all->parts.loop);
    x->request.target_too_long = raw_target.len > max;
    raw_target.len = x->request.target_too_long ? max : raw_target.len;
    x->request.raw_target = pst_arena_strdup(&x->arena, raw_target);
    if (x->request.raw_target.p == NULL) {
        exchange_destroy(x);
        return false;
    }
    stream->exchange = x;
    stream->arena = &x->arena;
    count(&all->parts.stats->requests);
    return true;
}

/* Some clients cannot see the status of a refused upgrade. */
static void refuse(struct exchange *x, enum pst_error_id id)
{
    if (websocket_refusal_closes(x))
        websocket_refuse(x, id);
    else
        respond_error(x, id, PST_STR(""), note_end_of_error(id));
}

static void on_request(struct pst_stream *stream, const struct pst_stream_request *read)
{
    struct exchange *x = stream->exchange;
    enum pst_error_id id = request_read(x, read);
    cors_look(x);
    enum pst_step step = id == PST_ERROR_NONE ? phases_run(x, &id) : PST_RESPOND;
    if (step == PST_NEXT)
        attempt_begin(x, &attempt_events);
    else if (step == PST_RESPOND && id != PST_ERROR_NONE)
        refuse(x, id);
    if (x->state == EXCHANGE_LEASE && x->request.has_body)
        stream->ops->set_reading(stream, false);
}

static size_t gather(struct exchange *x, struct pst_str piece)
{
    enum pst_error_id id = gather_body(x, piece);
    if (id != PST_ERROR_NONE)
        fail(x, id);
    return piece.len;
}

static void end_gathering(struct exchange *x)
{
    enum pst_error_id id = gather_end(x);
    if (id == PST_ERROR_NONE)
        attempt_begin(x, &attempt_events);
    else
        fail(x, id);
}

static size_t on_body(struct pst_stream *stream, struct pst_str piece)
{
    struct exchange *x = stream->exchange;
    switch (x->state) {
    case EXCHANGE_RESPONDED: /* refused, and small: read to its end */
        x->record.bytes_in += piece.len;
        return piece.len;
    case EXCHANGE_DEAD:
        return piece.len;
    case EXCHANGE_GATHER:
        return gather(x, piece);
    default:
        return attempt_body(x, piece);
    }
}

static void on_request_end(struct pst_stream *stream)
{
    struct exchange *x = stream->exchange;
    x->request.whole = true;
    if (x->state == EXCHANGE_GATHER)
        end_gathering(x);
    if (x->state == EXCHANGE_SEND || (x->state == EXCHANGE_RESPOND && x->attempt.upload_goes_on))
        attempt_end(x);
}

static void on_writable(struct pst_stream *stream)
{
    if (stream->exchange->state == EXCHANGE_RESPOND)
        on_response_body(stream->exchange);
}

static void on_bytes(struct pst_stream *stream)
{
    if (stream->exchange->state == EXCHANGE_STREAM)
        websocket_pump(stream->exchange);
}

static void on_error(struct pst_exchanges *all, struct pst_stream *stream, enum pst_error_id id,
                     struct pst_str detail)
{
    struct exchange *x = stream->exchange;
    const struct pst_fields none = {0};
    if (x != NULL) {
        if (x->request.id_str.len == 0)
            x->request.id_str = pst_request_id_take(&all->ids, &none, x->request.id);
        fail_as(x, id, detail, note_end_of_error(id));
        return;
    }
    char made_id[PST_REQUEST_ID_SIZE];
    struct pst_str request_id = pst_request_id_take(&all->ids, &none, made_id);
    uint64_t body_bytes = respond_without_exchange(all, stream, id, detail, request_id);
    count(&all->parts.stats->errors[id]);
    note_refusal(all, stream->peer, id, request_id, body_bytes);
}

static void on_gone(struct pst_stream *stream, enum pst_stream_gone why)
{
    struct exchange *x = stream->exchange;
    if (why == PST_GONE_LEFT && x->state == EXCHANGE_STREAM) {
        websocket_pump(x); /* reads what came before, then the end */
        return;
    }
    if (why == PST_GONE_DISPLACED) {
        exchange_clear_timer(x);
        pst_loop_undefer(&x->more);
        pst_pool_discard(&x->attempt.lease);
        x->state = EXCHANGE_DEAD;
        x->record.end = PST_END_LIMIT;
        return;
    }
    if (why == PST_GONE_SHUTDOWN) {
        if (x->record.end == PST_END_OK)
            note_end(x, PST_ERROR_SHUTTING_DOWN, PST_END_SHUTDOWN);
        return;
    }
    if (x->state == EXCHANGE_DEAD)
        return;
    exchange_clear_timer(x);
    pst_loop_undefer(&x->more);
    pst_pool_discard(&x->attempt.lease);
    x->state = EXCHANGE_DEAD;
    x->record.end = why == PST_GONE_STALLED ? PST_END_CLIENT_TIMEOUT : PST_END_CLIENT_LEFT;
    if (why == PST_GONE_LEFT)
        count(&x->all->parts.stats->clients_left);
    stream->ops->reset(stream);
}

static void on_closed(struct pst_stream *stream, bool delivered)
{
    struct exchange *x = stream->exchange;
    exchange_clear_timer(x);
    pst_loop_undefer(&x->more);
    if (!delivered && x->record.end == PST_END_OK && x->websocket == NULL)
        x->record.end = PST_END_CLIENT_LEFT;
    pst_pool_discard(&x->attempt.lease);
    if (x->websocket == NULL)
        note_exchange(x);
    websocket_done(x);
    exchange_release(x->all, x);
    stream->exchange = NULL;
    stream->arena = NULL;
}

const struct pst_stream_events pst_exchange_events = {
    .begin = on_begin,
    .request = on_request,
    .body = on_body,
    .request_end = on_request_end,
    .writable = on_writable,
    .bytes = on_bytes,
    .error = on_error,
    .gone = on_gone,
    .closed = on_closed,
};

/* All of a worker */

int pst_exchanges_new(const struct pst_exchange_parts *parts, struct pst_exchanges **ret)
{
    struct pst_exchanges *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return -PST_ENOMEM;
    all->parts = *parts;
    pst_list_init(&all->free_exchanges);
    websockets_init(all);
    all->piece = malloc(PIECE_BYTES);
    int err = all->piece != NULL ? pst_request_ids_init(&all->ids) : -PST_ENOMEM;
    if (err == 0)
        err = note_names_init(all);
    if (err < 0) {
        pst_exchanges_free(all);
        return err;
    }
    *ret = all;
    return 0;
}

void pst_exchanges_free(struct pst_exchanges *all)
{
    if (all == NULL)
        return;
    free_all(all);
    note_names_done(all);
    websockets_done(all);
    free(all->piece);
    free(all);
}

void pst_exchanges_stop(struct pst_exchanges *all)
{
    all->stopping = true;
    websockets_stop(all);
}
