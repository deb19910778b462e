/* SPDX-License-Identifier: Apache-2.0 */
/* Answers through libmicrohttpd: the container's, streamed or in one piece, and refusals. */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/tls/context.h"

#include <microhttpd.h>
#include <string.h>

/* Read from the container at a time, and libmicrohttpd's buffer for it. */
#define READ_BYTES ((size_t)2 * PST_TLS_RECORD_BYTES)

static bool add_field(struct exchange *x, struct MHD_Response *response, struct pst_str name,
                      struct pst_str value)
{
    struct pst_str n = pst_arena_strdup(&x->arena, name), v = pst_arena_strdup(&x->arena, value);
    if (n.p == NULL || v.p == NULL)
        return false;
    /* libmicrohttpd does not send a field without a value; nothing is lost by it. */
    return v.len == 0 || MHD_add_response_header(response, n.p, v.p) == MHD_YES;
}

static int queue(struct exchange *x, unsigned status, struct MHD_Response *response)
{
    x->client->answering = true;
    x->status = (uint16_t)status;
    bool worn = x->client->session != NULL && pst_session_is_worn(x->client->session);
    if (x->client->front->stopping || worn)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result queued = MHD_queue_response(x->client->mhd, status, response);
    MHD_destroy_response(response);
    return queued;
}

static bool add_cors(struct exchange *x, struct MHD_Response *response)
{
    struct pst_field fields[CORS_FIELDS_MAX];
    size_t n = cors_fields(x, fields);
    bool whole = true;
    for (size_t i = 0; i < n; i++)
        whole = add_field(x, response, fields[i].name, fields[i].value) && whole;
    return whole;
}

struct pst_error_style error_style(const struct exchange *x)
{
    return (struct pst_error_style){
        .path = x->target.path,
        .message = x->refusal_message,
        .flat = x->client->front->parts.settings->flat_errors,
    };
}

int answer_queue_error(struct exchange *x, enum pst_error_id id)
{
    struct pst_buf body;
    pst_buf_init(&body, 8192);
    const struct pst_error_style style = error_style(x);
    if (pst_error_body_as(id, &style, &body) < 0) {
        pst_buf_done(&body);
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer_copy(pst_buf_len(&body), pst_buf_front(&body));
    uint64_t body_bytes = pst_buf_len(&body);
    pst_buf_done(&body);
    if (response == NULL)
        return MHD_NO;
    struct pst_error_fields fields;
    pst_error_fields(id, x->request_id_str, &fields);
    PST_FIELDS_EACH(field, &fields.fields)
    {
        if (!add_field(x, response, field->name, field->value)) {
            MHD_destroy_response(response);
            return MHD_NO;
        }
    }
    if (!add_cors(x, response))
        pst_debug("proxy", "request %s: CORS fields could not be added", x->request_id);
    x->bytes_out = x->is_head ? 0 : body_bytes;
    count(&x->client->front->parts.stats->errors[id]);
    return queue(x, pst_error_def(id)->status, response);
}

int answer_queue_own(struct exchange *x)
{
    if (x->own_status == 0)
        return answer_queue_error(x, x->refusal);
    bool empty = x->own_body.len == 0;
    struct MHD_Response *response =
        empty ? MHD_create_response_empty(MHD_RF_NONE)
              : MHD_create_response_from_buffer_copy(x->own_body.len, x->own_body.p);
    if (response == NULL)
        return MHD_NO;
    bool whole = add_cors(x, response) &&
                 (empty || add_field(x, response, PST_STR("Content-Type"), pst_str_of(x->own_type))) &&
                 add_field(x, response, PST_STR("Cache-Control"), PST_STR("no-store")) &&
                 add_field(x, response, PST_STR("X-Content-Type-Options"), PST_STR("nosniff")) &&
                 add_field(x, response, PST_STR("X-Request-Id"), x->request_id_str);
    if (!whole) {
        MHD_destroy_response(response);
        return MHD_NO;
    }
    x->bytes_out = x->own_body.len;
    return queue(x, x->own_status, response);
}

/* Breaks the answer off. libmicrohttpd marks the connection as closed but cleans it up only when an event of
 * its socket comes, and a virtual socket has none of its own. Connections with a time limit of their own it
 * looks at in every run, so this one gets one. */
static ssize_t break_off(struct exchange *x)
{
    struct client *client = x->client;
    client->cut = true;
    client->front->run_again = true;
    (void)MHD_set_connection_option(client->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 3600u);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* libmicrohttpd wants more of the body. */
static ssize_t read_body(void *arg, uint64_t position, char *data, size_t max)
{
    (void)position;
    struct exchange *x = arg;
    if (x->state != EXCHANGE_ANSWER)
        return break_off(x);
    ssize_t n = x->links != NULL ? links_read(x, data, max) : pst_upconn_read(x->lease.conn, data, max);
    if (n > 0) {
        x->bytes_out += (uint64_t)n;
        return n;
    }
    if (n == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == -PST_EAGAIN) {
        x->reader_waits = true;
        exchange_set_timer(x, x->client->front->parts.settings->read_timeout_us);
        client_suspend(x->client);
        return 0;
    }
    pst_debug("upstream", "request %s: the answer broke off: %s", x->request_id, pst_strerror((int)n));
    forward_note_break(x, (int)n);
    x->state = EXCHANGE_DEAD;
    note_end(x, pst_error_from_upstream((int)n, false), PST_END_UPSTREAM_BROKE);
    count(&x->client->front->parts.stats->answers_cut);
    return break_off(x);
}

/* The body's length as the client is to be told, MHD_SIZE_UNKNOWN for chunked. */
static uint64_t length_of(const struct exchange *x, const struct pst_answer *answer)
{
    if (answer->framing.kind == PST_BODY_LENGTH)
        return answer->framing.length;
    if (answer->framing.kind != PST_BODY_NONE || (x->is_head && links_expected(x, answer)))
        return MHD_SIZE_UNKNOWN; /* of a HEAD never another than a GET's (RFC 9110, 8.6) */
    return answer->has_content_length ? answer->content_length : (x->is_head ? MHD_SIZE_UNKNOWN : 0);
}

/* What the container says of its subscription, when somebody asks it. */
static void note_status(const struct exchange *x, const struct pst_answer *answer, struct pst_str body)
{
    const struct pst_front *front = x->client->front;
    if (answer->status == 200 && pst_str_eq(x->target.path, PST_STR("/status")))
        pst_reach_status_body(&front->parts.stats->reach, pst_loop_real_us(front->parts.loop), body);
}

static struct MHD_Response *make_response(struct exchange *x, const struct pst_answer *answer)
{
    struct pst_str whole;
    uint64_t length = length_of(x, answer);
    bool bodiless = x->is_head || answer->status == 204 || answer->status == 304;
    if (links_look(x, answer))
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_BYTES, read_body, x, NULL);
    if (!bodiless && pst_upconn_body_buffered(x->lease.conn, &whole)) {
        x->bytes_out = whole.len;
        note_status(x, answer, whole);
        return MHD_create_response_from_buffer_static(whole.len, whole.p != NULL ? whole.p : "");
    }
    if (length == 0 || (bodiless && answer->status == 204))
        return MHD_create_response_empty(MHD_RF_NONE);
    return MHD_create_response_from_callback(length, READ_BYTES, read_body, x, NULL);
}

size_t answer_own_fields(struct exchange *x, const struct pst_answer *answer,
                         struct pst_field fields[static ANSWER_OWN_FIELDS])
{
    size_t n = 0;
    fields[n++] = (struct pst_field){PST_STR("X-Request-Id"), x->request_id_str};
    if (pst_fields_find(&answer->fields, PST_STR("apim-request-id")) == NULL)
        fields[n++] = (struct pst_field){PST_STR("apim-request-id"), x->request_id_str};
    char *digits = pst_arena_alloc(&x->arena, PST_U64_TEXT_MAX);
    if (digits != NULL && pst_fields_find(&answer->fields, PST_STR("x-envoy-upstream-service-time")) == NULL)
        fields[n++] = (struct pst_field){PST_STR("x-envoy-upstream-service-time"),
                                         {digits, pst_u64_format(exchange_age_us(x) / 1000, digits)}};
    return n;
}

int answer_queue(struct exchange *x)
{
    const struct pst_answer *answer = pst_upconn_head(x->lease.conn);
    x->state = EXCHANGE_ANSWER;
    struct MHD_Response *response = make_response(x, answer);
    if (response == NULL)
        return MHD_NO;
    bool whole = add_cors(x, response);
    jobs_note(x, answer);
    PST_FIELDS_EACH(field, &answer->fields)
    {
        if (pst_answer_field_forwards(answer, field->name) && !cors_replaces(x, field->name))
            whole = add_field(x, response, field->name, rewrite_value(x, field)) && whole;
    }
    struct pst_field own[ANSWER_OWN_FIELDS];
    size_t n_own = answer_own_fields(x, answer, own);
    for (size_t i = 0; i < n_own; i++)
        whole = add_field(x, response, own[i].name, own[i].value) && whole;
    if (!whole)
        pst_debug("proxy", "request %s: a field of the answer could not be passed on", x->request_id);
    return queue(x, answer->status, response);
}
