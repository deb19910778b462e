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
#include "internal.h"
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

bool stream_fields(struct client *client, struct pst_fields *fields)
{
    struct collect collect = {.client = client, .fields = fields};
    MHD_get_connection_values_n(client->mhd, MHD_HEADER_KIND, collect_field, &collect);
    return !collect.full;
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
    const struct exchange *x = client->exchange;
    bool asked = x->http_1_0 ? client->asks_keep_alive && !client->asks_close : !client->asks_close;
    bool small = client->where == AT_HEAD && x->framing.kind == PST_BODY_LENGTH &&
                 x->framing.length <= DRAIN_MAX_BYTES && !x->expects_continue;
    bool whole = client->where == AT_END || !x->has_body || small;
    return asked && whole && x->began && !client->front->stopping && !client->left &&
           client->session != NULL && !pst_session_is_worn(client->session);
}

/* What the session does not take is kept; `writable` will come. */
static void put(struct client *client, const char *data, size_t len)
{
    size_t took = 0;
    if (client->session == NULL)
        return;
    if (pst_buf_len(&client->waiting) == 0) {
        ssize_t n = pst_session_write(client->session, data, len);
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
    if (client->where == AT_END || client->held_at_head)
        client_resume(client);
    else if (client->closes && client->exchange->began && client->where == IN_BODY)
        client_end(client);
}

int stream_head(struct client *client, const struct pst_response *response)
{
    struct pst_front *front = client->front;
    const struct pst_response_wire wire = {
        .to_http_1_0 = client->exchange->http_1_0,
        .keep_alive = may_go_on(client),
        .date = date_of(front),
    };
    struct pst_response_framing framing = pst_response_frame(response, &wire);
    pst_buf_reset(&front->head);
    int err = pst_response_head_write(response, &wire, &front->head);
    if (err < 0)
        return err;
    client->response = RESPONSE_BEGUN;
    client->chunked = framing.chunked;
    client->closes = framing.close;
    put(client, pst_buf_front(&front->head), pst_buf_len(&front->head));
    return 0;
}

bool stream_body(struct client *client, struct pst_str piece)
{
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

void stream_end(struct client *client)
{
    if (client->chunked)
        put(client, "0\r\n\r\n", 5);
    client->response = RESPONSE_ENDED;
    settle(client);
}

void stream_on_writable(struct client *client)
{
    struct pst_buf *waiting = &client->waiting;
    ssize_t n = pst_session_write(client->session, pst_buf_front(waiting), pst_buf_len(waiting));
    if (n > 0)
        pst_buf_consume(waiting, (size_t)n);
    if (pst_buf_len(waiting) > 0) {
        client->send_waits = true;
        pst_timer_set(client->front->parts.loop, &client->timer,
                      client->front->parts.settings->send_timeout_us);
        return;
    }
    pst_buf_done(waiting);
    if (client->exchange != NULL && client->response == RESPONSE_BEGUN)
        exchange_on_writable(client->exchange);
    else if (client->exchange != NULL)
        settle(client);
}

void stream_discard(struct client *client)
{
    if (client->closes && client->where != AT_END && client->exchange->has_body)
        client->detached = true;
}

void stream_hold(struct client *client)
{
    client_suspend(client);
}

void stream_read(struct client *client)
{
    client_resume(client);
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
    if (client->where == AT_END)
        client_suspend(client);
    return MHD_YES;
}

static int on_head(struct client *client, const char *method, const char *version)
{
    exchange_on_request(client->exchange, method, version);
    int result = after(client);
    client->held_at_head = client->suspended;
    if (!client->suspended && client->exchange->has_body)
        client->where = IN_BODY;
    return result;
}

static int on_body(struct client *client, const char *data, size_t *size)
{
    client->where = IN_BODY;
    if (client->detached)
        *size = 0;
    else
        exchange_on_body(client->exchange, data, size);
    return after(client);
}

static int on_end(struct client *client)
{
    bool first = client->where != AT_END;
    client->where = AT_END;
    if (first)
        exchange_on_request_end(client->exchange);
    return after(client);
}

int stream_on_call(struct client *client, const char *method, const char *version, const char *data,
                   size_t *size)
{
    if (client->end_of_mhd)
        return MHD_NO;
    if (!client->exchange->began)
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

void stream_begin(struct client *client)
{
    client->where = AT_HEAD;
    client->response = RESPONSE_NONE;
    client->chunked = client->closes = client->held_at_head = client->hush = false;
    client->asks_close = client->asks_keep_alive = false;
}
