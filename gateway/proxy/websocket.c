/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket's stream: after the container's 101 the bytes go to and fro untouched, between the TLS session
 * and the leased connection, while libmicrohttpd's connection stays suspended as a placeholder.
 *
 *     asked ─101─▶ OPEN ─container's end, or a close frame of ours queued─▶ LAST ─all written─▶ (client_end)
 *                   └── broken, too slow, or cut in mid-frame ──▶ (client_cut)
 *
 * Each direction moves a piece at a time through the worker's one buffer; what the other side does not take
 * is kept (at most that piece), and nothing more is read before it is gone: back-pressure. Limits and
 * credentials are looked at in one sweep over all streams of the worker. */
#include "websocket.h"

#include "postern/base/log.h"

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
    return x->state == EXCHANGE_STREAM && x->client->session != NULL && x->client->state != CLIENT_ENDING;
}

static void finish(struct websocket *ws)
{
    ws->x->state = EXCHANGE_DEAD;
    pst_pool_discard(&ws->x->lease);
    client_end(ws->x->client);
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
    if (ws->x->end == PST_END_OK)
        note_end(ws->x, error_of_cut(end), end);
    ws->x->client->cut = true;
    finish(ws);
}

/* From the container to the client */

static bool write_kept(struct websocket *ws)
{
    struct pst_buf *kept = &ws->x->around;
    if (pst_buf_len(kept) == 0)
        return true;
    ssize_t n = pst_session_write(ws->x->client->session, pst_buf_front(kept), pst_buf_len(kept));
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
    x->bytes_out += len;
    pst_websocket_scan(&ws->scan, piece, len);
    ssize_t n = pst_session_write(x->client->session, piece, len);
    if (n < 0 && n != -PST_EAGAIN) {
        cut(ws, PST_END_CLIENT_LEFT);
        return;
    }
    size_t took = n > 0 ? (size_t)n : 0;
    if (took < len && pst_buf_add(&x->around, piece + took, len - took) < 0)
        cut(ws, PST_END_INTERNAL);
}

static void websocket_pump_down(struct websocket *ws)
{
    char *piece = ws->x->client->front->piece;
    for (int i = 0; i < MAX_PIECES; i++) {
        if (!is_live(ws) || !write_kept(ws))
            return;
        if (ws->last) {
            finish(ws);
            return;
        }
        if (ws->refused != PST_ERROR_NONE)
            return;
        ssize_t n = pst_upconn_read(ws->x->lease.conn, piece, PIECE_BYTES);
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
    pst_loop_defer(ws->x->client->front->parts.loop, &ws->more);
}

/* From the client to the container */

/* Sends what it can and keeps the rest. False when the container takes no more for now. */
static bool pass_up(struct websocket *ws, struct pst_str piece)
{
    struct exchange *x = ws->x;
    ssize_t n = pst_upconn_send(x->lease.conn, piece.p, piece.len);
    if (n < 0) {
        ws->up_over = true; /* it is gone: reading from it tells how */
        return false;
    }
    bool kept = piece.p == pst_buf_front(&x->output);
    if (kept)
        pst_buf_consume(&x->output, (size_t)n);
    else if ((size_t)n < piece.len && pst_buf_add(&x->output, piece.p + n, piece.len - (size_t)n) < 0)
        cut(ws, PST_END_INTERNAL);
    if ((size_t)n < piece.len)
        return false;
    if (kept)
        pst_buf_done(&x->output);
    return true;
}

static void websocket_pump_up(struct websocket *ws)
{
    struct exchange *x = ws->x;
    char *piece = x->client->front->piece;
    for (int i = 0; i < MAX_PIECES; i++) {
        if (!is_live(ws) || ws->last || ws->up_over || ws->refused != PST_ERROR_NONE)
            return;
        if (pst_buf_len(&x->output) > 0 && !pass_up(ws, pst_buf_str(&x->output)))
            return;
        ssize_t n = pst_session_read(x->client->session, piece, PIECE_BYTES);
        if (n == -PST_EAGAIN)
            return;
        if (n == 0) { /* a half-close: what the container still has to say goes on to the client */
            ws->up_over = true;
            pst_upconn_shutdown(x->lease.conn);
            return;
        }
        if (n < 0) {
            cut(ws, PST_END_CLIENT_LEFT);
            return;
        }
        x->bytes_in += (uint64_t)n;
        if (!pass_up(ws, (struct pst_str){piece, (size_t)n}))
            return;
    }
    pst_loop_defer(x->client->front->parts.loop, &ws->more);
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
    if (pst_buf_add(&x->around, frame, len) < 0) {
        cut(ws, end);
        return;
    }
    pst_pool_discard(&x->lease);
    ws->last = true;
    ws->last_until_us = now_us(x->client->front) + LAST_US;
    websocket_pump_down(ws);
}

static void end_for_shutdown(struct websocket *ws)
{
    end_with(ws, 1001, PST_STR("The gateway is shutting down."), PST_ERROR_SHUTTING_DOWN, PST_END_SHUTDOWN);
}

void websockets_stop(struct pst_front *front)
{
    PST_LIST_EACH_SAFE(node, &front->websockets)
    {
        end_for_shutdown(PST_CONTAINER(node, struct websocket, node));
    }
}

/* Limits, credentials and usage, from time to time */

/* The token that the stream was opened with. */
static bool has_expired(const struct exchange *x)
{
    return x->good_until_us > 0 && pst_loop_real_us(x->client->front->parts.loop) >= x->good_until_us;
}

/* The key, the secret, and what the key may be used for: each may have changed since the stream began. */
static enum pst_key_verdict judge(const struct websocket *ws)
{
    const struct exchange *x = ws->x;
    const struct pst_front_parts *parts = &x->client->front->parts;
    enum pst_key_verdict verdict =
        pst_keyring_still_valid(parts->keyring, parts->reader, &x->key, pst_loop_real_us(parts->loop));
    if (verdict == PST_KEY_OK && (has_expired(x) || !certificate_still_holds(x)))
        verdict = PST_KEY_EXPIRED;
    /* A handshake is a GET (RFC 6455 section 4.1). */
    return verdict != PST_KEY_OK ? verdict
                                 : pst_keyring_permits(parts->keyring, parts->reader, &x->key, PST_STR("GET"),
                                                       x->target.path, ws->from);
}

/* A token's end, or a certificate's, is not the key's; and whoever has one has no secret of the key. */
static enum pst_error_id error_of(const struct exchange *x, enum pst_key_verdict verdict)
{
    enum pst_error_id id = error_of_verdict(verdict);
    bool by_key = x->good_until_us == 0 && !x->by_certificate;
    bool about_key =
        id == PST_ERROR_KEY_EXPIRED || id == PST_ERROR_KEY_NOT_YET || id == PST_ERROR_KEY_DISABLED;
    return about_key && !by_key ? PST_ERROR_KEY_WRONG : id;
}

static void check_credential(struct websocket *ws)
{
    struct exchange *x = ws->x;
    if (x->key.id[0] == '\0')
        return;
    enum pst_key_verdict verdict = judge(ws);
    if (verdict == PST_KEY_OK)
        return;
    enum pst_error_id error = error_of(x, verdict);
    pst_debug("auth", "stream %s of key %s ends: the key, or the token for it, is %s", x->request_id,
              x->key.id, pst_key_verdict_text(verdict));
    end_with(ws, WEBSOCKET_REFUSED, pst_str_of(pst_error_def(error)->message), error, PST_END_REFUSED);
}

static void check_times(struct websocket *ws)
{
    struct exchange *x = ws->x;
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    uint64_t now = now_us(x->client->front), sent = pst_session_bytes_sent(x->client->session);
    if (x->bytes_in + x->bytes_out != ws->moved) {
        ws->moved = x->bytes_in + x->bytes_out;
        ws->moved_us = now;
    }
    if (sent != ws->sent || pst_buf_len(&x->around) == 0) {
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
    if (now_us(ws->x->client->front) >= ws->refuse_at_us)
        end_with(ws, WEBSOCKET_REFUSED, pst_str_of(pst_error_def(ws->refused)->message), ws->refused,
                 ws->x->end);
}

static void check_stream(struct websocket *ws)
{
    const struct pst_front *front = ws->x->client->front;
    check_credential(ws);
    if (is_live(ws) && now_us(front) - ws->noted_us >= front->parts.settings->websocket_note_us)
        note_stream(ws->x, false);
}

static void on_sweep(struct pst_timer *timer, void *arg)
{
    struct pst_front *front = arg;
    PST_LIST_EACH_SAFE(node, &front->websockets)
    {
        struct websocket *ws = PST_CONTAINER(node, struct websocket, node);
        if (is_live(ws))
            check_times(ws);
        if (is_live(ws) && ws->refused != PST_ERROR_NONE)
            check_refused(ws);
        else if (is_live(ws))
            check_stream(ws);
    }
    if (!pst_list_empty(&front->websockets))
        pst_timer_set(front->parts.loop, timer, SWEEP_US);
}

/* The beginning */

void websockets_init(struct pst_front *front)
{
    pst_list_init(&front->websockets);
    pst_timer_init(&front->websocket_sweep, on_sweep, front);
}

void websockets_done(struct pst_front *front)
{
    pst_timer_clear(front->parts.loop, &front->websocket_sweep);
}

enum pst_error_id websocket_asked(struct exchange *x)
{
    const struct client *client = x->client;
    switch (pst_websocket_asked(&x->fields, x->method, x->http_1_0, x->framing)) {
    case PST_WEBSOCKET_NOT_ASKED:
        return PST_ERROR_NONE;
    case PST_WEBSOCKET_MALFORMED:
        return PST_ERROR_WEBSOCKET;
    case PST_WEBSOCKET_VERSION_UNKNOWN:
        return PST_ERROR_WEBSOCKET_VERSION;
    case PST_WEBSOCKET_ASKED:
        break;
    }
    /* What libmicrohttpd has read beyond the head cannot be had back. A client sends nothing before the 101
     * (section 4.1), so that is no loss but one way less to smuggle. */
    uint64_t read = pst_session_bytes_read(client->session) - client->idle_mark;
    if (read != front_head_bytes(x->client))
        return PST_ERROR_WEBSOCKET;
    x->upgrade = true;
    pst_websocket_accept(pst_fields_value(&x->fields, PST_STR("sec-websocket-key")), x->accept);
    return PST_ERROR_NONE;
}

enum pst_error_id websocket_take_place(struct exchange *x)
{
    struct pst_front *front = x->client->front;
    if (!x->upgrade)
        return PST_ERROR_NONE;
    size_t max = front->parts.settings->max_websockets;
    size_t left = front->n_websockets < max ? max - front->n_websockets : 0;
    if (!pst_pool_may_set_apart(front->parts.pool, forward_owner(x), left))
        return PST_ERROR_TOO_MANY_WEBSOCKETS;
    front->n_websockets++;
    x->upgrade_counted = true;
    return PST_ERROR_NONE;
}

static struct websocket *new_stream(struct exchange *x)
{
    struct pst_front *front = x->client->front;
    struct websocket *ws = front_piece(front) != NULL ? calloc(1, sizeof(*ws)) : NULL;
    if (ws == NULL)
        return NULL;
    ws->x = x;
    ws->start_us = ws->noted_us = ws->moved_us = ws->sent_us = now_us(front);
    pst_deferred_init(&ws->more, on_more, ws);
    pst_list_push_back(&front->websockets, &ws->node);
    if (!pst_timer_is_set(&front->websocket_sweep))
        pst_timer_set(front->parts.loop, &front->websocket_sweep, SWEEP_US);
    return ws;
}

struct websocket *websocket_open(struct exchange *x)
{
    x->websocket = pst_buf_failed(&x->around) ? NULL : new_stream(x);
    if (x->websocket == NULL)
        return NULL;
    find_client_address(x, x->websocket->from);
    x->state = EXCHANGE_STREAM;
    x->ttfb_us = exchange_age_us(x);
    x->client->detached = true;
    pst_timer_clear(x->client->front->parts.loop, &x->client->timer);
    return x->websocket;
}

void websocket_start(struct exchange *x)
{
    const struct pst_answer *answer = pst_upconn_head(x->lease.conn);
    if (x->state != EXCHANGE_AWAIT || !pst_websocket_agreed(answer, x->accept)) {
        struct pst_reach *reach = &x->client->front->parts.stats->reach;
        pst_reach_failed(reach, pst_loop_real_us(x->client->front->parts.loop), PST_ERROR_UPSTREAM_RUBBISH);
        pst_reach_malformed(reach, x->request_id, "its 101 does not complete this WebSocket handshake", 0);
        exchange_fail(x, PST_ERROR_UPSTREAM_RUBBISH, PST_END_UPSTREAM_BROKE);
        return;
    }
    respond_upgrade(x, answer);
    if (websocket_open(x) == NULL) {
        exchange_fail(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
        return;
    }
    x->status = 101;
    pst_pool_set_apart(&x->lease);
    note_prepare(x, &x->websocket->record);
    exchange_slim(x);
    if (x->client->front->stopping) /* websockets_stop() was before this stream */
        end_for_shutdown(x->websocket);
    else
        websocket_pump(x);
}

void websocket_done(struct exchange *x)
{
    struct websocket *ws = x->websocket;
    if (x->upgrade_counted)
        x->client->front->n_websockets--;
    if (ws == NULL)
        return;
    if (ws->refused != PST_ERROR_NONE) {
        x->client->front->n_refusals--;
        note_exchange(x);
    } else {
        note_stream(x, true);
    }
    pst_list_remove(&ws->node);
    pst_loop_undefer(&ws->more);
    free(ws);
    x->websocket = NULL;
}
