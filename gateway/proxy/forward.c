/* SPDX-License-Identifier: Apache-2.0 */
/* The request's way to the container: a leased connection, the head, the body as it comes. What the container
 * does not take stays with the client's side, which then reads no more: back-pressure. */
#include "internal.h"
#include "postern/base/log.h"
#include "websocket.h"

#include <stdio.h>

static void start(struct exchange *x);

static const struct pst_front_settings *settings_of(const struct exchange *x)
{
    return x->client->front->parts.settings;
}

/* RFC 9110 section 9.2.2 */
static bool is_idempotent(const struct exchange *x)
{
    static const struct pst_str methods[] = {PST_STR("GET"), PST_STR("HEAD"), PST_STR("OPTIONS"),
                                             PST_STR("PUT"), PST_STR("DELETE")};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (pst_str_eq(x->method, methods[i]))
            return true;
    }
    return false;
}

/* A kept connection that the container closed just as it was lent: the request is sent once more, on a fresh
 * one, when nothing of it can have been acted upon: not a byte of it was taken, or its method may be
 * repeated and no byte of its body is gone. */
static bool may_retry(const struct exchange *x)
{
    const struct pst_upconn *conn = x->lease.conn;
    if (x->retried || conn == NULL || !pst_upconn_reused(conn) || pst_upconn_answer_bytes(conn) > 0)
        return false;
    return pst_upconn_request_bytes(conn) == 0 || (is_idempotent(x) && x->bytes_in == 0);
}

static void retry(struct exchange *x)
{
    x->retried = true;
    pst_pool_discard(&x->lease);
    pst_buf_reset(&x->head);
    if (!x->gathered) /* of a gathered body nothing is gone yet */
        pst_buf_reset(&x->output);
    x->last_chunk_queued = false;
    enum pst_error_id id = request_write_head(x);
    if (id != PST_ERROR_NONE) {
        exchange_fail(x, id, PST_END_INTERNAL);
        return;
    }
    forward_lease(x, PST_LEASE_FRESH);
    if (x->state == EXCHANGE_SEND && x->ended)
        forward_end(x);
}

static struct pst_reach *reach_of(const struct exchange *x)
{
    return &x->client->front->parts.stats->reach;
}

static int64_t real_us(const struct exchange *x)
{
    return pst_loop_real_us(x->client->front->parts.loop);
}

void forward_note_failure(const struct exchange *x, enum pst_error_id id)
{
    const struct pst_upconn *conn = x->lease.conn;
    bool ours = id == PST_ERROR_UPSTREAM_BUSY || id == PST_ERROR_UPSTREAM_SHARE || id == PST_ERROR_INTERNAL;
    if (!ours)
        pst_reach_failed(reach_of(x), real_us(x), id);
    if (id == PST_ERROR_UPSTREAM_RUBBISH && conn != NULL)
        pst_reach_malformed(reach_of(x), x->request_id, pst_upconn_fault(conn), pst_upconn_fault_at(conn));
}

void forward_note_break(const struct exchange *x, int err)
{
    forward_note_failure(x, pst_error_from_upstream(err, false));
}

static void fail_upstream(struct exchange *x, int err, bool connecting)
{
    enum pst_error_id id = pst_error_from_upstream(err, connecting);
    forward_note_failure(x, id);
    pst_debug("upstream", "request %s: %s%s", x->request_id, pst_strerror(err),
              connecting ? " (connecting)" : "");
    exchange_fail(x, id, note_end_of_error(id));
}

/* The request is on its way, whether the response has begun or not. */
static bool is_sending(const struct exchange *x)
{
    return x->state == EXCHANGE_SEND || (x->state == EXCHANGE_RESPOND && x->upload_goes_on);
}

/* The container reads no more of the request. Before its answer on_head or on_fail will tell; after its head
 * the rest of the upload is not wanted. */
static void stop_sending(struct exchange *x)
{
    if (x->state == EXCHANGE_RESPOND) {
        x->upload_goes_on = false;
        stream_discard(x->client);
    }
    stream_hold(x->client);
}

/* The connection's events */

static void on_writable(struct pst_upconn *conn, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    if (x->state == EXCHANGE_STREAM)
        websocket_pump(x);
    if (!is_sending(x))
        return;
    if (x->ended)
        forward_end(x);
    else
        stream_read(x->client);
}

static void on_answer_head(struct pst_upconn *conn, void *arg)
{
    struct exchange *x = arg;
    pst_timer_clear(x->client->front->parts.loop, &x->timer);
    pst_reach_answered(reach_of(x), real_us(x));
    if (pst_upconn_head(conn)->upgraded)
        websocket_start(x);
    else if (x->state == EXCHANGE_AWAIT || x->state == EXCHANGE_SEND) /* earlier than the request's end */
        respond_container(x);
}

static void on_answer_body(struct pst_upconn *conn, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    pst_timer_clear(x->client->front->parts.loop, &x->timer);
    if (x->state == EXCHANGE_RESPOND)
        respond_pump(x);
    else if (x->state == EXCHANGE_STREAM)
        websocket_pump(x);
}

static void on_fail(struct pst_upconn *conn, int err, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    if (may_retry(x))
        retry(x);
    else
        fail_upstream(x, err, false);
}

static const struct pst_upconn_handlers handlers = {
    .on_writable = on_writable,
    .on_head = on_answer_head,
    .on_body = on_answer_body,
    .on_fail = on_fail,
};

/* Leasing */

static void on_lease(struct pst_lease *lease, int err, void *arg)
{
    (void)lease;
    struct exchange *x = arg;
    if (err < 0) {
        fail_upstream(x, err, true);
        return;
    }
    start(x);
    if (x->ended)
        forward_end(x);
    else
        stream_read(x->client);
}

uint64_t forward_owner(const struct exchange *x)
{
    return x->keyed ? x->key.number : PST_LEASE_NOBODY;
}

static void count_wait(const struct exchange *x)
{
    struct pst_front_stats *stats = x->client->front->parts.stats;
    count(&stats->upstream_waits);
    if (x->lease.held_back)
        count(&stats->upstream_share_waits);
}

void forward_lease(struct exchange *x, unsigned flags)
{
    x->state = EXCHANGE_LEASE;
    x->attempts += x->attempts < UINT8_MAX;
    int got = pst_pool_lease(x->client->front->parts.pool, &x->lease, forward_owner(x), flags, on_lease, x);
    if (got > 0) {
        start(x);
    } else if (got < 0) {
        enum pst_error_id id = pst_error_from_upstream(got, true);
        forward_note_failure(x, id);
        exchange_fail(x, id, note_end_of_error(id));
    } else if (x->lease.state == PST_LEASE_WAITING) {
        count_wait(x);
    }
}

static void start(struct exchange *x)
{
    x->state = EXCHANGE_SEND;
    unsigned flags = (x->is_head ? PST_ANSWER_TO_HEAD : 0u) | (x->upgrade ? PST_ANSWER_MAY_UPGRADE : 0u);
    pst_reach_asked(reach_of(x), real_us(x));
    pst_upconn_start(x->lease.conn, &handlers, x, flags);
}

/* Sending */

/* Sends what is left of the head and what waits in the output. True when all of it is gone. */
static bool flush(struct exchange *x)
{
    struct pst_str head = pst_buf_str(&x->head), output = pst_buf_str(&x->output);
    if (head.len + output.len == 0)
        return true;
    ssize_t n = pst_upconn_send2(x->lease.conn, head, output);
    if (n < 0)
        return false; /* on_head or on_fail will tell */
    size_t of_head = (size_t)n < head.len ? (size_t)n : head.len;
    pst_buf_consume(&x->head, of_head);
    pst_buf_consume(&x->output, (size_t)n - of_head);
    return (size_t)n == head.len + output.len;
}

static bool body_too_large(const struct exchange *x, size_t more)
{
    uint64_t max = settings_of(x)->max_body_bytes;
    return max > 0 && x->bytes_in + more > max;
}

/* A chunk of our own for each piece (RFC 9112 section 7.1): the client's boundaries mean nothing. */
static void forward_chunk(struct exchange *x, const char *data, size_t *size)
{
    if (!flush(x)) {
        stream_hold(x->client);
        return;
    }
    pst_buf_printf(&x->output, "%zx\r\n", *size);
    pst_buf_add(&x->output, data, *size);
    if (pst_buf_add(&x->output, "\r\n", 2) < 0 || pst_buf_failed(&x->output)) {
        exchange_fail(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
        return;
    }
    x->bytes_in += *size;
    *size = 0;
    if (!flush(x))
        stream_hold(x->client);
}

static void forward_plain(struct exchange *x, const char *data, size_t *size)
{
    struct pst_str head = pst_buf_str(&x->head);
    ssize_t n = pst_upconn_send2(x->lease.conn, head, (struct pst_str){data, *size});
    if (n < 0) {
        stop_sending(x);
        return;
    }
    size_t of_head = (size_t)n < head.len ? (size_t)n : head.len;
    pst_buf_consume(&x->head, of_head);
    size_t of_body = (size_t)n - of_head;
    x->bytes_in += of_body;
    *size -= of_body;
    if (*size > 0)
        stream_hold(x->client);
}

void forward_body(struct exchange *x, const char *data, size_t *size)
{
    if (!is_sending(x)) { /* the lease is on its way again: a retry */
        stream_hold(x->client);
        return;
    }
    if (body_too_large(x, *size)) {
        exchange_fail(x, PST_ERROR_BODY_TOO_LARGE, PST_END_LIMIT);
        return;
    }
    if (x->framing.kind == PST_BODY_CHUNKED)
        forward_chunk(x, data, size);
    else
        forward_plain(x, data, size);
}

void forward_end(struct exchange *x)
{
    if (x->framing.kind == PST_BODY_CHUNKED && !x->last_chunk_queued) {
        pst_buf_add(&x->output, "0\r\n\r\n", 5);
        x->last_chunk_queued = true;
    }
    if (!flush(x))
        return;
    pst_upconn_request_done(x->lease.conn);
    if (x->state == EXCHANGE_RESPOND)
        return;
    x->state = EXCHANGE_AWAIT;
    exchange_set_timer(x, settings_of(x)->first_byte_timeout_us);
}
