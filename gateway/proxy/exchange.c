/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange: one request and its response. Its client's side is stream.c, the container's forward.c. */
#include "internal.h"
#include "postern/base/log.h"
#include "websocket.h"

#include <stdlib.h>

/* Holds the copy of the target, the fields and the answer's strings of an ordinary request without growing.
 */
#define ARENA_BLOCK_BYTES  (16 * 1024)
#define ARENA_MAX_BYTES    (1024 * 1024)
#define MAX_FREE_EXCHANGES 256
/* The head for the container: the client's, rewritten, and what is added. */
#define HEAD_ROOM_BYTES  (16 * 1024)
#define OUTPUT_MAX_BYTES (256 * 1024)

static void on_timer(struct pst_timer *timer, void *arg);
static void on_more(struct pst_deferred *deferred, void *arg);

static struct exchange *exchange_alloc(struct pst_front *front)
{
    struct pst_list *node = pst_list_pop_front(&front->free_exchanges);
    if (node != NULL) {
        front->n_free_exchanges--;
        return PST_CONTAINER(node, struct exchange, free_node);
    }
    struct exchange *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return NULL;
    pst_list_init(&x->free_node);
    pst_arena_init(&x->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    pst_buf_init(&x->head, front->parts.settings->max_head_bytes + HEAD_ROOM_BYTES);
    pst_buf_init(&x->output, OUTPUT_MAX_BYTES);
    pst_buf_init(&x->around, OUTPUT_MAX_BYTES);
    pst_lease_init(&x->lease);
    return x;
}

static void exchange_destroy(struct exchange *x)
{
    pst_arena_done(&x->arena);
    pst_buf_done(&x->head);
    pst_buf_done(&x->output);
    pst_buf_done(&x->around);
    free(x);
}

/* Keeps memory for the next request, unless this one was unusually large. */
static void exchange_release(struct pst_front *front, struct exchange *x)
{
    if (front->n_free_exchanges >= MAX_FREE_EXCHANGES || x->output.cap > OUTPUT_MAX_BYTES / 4) {
        exchange_destroy(x);
        return;
    }
    struct pst_arena arena = x->arena;
    struct pst_buf head = x->head, output = x->output;
    pst_buf_done(&x->around); /* seldom used */
    *x = (struct exchange){.arena = arena, .head = head, .output = output, .around = x->around};
    pst_arena_reset(&x->arena);
    pst_buf_reset(&x->head);
    pst_buf_reset(&x->output);
    pst_lease_init(&x->lease);
    pst_list_init(&x->free_node);
    pst_list_push_front(&front->free_exchanges, &x->free_node);
    front->n_free_exchanges++;
}

void exchange_slim(struct exchange *x)
{
    x->raw_target = x->method = x->host = (struct pst_str){NULL, 0};
    x->target = (struct pst_target){0};
    x->fields = x->forward = (struct pst_fields){0};
    x->request_id_str = (struct pst_str){NULL, 0};
    pst_arena_done(&x->arena);
    pst_arena_init(&x->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    pst_buf_done(&x->head);
}

void exchanges_free(struct pst_front *front)
{
    for (struct pst_list *node; (node = pst_list_pop_front(&front->free_exchanges)) != NULL;)
        exchange_destroy(PST_CONTAINER(node, struct exchange, free_node));
}

struct exchange *exchange_new(struct client *client, struct pst_str raw_target)
{
    struct pst_front *front = client->front;
    struct exchange *x = exchange_alloc(front);
    if (x == NULL)
        return NULL;
    x->client = client;
    x->route = pst_routes_find(front->parts.settings->routes, PST_STR(""), &(bool){false});
    pst_timer_init(&x->timer, on_timer, x);
    pst_deferred_init(&x->more, on_more, x);
    x->start_us = now_us(front);
    x->start_real_us = pst_loop_real_us(front->parts.loop);
    x->target_too_long = raw_target.len > front->parts.settings->max_target_bytes;
    if (x->target_too_long)
        raw_target.len = front->parts.settings->max_target_bytes;
    x->raw_target = pst_arena_strdup(&x->arena, raw_target);
    if (x->raw_target.p == NULL) {
        exchange_destroy(x);
        return NULL;
    }
    client->exchange = x;
    count(&front->parts.stats->requests);
    return x;
}

uint64_t exchange_age_us(const struct exchange *x)
{
    uint64_t age_us = now_us(x->client->front) - x->start_us;
    return age_us > 0 ? age_us : 1;
}

void exchange_set_timer(struct exchange *x, uint64_t after_us)
{
    pst_timer_set(x->client->front->parts.loop, &x->timer, after_us);
}

static void clear_timer(struct exchange *x)
{
    pst_timer_clear(x->client->front->parts.loop, &x->timer);
}

static void refuse(struct exchange *x, enum pst_error_id id)
{
    respond_error(x, id, PST_STR(""), note_end_of_error(id));
    stream_discard(x->client);
}

void exchange_fail(struct exchange *x, enum pst_error_id id, uint8_t end)
{
    clear_timer(x);
    pst_loop_undefer(&x->more);
    pst_pool_discard(&x->lease);
    switch (x->state) {
    case EXCHANGE_DEAD:
    case EXCHANGE_DONE:
    case EXCHANGE_RESPONDED:
        return;
    case EXCHANGE_RESPOND:
    case EXCHANGE_STREAM:
        /* The head is out: all that can be said is that the response is not whole. */
        x->state = EXCHANGE_DEAD;
        note_end(x, id, end);
        count(&x->client->front->parts.stats->answers_cut);
        client_cut(x->client);
        return;
    default:
        respond_error(x, id, PST_STR(""), end);
        stream_discard(x->client);
    }
}

/* What the client's side tells */

static enum pst_error_id check(struct exchange *x, const char *method, const char *version)
{
    enum pst_error_id id = request_read(x, method, version);
    client_busy(x->client, x->has_body);
    x->body_whole = !x->has_body;
    if (id == PST_ERROR_NONE)
        id = request_answered_here(x);
    if (id == PST_ERROR_NONE)
        id = websocket_asked(x);
    if (id == PST_ERROR_NONE)
        x->local = local_find(x);
    if (id == PST_ERROR_NONE && local_needs_key(x->local))
        id = request_authenticate(x);
    return id;
}

void exchange_on_request(struct exchange *x, const char *method, const char *version)
{
    x->began = true;
    enum pst_error_id id = check(x, method, version);
    if (id == PST_ERROR_NONE && x->local != LOCAL_NONE) {
        id = local_respond(x);
        if (id != PST_ERROR_NONE)
            refuse(x, id);
        return;
    }
    if (id == PST_ERROR_NONE)
        id = websocket_take_place(x);
    if (id != PST_ERROR_NONE && websocket_refusal_closes(x)) {
        websocket_refuse(x, id);
        return;
    }
    if (id == PST_ERROR_NONE)
        id = gather_wanted(x) ? gather_begin(x) : request_write_head(x);
    if (id != PST_ERROR_NONE) {
        refuse(x, id);
        return;
    }
    if (x->state == EXCHANGE_GATHER)
        return;
    forward_lease(x, 0);
    if (x->state == EXCHANGE_LEASE && x->has_body)
        stream_hold(x->client);
}

void exchange_on_body(struct exchange *x, const char *data, size_t *size)
{
    if (x->state == EXCHANGE_RESPONDED) { /* refused, and small: read to its end */
        x->bytes_in += *size;
        *size = 0;
    } else if (x->state == EXCHANGE_GATHER) {
        gather_body(x, data, size);
    } else if (x->state != EXCHANGE_DEAD) {
        forward_body(x, data, size);
    }
}

void exchange_on_request_end(struct exchange *x)
{
    x->ended = x->body_whole = true;
    if (x->state == EXCHANGE_GATHER)
        gather_end(x);
    if (x->state == EXCHANGE_SEND || (x->state == EXCHANGE_RESPOND && x->upload_goes_on))
        forward_end(x);
}

void exchange_on_writable(struct exchange *x)
{
    if (x->state == EXCHANGE_RESPOND)
        respond_pump(x);
}

static void on_more(struct pst_deferred *deferred, void *arg)
{
    (void)deferred;
    exchange_on_writable(arg);
}

/* Ends */

void exchange_cut(struct exchange *x, uint8_t end)
{
    if (x->state == EXCHANGE_DEAD || x->state == EXCHANGE_DONE)
        return;
    clear_timer(x);
    pst_pool_discard(&x->lease);
    x->state = EXCHANGE_DEAD;
    x->end = end;
}

void exchange_on_client_left(struct exchange *x)
{
    if (x->state == EXCHANGE_STREAM) {
        websocket_pump(x); /* reads what came before, then the end */
        return;
    }
    if (x->state == EXCHANGE_DEAD || x->state == EXCHANGE_DONE || stream_is_out(x->client)) {
        client_wake(x->client);
        return;
    }
    exchange_cut(x, PST_END_CLIENT_LEFT);
    count(&x->client->front->parts.stats->clients_left);
    client_cut(x->client);
}

void exchange_on_closed(struct exchange *x, bool delivered)
{
    struct client *client = x->client;
    struct pst_front *front = client->front;
    clear_timer(x);
    pst_loop_undefer(&x->more);
    bool waiting = client->session != NULL && !client->left && !client->detached && x->state != EXCHANGE_DEAD;
    if (!delivered && waiting && x->status == 0)
        mhd_error_unanswered(client);
    else if (!delivered && x->end == PST_END_OK && x->websocket == NULL)
        x->end = PST_END_CLIENT_LEFT;
    pst_pool_discard(&x->lease);
    if (x->websocket == NULL)
        note_exchange(x);
    websocket_done(x);
    x->state = EXCHANGE_DONE;
    exchange_release(front, x);
    client->exchange = NULL;
    if (client->session == NULL || client->state == CLIENT_ENDING)
        return;
    client_idle(client);
    /* A pipelined request may be here already, its bytes long read. */
    if (pst_list_empty(&client->fresh))
        pst_list_push_back(&front->fresh, &client->fresh);
}

static void on_timer(struct pst_timer *timer, void *arg)
{
    (void)timer;
    struct exchange *x = arg;
    if (x->state == EXCHANGE_GATHER) {
        gather_late(x);
        return;
    }
    forward_note_failure(x, PST_ERROR_UPSTREAM_TIMEOUT);
    exchange_fail(x, PST_ERROR_UPSTREAM_TIMEOUT, PST_END_UPSTREAM_TIMEOUT);
}
