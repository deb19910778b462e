/* SPDX-License-Identifier: Apache-2.0 */
#include "attempt.h"

#include "postern/base/log.h"
#include "request.h"

#include <stdio.h>

static void start(struct exchange *x);
static void lease(struct exchange *x, unsigned flags);

static const struct pst_front_settings *settings_of(const struct exchange *x)
{
    return x->all->parts.settings;
}

static void set_reading(struct exchange *x, bool reading)
{
    x->stream->ops->set_reading(x->stream, reading);
}

/* RFC 9110 section 9.2.2 */
static bool is_idempotent(const struct exchange *x)
{
    static const struct pst_str methods[] = {PST_STR("GET"), PST_STR("HEAD"), PST_STR("OPTIONS"),
                                             PST_STR("PUT"), PST_STR("DELETE")};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (pst_str_eq(x->request.method, methods[i]))
            return true;
    }
    return false;
}

/* A kept connection that the container closed just as it was lent: the request is sent once more, on a fresh
 * one, when nothing of it can have been acted upon: not a byte of it was taken, or its method may be
 * repeated and no byte of its body is gone. */
static bool may_retry(const struct exchange *x)
{
    const struct pst_upconn *conn = x->attempt.lease.conn;
    if (x->attempt.retried || conn == NULL || !pst_upconn_reused(conn) || pst_upconn_answer_bytes(conn) > 0)
        return false;
    return pst_upconn_request_bytes(conn) == 0 || (is_idempotent(x) && x->record.bytes_in == 0);
}

static void fail(struct exchange *x, enum pst_error_id id)
{
    pst_pool_discard(&x->attempt.lease);
    x->attempt.events->failed(x, id);
}

static void retry(struct exchange *x)
{
    x->attempt.retried = true;
    pst_pool_discard(&x->attempt.lease);
    pst_buf_reset(&x->attempt.head);
    if (!x->attempt.gathered) /* of a gathered body nothing is gone yet */
        pst_buf_reset(&x->attempt.output);
    x->attempt.last_chunk_queued = false;
    enum pst_error_id id = request_write_head(x);
    if (id != PST_ERROR_NONE) {
        fail(x, id);
        return;
    }
    lease(x, PST_LEASE_FRESH);
    if (x->state == EXCHANGE_SEND && x->request.whole)
        attempt_end(x);
}

static struct pst_reach *reach_of(const struct exchange *x)
{
    return &x->all->parts.stats->reach;
}

static int64_t real_us(const struct exchange *x)
{
    return pst_loop_real_us(x->all->parts.loop);
}

void attempt_note_failure(const struct exchange *x, enum pst_error_id id)
{
    const struct pst_upconn *conn = x->attempt.lease.conn;
    bool ours = id == PST_ERROR_UPSTREAM_BUSY || id == PST_ERROR_UPSTREAM_SHARE || id == PST_ERROR_INTERNAL;
    if (!ours)
        pst_reach_failed(reach_of(x), real_us(x), id);
    if (id == PST_ERROR_UPSTREAM_RUBBISH && conn != NULL)
        pst_reach_malformed(reach_of(x), x->request.id, pst_upconn_fault(conn), pst_upconn_fault_at(conn));
}

void attempt_note_break(const struct exchange *x, int err)
{
    attempt_note_failure(x, pst_error_from_upstream(err, false));
}

static void fail_upstream(struct exchange *x, int err, bool connecting)
{
    enum pst_error_id id = pst_error_from_upstream(err, connecting);
    attempt_note_failure(x, id);
    pst_debug("upstream", "request %s: %s%s", x->request.id, pst_strerror(err),
              connecting ? " (connecting)" : "");
    fail(x, id);
}

/* The request is on its way, whether the response has begun or not. */
static bool is_sending(const struct exchange *x)
{
    return x->state == EXCHANGE_SEND || (x->state == EXCHANGE_RESPOND && x->attempt.upload_goes_on);
}

/* The container reads no more of the request. Before its response on_head or on_fail will tell; after its
 * head the rest of the upload is not wanted. */
static void stop_sending(struct exchange *x)
{
    if (x->state == EXCHANGE_RESPOND) {
        x->attempt.upload_goes_on = false;
        x->stream->ops->discard(x->stream);
    }
    set_reading(x, false);
}

/* The connection's events */

static void on_writable(struct pst_upconn *conn, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    x->attempt.events->writable(x);
    if (!is_sending(x))
        return;
    if (x->request.whole)
        attempt_end(x);
    else
        set_reading(x, true);
}

static void on_answer_head(struct pst_upconn *conn, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    exchange_clear_timer(x);
    pst_reach_answered(reach_of(x), real_us(x));
    x->attempt.events->head(x);
}

static void on_answer_body(struct pst_upconn *conn, void *arg)
{
    (void)conn;
    struct exchange *x = arg;
    exchange_clear_timer(x);
    x->attempt.events->body(x);
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
    if (x->request.whole)
        attempt_end(x);
    else
        set_reading(x, true);
}

uint64_t attempt_owner(const struct exchange *x)
{
    return x->identity.keyed ? x->identity.key.number : PST_LEASE_NOBODY;
}

static void count_wait(const struct exchange *x)
{
    struct pst_front_stats *stats = x->all->parts.stats;
    count(&stats->upstream_waits);
    if (x->attempt.lease.held_back)
        count(&stats->upstream_share_waits);
}

static void lease(struct exchange *x, unsigned flags)
{
    x->state = EXCHANGE_LEASE;
    x->attempt.n += x->attempt.n < UINT8_MAX;
    int got = pst_pool_lease(x->all->parts.pool, &x->attempt.lease, attempt_owner(x), flags, on_lease, x);
    if (got > 0) {
        start(x);
    } else if (got < 0) {
        enum pst_error_id id = pst_error_from_upstream(got, true);
        attempt_note_failure(x, id);
        fail(x, id);
    } else if (x->attempt.lease.state == PST_LEASE_WAITING) {
        count_wait(x);
    }
}

static void start(struct exchange *x)
{
    x->state = EXCHANGE_SEND;
    unsigned flags =
        (x->request.is_head ? PST_ANSWER_TO_HEAD : 0u) | (x->request.upgrade ? PST_ANSWER_MAY_UPGRADE : 0u);
    pst_reach_asked(reach_of(x), real_us(x));
    pst_upconn_start(x->attempt.lease.conn, &handlers, x, flags);
}

/* Sending */

/* Sends what is left of the head and what waits in the output. True when all of it is gone. */
static bool flush(struct exchange *x)
{
    struct pst_str head = pst_buf_str(&x->attempt.head), output = pst_buf_str(&x->attempt.output);
    if (head.len + output.len == 0)
        return true;
    ssize_t n = pst_upconn_send2(x->attempt.lease.conn, head, output);
    if (n < 0)
        return false; /* on_head or on_fail will tell */
    size_t of_head = (size_t)n < head.len ? (size_t)n : head.len;
    pst_buf_consume(&x->attempt.head, of_head);
    pst_buf_consume(&x->attempt.output, (size_t)n - of_head);
    return (size_t)n == head.len + output.len;
}

static bool body_too_large(const struct exchange *x, size_t more)
{
    uint64_t max = settings_of(x)->max_body_bytes;
    return max > 0 && x->record.bytes_in + more > max;
}

/* A chunk of our own for each piece (RFC 9112 section 7.1): the client's boundaries mean nothing. */
static size_t send_chunk(struct exchange *x, struct pst_str piece)
{
    struct pst_buf *output = &x->attempt.output;
    if (!flush(x)) {
        set_reading(x, false);
        return 0;
    }
    pst_buf_printf(output, "%zx\r\n", piece.len);
    pst_buf_add_str(output, piece);
    if (pst_buf_add(output, "\r\n", 2) < 0 || pst_buf_failed(output)) {
        fail(x, PST_ERROR_INTERNAL);
        return 0;
    }
    x->record.bytes_in += piece.len;
    if (!flush(x))
        set_reading(x, false);
    return piece.len;
}

static size_t send_plain(struct exchange *x, struct pst_str piece)
{
    struct pst_str head = pst_buf_str(&x->attempt.head);
    ssize_t n = pst_upconn_send2(x->attempt.lease.conn, head, piece);
    if (n < 0) {
        stop_sending(x);
        return 0;
    }
    size_t of_head = (size_t)n < head.len ? (size_t)n : head.len;
    pst_buf_consume(&x->attempt.head, of_head);
    size_t of_body = (size_t)n - of_head;
    x->record.bytes_in += of_body;
    if (of_body < piece.len)
        set_reading(x, false);
    return of_body;
}

size_t attempt_body(struct exchange *x, struct pst_str piece)
{
    if (!is_sending(x)) { /* the lease is on its way again: a retry */
        set_reading(x, false);
        return 0;
    }
    if (body_too_large(x, piece.len)) {
        fail(x, PST_ERROR_BODY_TOO_LARGE);
        return 0;
    }
    return x->request.framing.kind == PST_BODY_CHUNKED ? send_chunk(x, piece) : send_plain(x, piece);
}

void attempt_end(struct exchange *x)
{
    if (x->request.framing.kind == PST_BODY_CHUNKED && !x->attempt.last_chunk_queued) {
        pst_buf_add(&x->attempt.output, "0\r\n\r\n", 5);
        x->attempt.last_chunk_queued = true;
    }
    if (!flush(x))
        return;
    pst_upconn_request_done(x->attempt.lease.conn);
    if (x->state == EXCHANGE_RESPOND)
        return;
    x->state = EXCHANGE_AWAIT;
    exchange_set_timer(x, settings_of(x)->first_byte_timeout_us);
}

void attempt_begin(struct exchange *x, const struct attempt_events *events)
{
    x->attempt.events = events;
    lease(x, 0);
}
