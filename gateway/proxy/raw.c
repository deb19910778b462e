/* SPDX-License-Identifier: Apache-2.0 */
/* Answers around libmicrohttpd, which takes none while a request's body is still coming: the container's
 * early answer, or an error of ours in the middle of an upload. We write head and body on the TLS session
 * ourselves and close the connection after it. The container may want the rest of the upload all the same (it
 * answers as it reads, say): libmicrohttpd goes on reading it until the container takes no more. After an
 * error of ours it reads nothing, and what the client still sends is read and dropped. */
#include "internal.h"
#include "postern/base/log.h"
#include "websocket.h"

#include <microhttpd.h>
#include <time.h>

#define PIECE_BYTES 16384

static void add_field(struct pst_buf *out, struct pst_str name, struct pst_str value)
{
    pst_buf_add_str(out, name);
    pst_buf_add(out, ": ", 2);
    pst_buf_add_str(out, value);
    pst_buf_add(out, "\r\n", 2);
}

static void add_start(struct pst_front *front, struct pst_buf *out, unsigned status)
{
    char date[40];
    struct tm tm;
    time_t now = (time_t)(pst_loop_real_us(front->parts.loop) / 1000000);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    const char *reason = MHD_get_reason_phrase_for(status);
    pst_buf_printf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status, reason != NULL ? reason : "", date);
}

static int format_body(const struct pst_front *front, const struct exchange *x, enum pst_error_id id,
                       struct pst_str detail, struct pst_buf *body)
{
    struct pst_error_style style = {.flat = front->parts.settings->flat_errors};
    struct pst_buf message;
    if (x != NULL)
        style = error_style(x);
    pst_buf_init(&message, 2048);
    if (detail.len > 0) {
        pst_buf_printf(&message, "%s (" PST_STR_FMT ")", pst_error_def(id)->message, PST_STR_ARG(detail));
        style.message = pst_buf_str(&message);
    }
    int err = pst_error_body_as(id, &style, body);
    pst_buf_done(&message);
    return err;
}

static void add_cors(const struct exchange *x, struct pst_buf *out)
{
    struct pst_field fields[CORS_FIELDS_MAX];
    size_t n = cors_fields(x, fields);
    for (size_t i = 0; i < n; i++)
        add_field(out, fields[i].name, fields[i].value);
}

int raw_format_error(struct pst_front *front, const struct exchange *x, enum pst_error_id id,
                     struct pst_str detail, struct pst_str request_id, struct pst_buf *out,
                     uint64_t *ret_body_bytes)
{
    bool is_head = x != NULL && x->is_head;
    struct pst_buf body;
    pst_buf_init(&body, 8192);
    struct pst_error_fields fields;
    pst_error_fields(id, request_id, &fields);
    if (format_body(front, x, id, detail, &body) < 0) {
        pst_buf_done(&body);
        return -PST_ENOMEM;
    }
    add_start(front, out, pst_error_def(id)->status);
    PST_FIELDS_EACH(field, &fields.fields)
    {
        if (!pst_str_ieq(field->name, PST_STR("Connection")))
            add_field(out, field->name, field->value);
    }
    if (x != NULL)
        add_cors(x, out);
    pst_buf_printf(out, "Connection: close\r\nContent-Length: %zu\r\n\r\n", pst_buf_len(&body));
    *ret_body_bytes = is_head ? 0 : pst_buf_len(&body);
    if (!is_head)
        pst_buf_add_str(out, pst_buf_str(&body));
    pst_buf_done(&body);
    return pst_buf_failed(out) ? -PST_ENOMEM : 0;
}

/* From here on the session's sending side is ours. */
static void begin(struct exchange *x, bool upload_goes_on)
{
    x->state = EXCHANGE_RAW;
    x->upload_goes_on = upload_goes_on;
    x->client->detached = !upload_goes_on;
    pst_buf_reset(&x->around);
}

void raw_error(struct exchange *x, enum pst_error_id id)
{
    begin(x, false);
    x->status = pst_error_def(id)->status;
    count(&x->client->front->parts.stats->errors[id]);
    const struct pst_str no_detail = {NULL, 0};
    if (raw_format_error(x->client->front, x, id, no_detail, x->request_id_str, &x->around, &x->bytes_out) <
        0) {
        client_cut(x->client);
        return;
    }
    x->raw_ends = true;
    raw_pump(x);
}

void raw_answer(struct exchange *x)
{
    const struct pst_answer *answer = pst_upconn_head(x->lease.conn);
    begin(x, true);
    x->status = answer->status;
    add_start(x->client->front, &x->around, answer->status);
    PST_FIELDS_EACH(field, &answer->fields)
    {
        if (!pst_answer_field_forwards(answer, field->name) || cors_replaces(x, field->name) ||
            pst_str_ieq(field->name, PST_STR("Date")))
            continue;
        struct pst_str value = rewrite_value(x, field);
        if (value.len > 0)
            add_field(&x->around, field->name, value);
    }
    add_cors(x, &x->around);
    jobs_note(x, answer);
    struct pst_field own[ANSWER_OWN_FIELDS];
    size_t n_own = answer_own_fields(x, answer, own);
    for (size_t i = 0; i < n_own; i++)
        add_field(&x->around, own[i].name, own[i].value);
    bool has_length = answer->framing.kind == PST_BODY_LENGTH;
    bool has_body = has_length || answer->framing.kind == PST_BODY_CHUNKED ||
                    answer->framing.kind == PST_BODY_UNTIL_CLOSE;
    x->raw_chunked = has_body && !has_length && !x->http_1_0;
    if (x->raw_chunked)
        pst_buf_add_cstr(&x->around, "Transfer-Encoding: chunked\r\n");
    else if (has_length || !has_body)
        pst_buf_printf(&x->around, "Content-Length: %llu\r\n",
                       (unsigned long long)(has_length ? answer->framing.length : 0));
    pst_buf_add_cstr(&x->around, "Connection: close\r\n\r\n");
    if (pst_buf_failed(&x->around)) {
        exchange_fail(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
        return;
    }
    raw_pump(x);
}

void raw_upgrade_head(struct exchange *x, const struct pst_answer *answer)
{
    const struct pst_fields none = {0};
    pst_buf_reset(&x->around);
    add_start(x->client->front, &x->around, 101);
    PST_FIELDS_EACH(field, answer != NULL ? &answer->fields : &none)
    {
        if (pst_answer_field_forwards(answer, field->name) && !pst_str_ieq(field->name, PST_STR("Date")) &&
            !pst_str_ieq(field->name, PST_STR("Sec-WebSocket-Accept")))
            add_field(&x->around, field->name, field->value);
    }
    add_field(&x->around, PST_STR("X-Request-Id"), x->request_id_str);
    add_field(&x->around, PST_STR("Connection"), PST_STR("Upgrade"));
    add_field(&x->around, PST_STR("Upgrade"), PST_STR("websocket"));
    add_field(&x->around, PST_STR("Sec-WebSocket-Accept"), pst_str_of(x->accept));
    pst_buf_add(&x->around, "\r\n", 2);
}

/* Moves one piece of the container's body into the output. False when there is none now, or no more. */
static bool take_piece(struct exchange *x)
{
    char piece[PIECE_BYTES];
    ssize_t n = pst_upconn_read(x->lease.conn, piece, sizeof(piece));
    if (n == -PST_EAGAIN) {
        exchange_set_timer(x, x->client->front->parts.settings->read_timeout_us);
        return false;
    }
    if (n < 0) {
        forward_note_break(x, (int)n);
        exchange_fail(x, PST_ERROR_UPSTREAM_RESET, PST_END_UPSTREAM_BROKE);
        return false;
    }
    if (n == 0) {
        x->raw_ends = true;
        if (x->raw_chunked)
            pst_buf_add(&x->around, "0\r\n\r\n", 5);
        return true;
    }
    x->bytes_out += (uint64_t)n;
    if (x->raw_chunked)
        pst_buf_printf(&x->around, "%zx\r\n", (size_t)n);
    pst_buf_add(&x->around, piece, (size_t)n);
    if (x->raw_chunked)
        pst_buf_add(&x->around, "\r\n", 2);
    return true;
}

/* True when the session has taken all of the output. */
static bool write_output(struct exchange *x)
{
    struct client *client = x->client;
    if (client->session == NULL)
        return false;
    struct pst_str output = pst_buf_str(&x->around);
    if (output.len == 0)
        return true;
    ssize_t n = pst_session_write(client->session, output.p, output.len);
    if (n > 0) {
        if (x->ttfb_us == 0)
            x->ttfb_us = exchange_age_us(x);
        pst_buf_consume(&x->around, (size_t)n);
    }
    if (pst_buf_len(&x->around) == 0)
        return true;
    client->send_waits = true;
    pst_timer_set(client->front->parts.loop, &client->timer, client->front->parts.settings->send_timeout_us);
    return false;
}

void raw_pump(struct exchange *x)
{
    while (x->state == EXCHANGE_RAW && write_output(x)) {
        if (x->raw_ends) {
            client_end(x->client);
            return;
        }
        if (!take_piece(x))
            return;
    }
}
