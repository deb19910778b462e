/* SPDX-License-Identifier: Apache-2.0 */
/* What the container gave goes on as it stands and in its order; what Postern adds follows. */
#include "respond.h"

#include "attempt.h"
#include "filter.h"
#include "job.h"
#include "note.h"
#include "postern/base/log.h"
#include "postern/base/num.h"

/* Pieces of body in one turn; others have theirs before the next. */
#define MAX_PIECES 8

/* Fields beside the container's: the request's id, under the cloud's name, too, and the milliseconds. */
#define OWN_FIELDS_MAX (3 + FILTER_FIELDS_MAX)

static int send_head(struct exchange *x, const struct pst_response *response)
{
    return x->stream->ops->head(x->stream, response);
}

static bool send_body(struct exchange *x, struct pst_str piece)
{
    return x->stream->ops->body(x->stream, piece);
}

static bool add(struct pst_fields *fields, const char *name, struct pst_str value)
{
    return pst_fields_add(fields, pst_str_of(name), value) == 0;
}

/* A response's head is out, and with it the first byte. */
static void note_head(struct exchange *x, uint16_t status)
{
    x->record.status = status;
    x->record.ttfb_us = exchange_age_us(x);
}

/* Nothing can be said but that something went wrong, and hardly that. */
static void give_up(struct exchange *x)
{
    pst_debug("proxy", "request %s: no memory for the response", x->request.id);
    pst_pool_discard(&x->attempt.lease);
    x->state = EXCHANGE_DEAD;
    note_end(x, PST_ERROR_INTERNAL, PST_END_INTERNAL);
    x->stream->ops->reset(x->stream);
}

/* Refusals */

static int format_body(const struct exchange *x, bool flat, enum pst_error_id id, struct pst_str detail,
                       struct pst_buf *body)
{
    struct pst_error_style style = {.flat = flat};
    struct pst_buf message;
    if (x != NULL) {
        style.path = x->request.target.path;
        style.message = x->response.message;
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
static int make_refusal(struct pst_exchanges *all, struct exchange *x, enum pst_error_id id,
                        struct pst_str detail, struct pst_str request_id, struct refusal *ret)
{
    const struct pst_error_def *def = pst_error_def(id);
    bool to_head = x != NULL && x->request.is_head;
    pst_buf_init(&ret->body, 8192);
    int err = format_body(x, all->parts.settings->flat_errors, id, detail, &ret->body);
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
        filters_head(x, NULL, &ret->response);
    struct pst_str digits = {ret->length, pst_u64_format(length, ret->length)};
    return add(fields, "Content-Length", digits) ? 0 : -PST_ELIMIT;
}

uint64_t respond_without_exchange(struct pst_exchanges *all, struct pst_stream *stream, enum pst_error_id id,
                                  struct pst_str detail, struct pst_str request_id)
{
    struct refusal refusal;
    bool made = make_refusal(all, NULL, id, detail, request_id, &refusal) == 0 &&
                stream->ops->head(stream, &refusal.response) == 0;
    uint64_t body_bytes = made ? pst_buf_len(&refusal.body) : 0;
    if (made) {
        stream->ops->body(stream, pst_buf_str(&refusal.body));
        stream->ops->end(stream);
    } else {
        stream->ops->reset(stream);
    }
    pst_buf_done(&refusal.body);
    return body_bytes;
}

void respond_error(struct exchange *x, enum pst_error_id id, struct pst_str detail, uint8_t end)
{
    struct pst_exchanges *all = x->all;
    struct refusal refusal;
    pst_pool_discard(&x->attempt.lease);
    note_end(x, id, end);
    if (make_refusal(all, x, id, detail, x->request.id_str, &refusal) < 0 ||
        send_head(x, &refusal.response) < 0) {
        pst_buf_done(&refusal.body);
        give_up(x);
        return;
    }
    note_head(x, refusal.response.status);
    count(&all->parts.stats->errors[id]);
    if (!x->request.is_head) {
        x->record.bytes_out = pst_buf_len(&refusal.body);
        send_body(x, pst_buf_str(&refusal.body));
    }
    pst_buf_done(&refusal.body);
    x->state = EXCHANGE_RESPONDED;
    x->stream->ops->end(x->stream);
}

/* Postern's own */

void respond_own(struct exchange *x, uint16_t status, struct pst_str type, struct pst_str body)
{
    struct pst_field storage[4 + OWN_FIELDS_MAX];
    struct pst_response response = {
        .status = status,
        .body =
            pst_response_is_bodiless(status, x->request.is_head) ? PST_RESPONSE_NO_BODY : PST_RESPONSE_LENGTH,
        .length = body.len,
    };
    pst_fields_init(&response.fields, storage, sizeof(storage) / sizeof(storage[0]));
    filters_head(x, NULL, &response);
    bool whole = (type.len == 0 || add(&response.fields, "Content-Type", type)) &&
                 add(&response.fields, "Cache-Control", PST_STR("no-store")) &&
                 add(&response.fields, "X-Content-Type-Options", PST_STR("nosniff")) &&
                 add(&response.fields, "X-Request-Id", x->request.id_str);
    if (!whole || send_head(x, &response) < 0) {
        give_up(x);
        return;
    }
    note_head(x, status);
    if (response.body == PST_RESPONSE_LENGTH && body.len > 0) {
        x->record.bytes_out = body.len;
        send_body(x, body);
    }
    x->state = EXCHANGE_RESPONDED; /* the container is not asked */
    x->stream->ops->end(x->stream);
}

/* The container's */

/* What is added behind its fields, unless it gave them itself. */
static bool add_own(struct exchange *x, const struct pst_answer *answer, struct pst_fields *fields)
{
    if (!add(fields, "X-Request-Id", x->request.id_str))
        return false;
    if (pst_fields_find(&answer->fields, PST_STR("apim-request-id")) == NULL &&
        !add(fields, "apim-request-id", x->request.id_str))
        return false;
    if (pst_fields_find(&answer->fields, PST_STR("x-envoy-upstream-service-time")) != NULL)
        return true;
    char *digits = pst_arena_alloc(&x->arena, PST_U64_TEXT_MAX);
    if (digits == NULL)
        return false;
    struct pst_str ms = {digits, pst_u64_format(exchange_age_us(x) / 1000, digits)};
    return add(fields, "x-envoy-upstream-service-time", ms);
}

/* What the container gave, but for what is of one connection only. A length that it declares stays where it
 * stands; a 204 has none (RFC 9110 section 8.6). */
static bool copy_fields(struct exchange *x, const struct pst_answer *answer, struct pst_fields *fields)
{
    size_t cap = answer->fields.n + OWN_FIELDS_MAX;
    struct pst_field *storage = pst_arena_alloc(&x->arena, cap * sizeof(*storage));
    if (storage == NULL)
        return false;
    pst_fields_init(fields, storage, cap);
    PST_FIELDS_EACH(field, &answer->fields)
    {
        bool is_length = field->name.len == 14 && pst_str_ieq(field->name, PST_STR("Content-Length"));
        if (is_length ? answer->status != 204 : pst_answer_field_forwards(answer, field->name))
            fields->at[fields->n++] = *field;
    }
    return true;
}

/* What the container says of its subscription, when somebody asks it. */
static void note_status(const struct exchange *x, const struct pst_answer *answer, struct pst_str body)
{
    const struct pst_exchanges *all = x->all;
    if (answer->status == 200 && pst_str_eq(x->request.target.path, PST_STR("/status")))
        pst_reach_status_body(&all->parts.stats->reach, pst_loop_real_us(all->parts.loop), body);
}

/* What follows the head, as the container declares it. */
static void set_body(const struct exchange *x, const struct pst_answer *answer, struct pst_response *response)
{
    response->length = answer->framing.length;
    if (pst_response_is_bodiless(answer->status, x->request.is_head))
        response->body = PST_RESPONSE_NO_BODY;
    else
        response->body = answer->framing.kind == PST_BODY_LENGTH ? PST_RESPONSE_LENGTH : PST_RESPONSE_OPEN;
}

/* Whether all of the body has arrived, and goes on as it is: then its length is known, however it was framed.
 */
static bool take_whole(struct exchange *x, const struct pst_answer *answer, struct pst_response *response,
                       struct pst_str *ret_whole)
{
    bool may = response->body != PST_RESPONSE_NO_BODY && x->response.filter == NULL;
    if (!may || !pst_upconn_body_buffered(x->attempt.lease.conn, ret_whole))
        return false;
    response->body = PST_RESPONSE_LENGTH;
    response->length = ret_whole->len;
    note_status(x, answer, *ret_whole);
    return true;
}

static bool make_head(struct exchange *x, const struct pst_answer *answer, struct pst_response *response)
{
    set_body(x, answer, response);
    if (!copy_fields(x, answer, &response->fields))
        return false;
    filters_head(x, answer, response);
    return add_own(x, answer, &response->fields);
}

/* All of the response is with the client's side; the connection to the container is free. */
static enum respond_result finish(struct exchange *x)
{
    pst_pool_give_back(&x->attempt.lease);
    x->state = EXCHANGE_RESPONDED;
    if (x->attempt.upload_goes_on) { /* what is left of it nobody wants */
        x->attempt.upload_goes_on = false;
        x->stream->ops->discard(x->stream);
    }
    x->stream->ops->end(x->stream);
    return RESPOND_WHOLE;
}

enum respond_result respond_container(struct exchange *x, int *ret_error)
{
    const struct pst_answer *answer = pst_upconn_head(x->attempt.lease.conn);
    struct pst_response response = {.status = answer->status, .reason = answer->reason};
    struct pst_str whole = {NULL, 0};
    x->attempt.upload_goes_on = !x->request.whole;
    response.last = x->attempt.upload_goes_on;
    job_note(x, answer);
    *ret_error = -PST_ENOMEM;
    if (!make_head(x, answer, &response))
        return RESPOND_FAILED;
    bool is_whole = take_whole(x, answer, &response, &whole);
    if (send_head(x, &response) < 0)
        return RESPOND_FAILED;
    x->state = EXCHANGE_RESPOND;
    note_head(x, answer->status);
    if (is_whole && whole.len > 0) {
        x->record.bytes_out = whole.len;
        send_body(x, whole);
    }
    if (is_whole || response.body == PST_RESPONSE_NO_BODY)
        return finish(x);
    return respond_pump(x, ret_error);
}

/* A piece, or the end (an empty one), on its way to the client. 1; 0 when that takes no more for now;
 * -PST_ENOMEM. */
static int pass_on(struct exchange *x, struct pst_str piece)
{
    if (x->response.filter != NULL) {
        struct pst_buf *out = &x->response.rewritten;
        pst_buf_reset(out);
        if (x->response.filter->response_body(x, piece, out) < 0)
            return -PST_ENOMEM;
        piece = pst_buf_str(out);
    }
    x->record.bytes_out += piece.len;
    return piece.len == 0 || send_body(x, piece);
}

static enum respond_result broke_off(struct exchange *x, int why, int *ret_error)
{
    pst_debug("upstream", "request %s: the response broke off: %s", x->request.id, pst_strerror(why));
    attempt_note_break(x, why);
    *ret_error = why;
    return RESPOND_FAILED;
}

enum respond_result respond_pump(struct exchange *x, int *ret_error)
{
    char *buffer = x->all->piece;
    for (int i = 0; i < MAX_PIECES; i++) {
        ssize_t n = pst_upconn_read(x->attempt.lease.conn, buffer, PIECE_BYTES);
        if (n == -PST_EAGAIN) {
            exchange_set_timer(x, x->all->parts.settings->read_timeout_us);
            return RESPOND_GOES_ON;
        }
        int passed = n < 0 ? (int)n : pass_on(x, (struct pst_str){buffer, (size_t)n});
        if (passed < 0)
            return broke_off(x, passed, ret_error);
        if (n == 0)
            return finish(x);
        if (passed == 0)
            return RESPOND_GOES_ON;
    }
    pst_loop_defer(x->all->parts.loop, &x->more);
    return RESPOND_GOES_ON;
}

/* Upgrades */

const struct pst_bytes_ops *respond_upgrade(struct exchange *x, const struct pst_answer *answer)
{
    const struct pst_fields none = {0};
    const struct pst_fields *theirs = answer != NULL ? &answer->fields : &none;
    size_t cap = theirs->n + 2;
    struct pst_field *storage = pst_arena_alloc(&x->arena, cap * sizeof(*storage));
    struct pst_response response = {.status = 101, .upgrade = PST_STR("websocket")};
    if (storage == NULL)
        return NULL;
    if (answer != NULL)
        response.reason = answer->reason;
    pst_fields_init(&response.fields, storage, cap);
    PST_FIELDS_EACH(field, theirs)
    {
        if (pst_answer_field_forwards(answer, field->name) &&
            !pst_str_ieq(field->name, PST_STR("Sec-WebSocket-Accept")))
            response.fields.at[response.fields.n++] = *field;
    }
    bool whole = add(&response.fields, "X-Request-Id", x->request.id_str) &&
                 add(&response.fields, "Sec-WebSocket-Accept", pst_str_of(x->request.accept));
    return whole ? x->stream->ops->upgrade(x->stream, &response) : NULL;
}
