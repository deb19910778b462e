/* SPDX-License-Identifier: Apache-2.0 */
/* A request of a client, as the exchange sees it: libmicrohttpd reads it, and what goes back is written here,
 * on the TLS session. libmicrohttpd takes a response only at two places, shares its memory with the request's
 * head, and changes heads on their way; so it writes nothing but 100 (Continue). When a response is out it is
 * given one of its own, whose bytes go nowhere, and goes on to the next request, or closes.
 *
 *     call of libmicrohttpd's     what the exchange hears         and the connection meanwhile
 *     head                        request                         suspended while the exchange holds the body
 *     piece of body               body                            suspended when it is not taken whole
 *     end                         request_end                     suspended until the response is out
 *
 * Whether the connection goes on after a response is decided with its head, by the same rules as
 * libmicrohttpd's: the client's Connection and version, ours, and that the request has come in whole (or
 * will: a small body that nobody wants is read and dropped). */
#include "stream.h"

#include "link.h"
#include "mhd_error.h"
#include "postern/base/log.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

/* The body of a refused request is read to its end when it is this small, so that the connection can go on;
 * of a larger one the connection is closed. */
#define DRAIN_MAX_BYTES (64 * 1024)

/* The request */

struct collect {
    struct client *client;
    struct pst_fields *fields;
    bool full;
};

static void read_connection(struct client *client, struct pst_str list)
{
    struct pst_str option;
    while (pst_field_list_next(&list, &option)) {
        client->asks_close = client->asks_close || pst_str_ieq(option, PST_STR("close"));
        client->asks_keep_alive = client->asks_keep_alive || pst_str_ieq(option, PST_STR("keep-alive"));
    }
}

static enum MHD_Result collect_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                     const char *value, size_t value_len)
{
    (void)kind;
    struct collect *collect = arg;
    struct pst_str n = {name, name_len}, v = {value, value != NULL ? value_len : 0};
    if (name_len == 10 && pst_str_ieq(n, PST_STR("Connection")))
        read_connection(collect->client, v);
    collect->full = pst_fields_add(collect->fields, n, v) < 0;
    return collect->full ? MHD_NO : MHD_YES;
}

static bool read_fields(struct client *client, struct pst_fields *fields, size_t max)
{
    struct pst_field *storage = pst_arena_alloc(client->stream.arena, max * sizeof(*storage));
    struct collect collect = {.client = client, .fields = fields};
    if (storage == NULL)
        return false;
    pst_fields_init(fields, storage, max);
    MHD_get_connection_values_n(client->mhd, MHD_HEADER_KIND, collect_field, &collect);
    return !collect.full;
}

/* libmicrohttpd only bounds its buffer, which is larger. */
static bool is_over_size(struct client *client)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(client->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size > client->front->parts.settings->max_head_bytes;
}

/* What libmicrohttpd parsed is looked at a second time, strictly. */
static void read_request(struct client *client, const char *method, const char *version)
{
    struct pst_stream_request *request = &client->request;
    struct pst_framing *framing = &request->framing;
    request->method = pst_str_of(method);
    request->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    bool whole = read_fields(client, &request->fields, client->front->parts.settings->max_fields);
    request->malformed = pst_framing_of_request(&request->fields, request->http_1_0, framing);
    if (request->malformed == PST_ERROR_NONE) {
        request->has_body =
            framing->kind == PST_BODY_CHUNKED || (framing->kind == PST_BODY_LENGTH && framing->length > 0);
        request->expects_continue = pst_request_expects_continue(&request->fields, request->http_1_0);
    }
    if (!whole || is_over_size(client))
        request->malformed = PST_ERROR_HEAD_TOO_LARGE;
}

/* The response */

/* The time of this second as text. */
static struct pst_str date_of(struct pst_front *front)
{
    int64_t now = pst_loop_real_us(front->parts.loop) / 1000000;
    if (now != front->date_s) {
        pst_response_date(now, front->date);
        front->date_s = now;
    }
    return (struct pst_str){front->date, sizeof(front->date)};
}

/* RFC 9112 section 9.3 */
static bool may_go_on(const struct client *client)
{
    const struct pst_stream_request *request = &client->request;
    bool asked = request->http_1_0 ? client->asks_keep_alive && !client->asks_close : !client->asks_close;
    bool small = client->where == AT_HEAD && request->framing.kind == PST_BODY_LENGTH &&
                 request->framing.length <= DRAIN_MAX_BYTES && !request->expects_continue;
    bool whole = client->where == AT_END || !request->has_body || small;
    return asked && whole && client->began && !client->front->stopping && !client->left &&
           client->session != NULL && !pst_session_is_worn(client->session);
}

/* What the session does not take is kept; `writable` will come. On a connection that broke it will not: the
 * end of that connection may have been told before its request was read. */
static void put(struct client *client, const char *data, size_t len)
{
    size_t took = 0;
    if (client->session == NULL || client->cut)
        return;
    if (pst_buf_len(&client->waiting) == 0) {
        ssize_t n = pst_session_write(client->session, data, len);
        if (n < 0 && n != -PST_EAGAIN) {
            client_cut(client);
            return;
        }
        took = n > 0 ? (size_t)n : 0;
    }
    if (took == len)
        return;
    if (pst_buf_add(&client->waiting, data + took, len - took) < 0) {
        client_cut(client);
        return;
    }
    client->send_waits = true;
    pst_timer_set(client->front->parts.loop, &client->timer, client->front->parts.settings->send_timeout_us);
}

bool stream_is_out(const struct client *client)
{
    return client->response == RESPONSE_ENDED && pst_buf_len(&client->waiting) == 0;
}

/* The response is out, perhaps: the connection closes, or libmicrohttpd asks again and is sent on to the next
 * request. In the middle of a body that is read and dropped it goes on with that. */
static void settle(struct client *client)
{
    if (!stream_is_out(client))
        return;
    if (client->stream.over || (client->closes && client->began && client->where == IN_BODY))
        client_end(client);
    else if (client->where == AT_END || client->held_at_head)
        client_resume(client);
}

static int write_head(struct client *client, const struct pst_response *response,
                      const struct pst_response_wire *wire)
{
    struct pst_buf *head = &client->front->head;
    pst_buf_reset(head);
    int err = pst_response_head_write(response, wire, head);
    if (err == 0)
        put(client, pst_buf_front(head), pst_buf_len(head));
    return err;
}

/* The exchange's operations */

static int op_head(struct pst_stream *stream, const struct pst_response *response)
{
    struct client *client = client_of_stream(stream);
    const struct pst_response_wire wire = {
        .to_http_1_0 = client->request.http_1_0,
        .keep_alive = may_go_on(client),
        .date = date_of(client->front),
    };
    struct pst_response_framing framing = pst_response_frame(response, &wire);
    int err = write_head(client, response, &wire);
    if (err < 0)
        return err;
    client->response = RESPONSE_BEGUN;
    client->chunked = framing.chunked;
    client->closes = framing.close;
    return 0;
}

static bool op_body(struct pst_stream *stream, struct pst_str piece)
{
    struct client *client = client_of_stream(stream);
    char size[24];
    if (client->chunked) {
        int n = snprintf(size, sizeof(size), "%zx\r\n", piece.len);
        put(client, size, (size_t)n);
    }
    put(client, piece.p, piece.len);
    if (client->chunked)
        put(client, "\r\n", 2);
    return pst_buf_len(&client->waiting) == 0;
}

/* Nobody wants what is left of the request. */
static void discard(struct client *client)
{
    if (client->closes && client->where != AT_END && client->request.has_body)
        client->detached = true;
}

static void op_end(struct pst_stream *stream)
{
    struct client *client = client_of_stream(stream);
    if (client->response == RESPONSE_UPGRADED)
        client->stream.over = true;
    else if (client->chunked)
        put(client, "0\r\n\r\n", 5);
    client->response = RESPONSE_ENDED;
    discard(client);
    settle(client);
}

static void op_set_reading(struct pst_stream *stream, bool reading)
{
    struct client *client = client_of_stream(stream);
    if (reading)
        client_resume(client);
    else
        client_suspend(client);
}

static void op_discard(struct pst_stream *stream)
{
    discard(client_of_stream(stream));
}

static void op_reset(struct pst_stream *stream)
{
    client_cut(client_of_stream(stream));
}

static void op_accepted(struct pst_stream *stream)
{
    pst_list_remove(&client_of_stream(stream)->place); /* it keeps its place (places.c) */
}

static bool op_has_more(struct pst_stream *stream)
{
    struct client *client = client_of_stream(stream);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(client->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    uint64_t of_head = info != NULL ? info->header_size : 0;
    return pst_session_bytes_read(client->session) - client->idle_mark != of_head;
}

static ssize_t op_read_bytes(struct pst_stream *stream, void *data, size_t len)
{
    struct client *client = client_of_stream(stream);
    return client->session != NULL ? pst_session_read(client->session, data, len) : -PST_ERESET;
}

static ssize_t op_write_bytes(struct pst_stream *stream, const void *data, size_t len)
{
    struct client *client = client_of_stream(stream);
    if (client->session == NULL)
        return -PST_ERESET;
    return pst_buf_len(&client->waiting) > 0 ? -PST_EAGAIN : pst_session_write(client->session, data, len);
}

static uint64_t op_bytes_sent(struct pst_stream *stream)
{
    struct client *client = client_of_stream(stream);
    return client->session != NULL ? pst_session_bytes_sent(client->session) : 0;
}

static const struct pst_bytes_ops bytes_ops = {
    .read = op_read_bytes,
    .write = op_write_bytes,
    .sent = op_bytes_sent,
};

/* libmicrohttpd's connection stays suspended, as a placeholder. */
static const struct pst_bytes_ops *op_upgrade(struct pst_stream *stream, const struct pst_response *response)
{
    struct client *client = client_of_stream(stream);
    const struct pst_response_wire wire = {.keep_alive = true, .date = date_of(client->front)};
    if (write_head(client, response, &wire) < 0)
        return NULL;
    client->response = RESPONSE_UPGRADED;
    client->closes = client->detached = true;
    pst_timer_clear(client->front->parts.loop, &client->timer);
    return &bytes_ops;
}

const struct pst_stream_ops stream_ops = {
    .head = op_head,
    .body = op_body,
    .end = op_end,
    .set_reading = op_set_reading,
    .discard = op_discard,
    .reset = op_reset,
    .accepted = op_accepted,
    .upgrade = op_upgrade,
    .has_more = op_has_more,
};

/* The connection's events */

void stream_on_writable(struct client *client)
{
    struct pst_buf *waiting = &client->waiting;
    ssize_t n = pst_session_write(client->session, pst_buf_front(waiting), pst_buf_len(waiting));
    if (n < 0 && n != -PST_EAGAIN) {
        client_cut(client);
        return;
    }
    if (n > 0)
        pst_buf_consume(waiting, (size_t)n);
    if (pst_buf_len(waiting) > 0) {
        client->send_waits = true;
        pst_timer_set(client->front->parts.loop, &client->timer,
                      client->front->parts.settings->send_timeout_us);
        return;
    }
    pst_buf_done(waiting);
    if (client->stream.exchange == NULL)
        return;
    if (client->response == RESPONSE_BEGUN)
        client->front->parts.events->writable(&client->stream);
    else if (client->response == RESPONSE_UPGRADED)
        client->front->parts.events->bytes(&client->stream);
    else
        settle(client);
}

void stream_on_left(struct client *client)
{
    if (stream_is_out(client))
        client_wake(client);
    else
        client->front->parts.events->gone(&client->stream, PST_GONE_LEFT);
}

void stream_error(struct client *client, enum pst_error_id id, struct pst_str detail)
{
    client->front->parts.events->error(client->front->parts.exchanges, &client->stream, id, detail);
}

/* Our own error goes out in the place of libmicrohttpd's, and what it writes from now on goes nowhere. */
void stream_complain(struct client *client, const char *data, size_t len)
{
    struct pst_str detail;
    enum pst_error_id id = mhd_error_take(client, data, len, &detail);
    client->hush = true;
    stream_error(client, id, detail);
    client->front->mhd_complaint[0] = '\0';
}

/* libmicrohttpd's calls */

/* It gets a response that nobody sees, and goes on or closes. */
static int complete(struct client *client)
{
    struct pst_front *front = client->front;
    client->hush = true;
    bool closes = client->closes || front->stopping;
    return MHD_queue_response(client->mhd, MHD_HTTP_OK, closes ? front->last_response : front->response);
}

/* What libmicrohttpd is to do, after the exchange heard what there was. */
static int after(struct client *client)
{
    if (client->end_of_mhd)
        return MHD_NO;
    if (stream_is_out(client) && (client->where == AT_END || (client->where == AT_HEAD && client->closes)))
        return complete(client);
    if (client->where == AT_END || client->response == RESPONSE_UPGRADED)
        client_suspend(client);
    return MHD_YES;
}

static int on_head(struct client *client, const char *method, const char *version)
{
    read_request(client, method, version);
    client->began = true;
    client_busy(client);
    client->front->parts.events->request(&client->stream, &client->request);
    int result = after(client);
    client->held_at_head = client->suspended;
    if (!client->suspended && client->request.has_body)
        client->where = IN_BODY;
    return result;
}

static int on_body(struct client *client, const char *data, size_t *size)
{
    client->where = IN_BODY;
    struct pst_str piece = {data, *size};
    *size -= client->detached ? *size : client->front->parts.events->body(&client->stream, piece);
    return after(client);
}

static int on_end(struct client *client)
{
    bool first = client->where != AT_END;
    client->where = AT_END;
    if (first)
        client->front->parts.events->request_end(&client->stream);
    return after(client);
}

int stream_on_call(struct client *client, const char *method, const char *version, const char *data,
                   size_t *size)
{
    if (client->end_of_mhd)
        return MHD_NO;
    if (!client->began)
        return on_head(client, method, version);
    if (*size > 0)
        return on_body(client, data, size);
    if (client->held_at_head) {
        int result = after(client);
        client->held_at_head = false;
        client->where = IN_BODY;
        return result;
    }
    return on_end(client);
}

/* Of the request before nothing holds for the next one: what libmicrohttpd writes between them is an error.
 */
static void forget(struct client *client)
{
    client->request = (struct pst_stream_request){.method = {NULL, 0}};
    client->began = false;
    client->where = AT_HEAD;
    client->response = RESPONSE_NONE;
    client->chunked = client->closes = client->held_at_head = client->hush = false;
    client->asks_close = client->asks_keep_alive = false;
}

bool stream_begin(struct client *client, struct pst_str raw_target)
{
    const struct pst_front_parts *parts = &client->front->parts;
    forget(client);
    return parts->events->begin(parts->exchanges, &client->stream, raw_target);
}

void stream_on_closed(struct client *client)
{
    struct pst_front *front = client->front;
    bool unanswered = client->response == RESPONSE_NONE && client->session != NULL && !client->left &&
                      !client->detached && !client->end_of_mhd;
    if (unanswered)
        stream_complain(client, NULL, 0);
    front->parts.events->closed(&client->stream, stream_is_out(client) && !client->cut);
    if (client->session == NULL || client->state == CLIENT_ENDING)
        return;
    bool last = client->closes || front->stopping;
    if (!last)
        forget(client);
    client_idle(client);
    /* A pipelined request may be here already, its bytes long read. */
    if (pst_list_empty(&client->fresh))
        pst_list_push_back(&front->fresh, &client->fresh);
}
