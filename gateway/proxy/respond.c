/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that makes a response: the container's, a refusal, one of Postern's own, the 101 of an
 * upgrade. What the container gave goes on as it stands and in its order; what Postern adds follows. */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "websocket.h"

#include <stdlib.h>
#include <string.h>

/* Pieces of body in one turn; others have theirs before the next. */
#define MAX_PIECES 8

/* Fields beside the container's: the request's id, under the cloud's name, too, and the milliseconds. */
#define OWN_FIELDS_MAX (3 + CORS_FIELDS_MAX)

static bool add(struct pst_fields *fields, const char *name, struct pst_str value)
{
    return pst_fields_add(fields, pst_str_of(name), value) == 0;
}

static void add_cors(const struct exchange *x, struct pst_fields *fields)
{
    fields->n += cors_fields(x, fields->at + fields->n);
}

/* A response's head is out, and with it the first byte. */
static void note_head(struct exchange *x, uint16_t status)
{
    x->status = status;
    x->ttfb_us = exchange_age_us(x);
}

/* Nothing can be said but that something went wrong, and hardly that. */
static void give_up(struct exchange *x)
{
    pst_debug("proxy", "request %s: no memory for the response", x->request_id);
    pst_pool_discard(&x->lease);
    x->state = EXCHANGE_DEAD;
    note_end(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
    client_cut(x->client);
}

/* Refusals */

static int format_body(const struct exchange *x, bool flat, enum pst_error_id id, struct pst_str detail,
                       struct pst_buf *body)
{
    struct pst_error_style style = {.flat = flat};
    struct pst_buf message;
    if (x != NULL) {
        style.path = x->target.path;
        style.message = x->refusal_message;
    }
    pst_buf_init(&message, 2048);
    if (detail.len > 0) {
        pst_buf_printf(&message, "%s (" PST_STR_FMT ")", pst_error_def(id)->message, PST_STR_ARG(detail));
        style.message = pst_buf_str(&message);
    }
    int err = pst_error_body_as(id, &style, body);
    pst_buf_done(&message);
    return err;
}

struct refusal {
    struct pst_error_fields made; /* texts */
    struct pst_field storage[PST_ERROR_FIELDS_MAX + OWN_FIELDS_MAX];
    char length[PST_U64_TEXT_MAX];
    struct pst_buf body;
    struct pst_response response;
};

/* `x` NULL: what was refused became no exchange. The caller frees `ret->body`, also after an error. */
static int make_refusal(struct pst_front *front, const struct exchange *x, enum pst_error_id id,
                        struct pst_str detail, struct pst_str request_id, struct refusal *ret)
{
    const struct pst_error_def *def = pst_error_def(id);
    bool to_head = x != NULL && x->is_head;
    pst_buf_init(&ret->body, 8192);
    int err = format_body(x, front->parts.settings->flat_errors, id, detail, &ret->body);
    if (err < 0)
        return err;
    uint64_t length = pst_buf_len(&ret->body);
    ret->response = (struct pst_response){
        .status = def->status,
        .body = to_head ? PST_RESPONSE_NO_BODY : PST_RESPONSE_LENGTH,
        .length = length,
        .last = def->close,
    };
    struct pst_fields *fields = &ret->response.fields;
    pst_fields_init(fields, ret->storage, PST_ERROR_FIELDS_MAX + OWN_FIELDS_MAX);
    pst_error_fields(id, request_id, &ret->made);
    PST_FIELDS_EACH(field, &ret->made.fields)
    {
        if (pst_str_ieq(field->name, PST_STR("Upgrade")))
            ret->response.upgrade = field->value;
        else if (!pst_str_ieq(field->name, PST_STR("Connection")))
            fields->at[fields->n++] = *field;
    }
    if (x != NULL)
        add_cors(x, fields);
    struct pst_str digits = {ret->length, pst_u64_format(length, ret->length)};
    return add(fields, "Content-Length", digits) ? 0 : -PST_ELIMIT;
}

int respond_without_exchange(struct pst_front *front, enum pst_error_id id, struct pst_str detail,
                             struct pst_str request_id, struct pst_buf *out, uint64_t *ret_body_bytes)
{
    struct refusal refusal;
    char date[PST_RESPONSE_DATE_BYTES];
    pst_response_date(pst_loop_real_us(front->parts.loop) / 1000000, date);
    const struct pst_response_wire wire = {.date = {date, sizeof(date)}};
    int err = make_refusal(front, NULL, id, detail, request_id, &refusal);
    if (err == 0)
        err = pst_response_head_write(&refusal.response, &wire, out);
    if (err == 0)
        err = pst_buf_add_str(out, pst_buf_str(&refusal.body));
    *ret_body_bytes = pst_buf_len(&refusal.body);
    pst_buf_done(&refusal.body);
    return err;
}

void respond_error(struct exchange *x, enum pst_error_id id, struct pst_str detail, uint8_t end)
{
    struct pst_front *front = x->client->front;
    struct refusal refusal;
    pst_pool_discard(&x->lease);
    note_end(x, id, end);
    if (make_refusal(front, x, id, detail, x->request_id_str, &refusal) < 0 ||
        stream_head(x->client, &refusal.response) < 0) {
        pst_buf_done(&refusal.body);
        give_up(x);
        return;
    }
    note_head(x, refusal.response.status);
    count(&front->parts.stats->errors[id]);
    if (!x->is_head) {
        x->bytes_out = pst_buf_len(&refusal.body);
        stream_body(x->client, pst_buf_str(&refusal.body));
    }
    pst_buf_done(&refusal.body);
    x->state = EXCHANGE_RESPONDED;
    stream_end(x->client);
}

/* Postern's own */

void respond_own(struct exchange *x, uint16_t status, struct pst_str type, struct pst_str body)
{
    struct pst_field storage[4 + OWN_FIELDS_MAX];
    struct pst_response response = {
        .status = status,
        .body = pst_response_is_bodiless(status, x->is_head) ? PST_RESPONSE_NO_BODY : PST_RESPONSE_LENGTH,
        .length = body.len,
    };
    pst_fields_init(&response.fields, storage, sizeof(storage) / sizeof(storage[0]));
    add_cors(x, &response.fields);
    bool whole = (type.len == 0 || add(&response.fields, "Content-Type", type)) &&
                 add(&response.fields, "Cache-Control", PST_STR("no-store")) &&
                 add(&response.fields, "X-Content-Type-Options", PST_STR("nosniff")) &&
                 add(&response.fields, "X-Request-Id", x->request_id_str);
    if (!whole || stream_head(x->client, &response) < 0) {
        give_up(x);
        return;
    }
    note_head(x, status);
    if (response.body == PST_RESPONSE_LENGTH && body.len > 0) {
        x->bytes_out = body.len;
        stream_body(x->client, body);
    }
    x->state = EXCHANGE_RESPONDED; /* the container is not asked */
    stream_end(x->client);
}

/* The container's */

/* What is added behind its fields, unless it gave them itself. */
static bool add_own(struct exchange *x, const struct pst_answer *answer, struct pst_fields *fields)
{
    add_cors(x, fields);
    if (!add(fields, "X-Request-Id", x->request_id_str))
        return false;
    if (pst_fields_find(&answer->fields, PST_STR("apim-request-id")) == NULL &&
        !add(fields, "apim-request-id", x->request_id_str))
        return false;
    if (pst_fields_find(&answer->fields, PST_STR("x-envoy-upstream-service-time")) != NULL)
        return true;
    char *digits = pst_arena_alloc(&x->arena, PST_U64_TEXT_MAX);
    if (digits == NULL)
        return false;
    struct pst_str ms = {digits, pst_u64_format(exchange_age_us(x) / 1000, digits)};
    return add(fields, "x-envoy-upstream-service-time", ms);
}

/* A length that the container declares stays where it stands, when it is the body's, or a HEAD's or 304's. */
static bool goes_on(const struct exchange *x, const struct pst_answer *answer, bool keeps_length,
                    struct pst_str name)
{
    if (name.len == 14 && pst_str_ieq(name, PST_STR("Content-Length")))
        return keeps_length;
    return pst_answer_field_forwards(answer, name) && !cors_replaces(x, name);
}

static bool make_fields(struct exchange *x, const struct pst_answer *answer, bool keeps_length,
                        struct pst_fields *fields)
{
    size_t cap = answer->fields.n + OWN_FIELDS_MAX;
    struct pst_field *storage = pst_arena_alloc(&x->arena, cap * sizeof(*storage));
    if (storage == NULL)
        return false;
    pst_fields_init(fields, storage, cap);
    PST_FIELDS_EACH(field, &answer->fields)
    {
        if (!goes_on(x, answer, keeps_length, field->name))
            continue;
        struct pst_str value = rewrite_value(x, field);
        if (value.len > 0 || field->value.len == 0) /* else it could not be rewritten */
            fields->at[fields->n++] = (struct pst_field){field->name, value};
    }
    return add_own(x, answer, fields);
}

/* What the container says of its subscription, when somebody asks it. */
static void note_status(const struct exchange *x, const struct pst_answer *answer, struct pst_str body)
{
    const struct pst_front *front = x->client->front;
    if (answer->status == 200 && pst_str_eq(x->target.path, PST_STR("/status")))
        pst_reach_status_body(&front->parts.stats->reach, pst_loop_real_us(front->parts.loop), body);
}

/* What follows the head; `ret_whole` is filled when all of the body has arrived. */
static void set_body(struct exchange *x, const struct pst_answer *answer, struct pst_response *response,
                     bool *ret_buffered, struct pst_str *ret_whole)
{
    *ret_buffered = false;
    if (pst_response_is_bodiless(answer->status, x->is_head)) {
        response->body = PST_RESPONSE_NO_BODY;
    } else if (links_look(x, answer)) {
        response->body = PST_RESPONSE_OPEN;
    } else if (pst_upconn_body_buffered(x->lease.conn, ret_whole)) {
        *ret_buffered = true;
        note_status(x, answer, *ret_whole);
        response->body = PST_RESPONSE_LENGTH;
        response->length = ret_whole->len;
    } else if (answer->framing.kind == PST_BODY_LENGTH) {
        response->body = PST_RESPONSE_LENGTH;
        response->length = answer->framing.length;
    } else {
        response->body = PST_RESPONSE_OPEN;
    }
}

/* Of a HEAD never another than a GET's (RFC 9110 section 8.6); of a 204 none at all. */
static bool keeps_length(const struct exchange *x, const struct pst_answer *answer,
                         const struct pst_response *response)
{
    if (response->body == PST_RESPONSE_NO_BODY)
        return answer->status != 204 && !(x->is_head && links_expected(x, answer));
    return response->body == PST_RESPONSE_LENGTH && answer->framing.kind == PST_BODY_LENGTH;
}

/* All of the response is with the client's side; the connection to the container is free. */
static void finish(struct exchange *x)
{
    pst_pool_give_back(&x->lease);
    x->state = EXCHANGE_RESPONDED;
    if (x->upload_goes_on) { /* what is left of it nobody wants */
        x->upload_goes_on = false;
        stream_discard(x->client);
    }
    stream_end(x->client);
}

void respond_container(struct exchange *x)
{
    const struct pst_answer *answer = pst_upconn_head(x->lease.conn);
    struct pst_response response = {.status = answer->status, .reason = answer->reason};
    struct pst_str whole = {NULL, 0};
    bool buffered;
    x->upload_goes_on = !x->ended;
    response.last = x->upload_goes_on;
    set_body(x, answer, &response, &buffered, &whole);
    jobs_note(x, answer);
    if (!make_fields(x, answer, keeps_length(x, answer, &response), &response.fields) ||
        stream_head(x->client, &response) < 0) {
        exchange_fail(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
        return;
    }
    x->state = EXCHANGE_RESPOND;
    note_head(x, answer->status);
    if (buffered && whole.len > 0) {
        x->bytes_out = whole.len;
        stream_body(x->client, whole);
    }
    if (buffered || response.body == PST_RESPONSE_NO_BODY)
        finish(x);
    else
        respond_pump(x);
}

static void broke_off(struct exchange *x, ssize_t why)
{
    pst_debug("upstream", "request %s: the response broke off: %s", x->request_id, pst_strerror((int)why));
    forward_note_break(x, (int)why);
    exchange_fail(x, pst_error_from_upstream((int)why, false), PST_END_UPSTREAM_BROKE);
}

/* A piece, or the end (an empty one), on its way to the client. False when that takes no more for now. */
static bool pass_on(struct exchange *x, struct pst_str piece)
{
    if (x->links != NULL) {
        if (links_feed(x, piece) < 0) {
            broke_off(x, -PST_ENOMEM);
            return false;
        }
        piece = pst_buf_str(&x->around);
    }
    x->bytes_out += piece.len;
    return piece.len == 0 || stream_body(x->client, piece);
}

void respond_pump(struct exchange *x)
{
    char *buffer = front_piece(x->client->front);
    for (int i = 0; i < MAX_PIECES && x->state == EXCHANGE_RESPOND; i++) {
        ssize_t n = buffer != NULL ? pst_upconn_read(x->lease.conn, buffer, PIECE_BYTES) : -PST_ENOMEM;
        if (n == -PST_EAGAIN) {
            exchange_set_timer(x, x->client->front->parts.settings->read_timeout_us);
            return;
        }
        if (n < 0) {
            broke_off(x, n);
            return;
        }
        bool more = pass_on(x, (struct pst_str){buffer, (size_t)n});
        if (n == 0 && x->state == EXCHANGE_RESPOND)
            finish(x);
        if (!more || n == 0)
            return;
    }
    if (x->state == EXCHANGE_RESPOND)
        pst_loop_defer(x->client->front->parts.loop, &x->more);
}

/* Upgrades */

void respond_upgrade(struct exchange *x, const struct pst_answer *answer)
{
    const struct pst_fields none = {0};
    const struct pst_fields *theirs = answer != NULL ? &answer->fields : &none;
    size_t cap = theirs->n + 2;
    struct pst_field *storage = pst_arena_alloc(&x->arena, cap * sizeof(*storage));
    char date[PST_RESPONSE_DATE_BYTES];
    pst_response_date(pst_loop_real_us(x->client->front->parts.loop) / 1000000, date);
    const struct pst_response_wire wire = {.keep_alive = true, .date = {date, sizeof(date)}};
    struct pst_response response = {.status = 101, .upgrade = PST_STR("websocket")};
    if (answer != NULL)
        response.reason = answer->reason;
    pst_buf_reset(&x->around);
    if (storage == NULL) {
        x->around.failed = true;
        return;
    }
    pst_fields_init(&response.fields, storage, cap);
    PST_FIELDS_EACH(field, theirs)
    {
        if (pst_answer_field_forwards(answer, field->name) &&
            !pst_str_ieq(field->name, PST_STR("Sec-WebSocket-Accept")))
            response.fields.at[response.fields.n++] = *field;
    }
    bool whole = add(&response.fields, "X-Request-Id", x->request_id_str) &&
                 add(&response.fields, "Sec-WebSocket-Accept", pst_str_of(x->accept));
    if (!whole || pst_response_head_write(&response, &wire, &x->around) < 0)
        x->around.failed = true;
}
