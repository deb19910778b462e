/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket's stream: after the container's 101 the bytes go to and fro untouched, between the TLS session
 * and the leased connection.
 *
 *     asked ─101─▶ OPEN ─container's end, or a close frame of ours queued─▶ LAST ─all written─▶ (end)
 *                   └── broken, too slow, or cut in mid-frame ──▶ (reset)
 *
 * Each direction moves a piece at a time through the worker's one buffer; what the other side does not take
 * is kept (at most that piece), and nothing more is read before it is gone: back-pressure. Limits and
 * credentials are looked at in one sweep over all streams of the worker. */
#include "websocket.h"

#include "certificate.h"
#include "note.h"
#include "postern/base/log.h"
#include "request.h"
#include "respond.h"
#include "wrong.h"

#include <stdlib.h>

/* Pieces of one direction in one turn; others have theirs before the next. */
#define MAX_PIECES 8
/* Credentials must end a stream within a second of their end; the keeper takes half of it. */
#define SWEEP_US 250000
/* A close frame of ours must be taken within this. */
#define LAST_US 2000000

static void websocket_pump_down(struct websocket *ws);
static void on_sweep(struct pst_timer *timer, void *arg);

static bool is_live(const struct websocket *ws)
{
    const struct exchange *x = ws->x;
    return x->state == EXCHANGE_STREAM && !x->stream->over;
}

static void finish(struct websocket *ws)
{
    ws->x->state = EXCHANGE_DEAD;
    pst_pool_discard(&ws->x->attempt.lease);
    ws->x->stream->ops->end(ws->x->stream);
}

/* Of the ends that a cut has. */
static enum pst_error_id error_of_cut(uint8_t end)
{
    return end == PST_END_UPSTREAM_BROKE ? PST_ERROR_UPSTREAM_RESET
           : end == PST_END_INTERNAL     ? PST_ERROR_INTERNAL
                                         : PST_ERROR_NONE;
}

static void cut(struct websocket *ws, uint8_t end)
{
    if (ws->x->record.end == PST_END_OK)
        note_end(ws->x, error_of_cut(end), end);
    ws->x->state = EXCHANGE_DEAD;
    pst_pool_discard(&ws->x->attempt.lease);
    ws->x->stream->ops->reset(ws->x->stream);
}

/* From the container to the client */

static bool write_kept(struct websocket *ws)
{
    struct pst_buf *kept = &ws->x->response.rewritten;
    if (pst_buf_len(kept) == 0)
        return true;
    ssize_t n = ws->bytes->write(ws->x->stream, pst_buf_front(kept), pst_buf_len(kept));
    if (n == -PST_EAGAIN)
        return false;
    if (n < 0) {
        cut(ws, PST_END_CLIENT_LEFT);
        return false;
    }
    pst_buf_consume(kept, (size_t)n);
    if (pst_buf_len(kept) > 0)
        return false;
    pst_buf_done(kept);
    return true;
}

static void pass_down(struct websocket *ws, const char *piece, size_t len)
{
    struct exchange *x = ws->x;
    x->record.bytes_out += len;
    pst_websocket_scan(&ws->scan, piece, len);
    ssize_t n = ws->bytes->write(x->stream, piece, len);
    if (n < 0 && n != -PST_EAGAIN) {
        cut(ws, PST_END_CLIENT_LEFT);
        return;
    }
    size_t took = n > 0 ? (size_t)n : 0;
    if (took < len && pst_buf_add(&x->response.rewritten, piece + took, len - took) < 0)
        cut(ws, PST_END_INTERNAL);
}

static void websocket_pump_down(struct websocket *ws)
{
    char *piece = ws->x->all->piece;
    for (int i = 0; i < MAX_PIECES; i++) {
        if (!is_live(ws) || !write_kept(ws))
            return;
        if (ws->last) {
            finish(ws);
            return;
        }
        if (ws->refused != PST_ERROR_NONE)
            return;
        ssize_t n = pst_upconn_read(ws->x->attempt.lease.conn, piece, PIECE_BYTES);
        if (n == -PST_EAGAIN)
            return;
        if (n < 0) {
            cut(ws, PST_END_UPSTREAM_BROKE);
            return;
        }
        if (n == 0)
            ws->last = true;
        else
            pass_down(ws, piece, (size_t)n);
    }
    pst_loop_defer(ws->x->all->parts.loop, &ws->more);
}

/* From the client to the container */

/* Sends what it can and keeps the rest. False when the container takes no more for now. */
static bool pass_up(struct websocket *ws, struct pst_str piece)
{
    struct exchange *x = ws->x;
    ssize_t n = pst_upconn_send(x->attempt.lease.conn, piece.p, piece.len);
    if (n < 0) {
        ws->up_over = true; /* it is gone: reading from it tells how */
        return false;
    }
    bool kept = piece.p == pst_buf_front(&x->attempt.output);
    if (kept)
        pst_buf_consume(&x->attempt.output, (size_t)n);
    else if ((size_t)n < piece.len && pst_buf_add(&x->attempt.output, piece.p + n, piece.len - (size_t)n) < 0)
        cut(ws, PST_END_INTERNAL);
    if ((size_t)n < piece.len)
        return false;
    if (kept)
        pst_buf_done(&x->attempt.output);
    return true;
}

static void websocket_pump_up(struct websocket *ws)
{
    struct exchange *x = ws->x;
    char *piece = x->all->piece;
    for (int i = 0; i < MAX_PIECES; i++) {
        if (!is_live(ws) || ws->last || ws->up_over || ws->refused != PST_ERROR_NONE)
            return;
        if (pst_buf_len(&x->attempt.output) > 0 && !pass_up(ws, pst_buf_str(&x->attempt.output)))
            return;
        ssize_t n = ws->bytes->read(x->stream, piece, PIECE_BYTES);
        if (n == -PST_EAGAIN)
            return;
        if (n == 0) { /* a half-close: what the container still has to say goes on to the client */
            ws->up_over = true;
            pst_upconn_shutdown(x->attempt.lease.conn);
            return;
        }
        if (n < 0) {
            cut(ws, PST_END_CLIENT_LEFT);
            return;
        }
        x->record.bytes_in += (uint64_t)n;
        if (!pass_up(ws, (struct pst_str){piece, (size_t)n}))
            return;
    }
    pst_loop_defer(x->all->parts.loop, &ws->more);
}

void websocket_pump(struct exchange *x)
{
    websocket_pump_down(x->websocket);
    websocket_pump_up(x->websocket);
}

static void on_more(struct pst_deferred *deferred, void *arg)
{
    (void)deferred;
    struct websocket *ws = arg;
    websocket_pump(ws->x);
}

/* Ends in Postern's name */

/* A close frame may stand between two frames only; a stream in the middle of one is cut. */
static void end_with(struct websocket *ws, uint16_t code, struct pst_str reason, enum pst_error_id error,
                     uint8_t end)
{
    struct exchange *x = ws->x;
    if (!is_live(ws) || ws->last)
        return;
    note_end(x, error, end);
    if (!pst_websocket_between_frames(&ws->scan)) {
        cut(ws, end);
        return;
    }
    char frame[PST_WEBSOCKET_CLOSE_MAX];
    size_t len = pst_websocket_close_frame(code, reason, frame);
    if (pst_buf_add(&x->response.rewritten, frame, len) < 0) {
        cut(ws, end);
        return;
    }
    pst_pool_discard(&x->attempt.lease);
    ws->last = true;
    ws->last_until_us = now_us(x->all) + LAST_US;
    websocket_pump_down(ws);
}

static void end_for_shutdown(struct websocket *ws)
{
    end_with(ws, 1001, PST_STR("The gateway is shutting down."), PST_ERROR_SHUTTING_DOWN, PST_END_SHUTDOWN);
}

void websockets_stop(struct pst_exchanges *all)
{
    PST_LIST_EACH_SAFE(node, &all->websockets)
    {
        end_for_shutdown(PST_CONTAINER(node, struct websocket, node));
    }
}

/* Limits, credentials and usage, from time to time */

/* A note says what was used since the one before, so that sums of them are right, whenever they are made. */
static void note_stream(struct exchange *x, bool last)
{
    struct websocket *ws = x->websocket;
    struct pst_exchanges *all = x->all;
    uint64_t now = now_us(all);
    struct pst_usage_record record = ws->record;
    record.flags |= last ? PST_USAGE_STREAM : PST_USAGE_STREAM | PST_USAGE_GOES_ON;
    record.time_us = pst_loop_real_us(all->parts.loop) - (int64_t)(now - ws->noted_us);
    record.duration_us = now > ws->noted_us ? now - ws->noted_us : 1;
    record.bytes_in = x->record.bytes_in - ws->noted_in;
    record.bytes_out = x->record.bytes_out - ws->noted_out;
    record.end = x->record.end;
    record.error = all->names.errors[x->record.error];
    record.ttfb_us = last ? x->record.ttfb_us : 0;
    note_append(all, &record);
    ws->noted_us = now;
    ws->noted_in = x->record.bytes_in;
    ws->noted_out = x->record.bytes_out;
}

/* The token that the stream was opened with. */
static bool has_expired(const struct exchange *x)
{
    return x->identity.good_until_us > 0 && pst_loop_real_us(x->all->parts.loop) >= x->identity.good_until_us;
}

/* The key, the secret, and what the key may be used for: each may have changed since the stream began. */
static enum pst_key_verdict judge(const struct websocket *ws)
{
    const struct exchange *x = ws->x;
    const struct pst_exchange_parts *parts = &x->all->parts;
    enum pst_key_verdict verdict = pst_keyring_still_valid(parts->keyring, parts->reader, &x->identity.key,
                                                           pst_loop_real_us(parts->loop));
    if (verdict == PST_KEY_OK && (has_expired(x) || !certificate_still_holds(x)))
        verdict = PST_KEY_EXPIRED;
    /* A handshake is a GET (RFC 6455 section 4.1). */
    return verdict != PST_KEY_OK ? verdict
                                 : pst_keyring_permits(parts->keyring, parts->reader, &x->identity.key,
                                                       PST_STR("GET"), x->request.target.path, ws->from);
}

/* A token's end, or a certificate's, is not the key's; and whoever has one has no secret of the key. */
static enum pst_error_id error_of(const struct exchange *x, enum pst_key_verdict verdict)
{
    enum pst_error_id id = wrong_of_verdict(verdict);
    bool by_key = x->identity.good_until_us == 0 && !x->identity.by_certificate;
    bool about_key =
        id == PST_ERROR_KEY_EXPIRED || id == PST_ERROR_KEY_NOT_YET || id == PST_ERROR_KEY_DISABLED;
    return about_key && !by_key ? PST_ERROR_KEY_WRONG : id;
}

static void check_credential(struct websocket *ws)
{
    struct exchange *x = ws->x;
    if (x->identity.key.id[0] == '\0')
        return;
    enum pst_key_verdict verdict = judge(ws);
    if (verdict == PST_KEY_OK)
        return;
    enum pst_error_id error = error_of(x, verdict);
    pst_debug("auth", "stream %s of key %s is closed: the key, or the token for it, is %s", x->request.id,
              x->identity.key.id, pst_key_verdict_text(verdict));
    end_with(ws, WEBSOCKET_REFUSED, pst_str_of(pst_error_def(error)->message), error, PST_END_REFUSED);
}

static void check_times(struct websocket *ws)
{
    struct exchange *x = ws->x;
    const struct pst_front_settings *settings = x->all->parts.settings;
    uint64_t now = now_us(x->all), sent = ws->bytes->sent(x->stream);
    if (x->record.bytes_in + x->record.bytes_out != ws->moved) {
        ws->moved = x->record.bytes_in + x->record.bytes_out;
        ws->moved_us = now;
    }
    if (sent != ws->sent || pst_buf_len(&x->response.rewritten) == 0) {
        ws->sent = sent;
        ws->sent_us = now;
    }
    if ((ws->last && ws->last_until_us > 0 && now > ws->last_until_us) ||
        now - ws->sent_us > settings->send_timeout_us)
        cut(ws, PST_END_CLIENT_TIMEOUT);
    else if (now - ws->moved_us > settings->websocket_idle_us)
        end_with(ws, 1000, PST_STR("The stream was idle for too long."), PST_ERROR_NONE, PST_END_LIMIT);
    else if (settings->websocket_max_us > 0 && now - ws->start_us > settings->websocket_max_us)
        end_with(ws, 1000, PST_STR("The stream has reached its longest duration."), PST_ERROR_NONE,
                 PST_END_LIMIT);
}

static void check_refused(struct websocket *ws)
{
    if (now_us(ws->x->all) >= ws->refuse_at_us)
        end_with(ws, WEBSOCKET_REFUSED, pst_str_of(pst_error_def(ws->refused)->message), ws->refused,
                 ws->x->record.end);
}

static void check_stream(struct websocket *ws)
{
    const struct pst_exchanges *all = ws->x->all;
    check_credential(ws);
    if (is_live(ws) && now_us(all) - ws->noted_us >= all->parts.settings->websocket_note_us)
        note_stream(ws->x, false);
}

static void on_sweep(struct pst_timer *timer, void *arg)
{
    struct pst_exchanges *all = arg;
    PST_LIST_EACH_SAFE(node, &all->websockets)
    {
        struct websocket *ws = PST_CONTAINER(node, struct websocket, node);
        if (is_live(ws))
            check_times(ws);
        if (is_live(ws) && ws->refused != PST_ERROR_NONE)
            check_refused(ws);
        else if (is_live(ws))
            check_stream(ws);
    }
    if (!pst_list_empty(&all->websockets))
        pst_timer_set(all->parts.loop, timer, SWEEP_US);
}

/* The beginning */

void websockets_init(struct pst_exchanges *all)
{
    pst_list_init(&all->websockets);
    pst_timer_init(&all->websocket_sweep, on_sweep, all);
}

void websockets_done(struct pst_exchanges *all)
{
    pst_timer_clear(all->parts.loop, &all->websocket_sweep);
}

static struct websocket *new_stream(struct exchange *x)
{
    struct pst_exchanges *all = x->all;
    struct websocket *ws = calloc(1, sizeof(*ws));
    if (ws == NULL)
        return NULL;
    ws->x = x;
    ws->start_us = ws->noted_us = ws->moved_us = ws->sent_us = now_us(all);
    pst_deferred_init(&ws->more, on_more, ws);
    pst_list_push_back(&all->websockets, &ws->node);
    if (!pst_timer_is_set(&all->websocket_sweep))
        pst_timer_set(all->parts.loop, &all->websocket_sweep, SWEEP_US);
    return ws;
}

struct websocket *websocket_open(struct exchange *x, const struct pst_answer *answer)
{
    struct websocket *ws = new_stream(x);
    if (ws == NULL)
        return NULL;
    ws->bytes = respond_upgrade(x, answer);
    if (ws->bytes == NULL) {
        pst_list_remove(&ws->node);
        free(ws);
        return NULL;
    }
    request_client_address(x, ws->from);
    pst_buf_reset(&x->response.rewritten);
    x->websocket = ws;
    x->state = EXCHANGE_STREAM;
    x->record.ttfb_us = exchange_age_us(x);
    return ws;
}

/* Gives back the memory that only the handshake needed. */
static void slim(struct exchange *x)
{
    struct request *request = &x->request;
    request->raw_target = request->method = request->host = (struct pst_str){NULL, 0};
    request->target = (struct pst_target){0};
    request->fields = request->forward = (struct pst_fields){0};
    request->id_str = (struct pst_str){NULL, 0};
    pst_arena_done(&x->arena); /* it can be used again */
    pst_buf_done(&x->attempt.head);
}

enum pst_error_id websocket_start(struct exchange *x)
{
    const struct pst_answer *answer = pst_upconn_head(x->attempt.lease.conn);
    if (x->state != EXCHANGE_AWAIT || !pst_websocket_agreed(answer, x->request.accept)) {
        struct pst_reach *reach = &x->all->parts.stats->reach;
        pst_reach_failed(reach, pst_loop_real_us(x->all->parts.loop), PST_ERROR_UPSTREAM_RUBBISH);
        pst_reach_malformed(reach, x->request.id, "its 101 does not complete this WebSocket handshake", 0);
        return PST_ERROR_UPSTREAM_RUBBISH;
    }
    if (websocket_open(x, answer) == NULL)
        return PST_ERROR_INTERNAL;
    x->record.status = 101;
    pst_pool_set_apart(&x->attempt.lease);
    note_prepare(x, &x->websocket->record);
    slim(x);
    if (x->all->stopping) /* websockets_stop() was before this stream */
        end_for_shutdown(x->websocket);
    else
        websocket_pump(x);
    return PST_ERROR_NONE;
}

void websocket_done(struct exchange *x)
{
    struct websocket *ws = x->websocket;
    if (x->upgrade_counted)
        x->all->n_websockets--;
    if (ws == NULL)
        return;
    if (ws->refused != PST_ERROR_NONE) {
        x->all->n_refusals--;
        note_exchange(x);
    } else {
        note_stream(x, true);
    }
    pst_list_remove(&ws->node);
    pst_loop_undefer(&ws->more);
    free(ws);
    x->websocket = NULL;
}
