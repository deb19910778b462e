/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct codec *of(struct pst_stream *stream)
{
    return PST_CONTAINER(stream, struct codec, stream);
}

static void keep_head(struct codec *codec, const struct pst_response *response)
{
    size_t at = 0;
    codec->head = *response;
    snprintf(codec->reason, sizeof(codec->reason), PST_STR_FMT, PST_STR_ARG(response->reason));
    PST_FIELDS_EACH(field, &response->fields)
    at += (size_t)snprintf(codec->fields_text + at, sizeof(codec->fields_text) - at,
                           PST_STR_FMT ": " PST_STR_FMT "\n", PST_STR_ARG(field->name),
                           PST_STR_ARG(field->value));
    codec->head.fields = (struct pst_fields){NULL, 0, 0}; /* they do not outlive the call */
}

static int op_head(struct pst_stream *stream, const struct pst_response *response)
{
    struct codec *codec = of(stream);
    assert_int_equal(codec->n_heads, 0);
    assert_int_equal(codec->n_resets, 0);
    if (codec->refuses)
        return -PST_ENOMEM;
    codec->n_heads++;
    keep_head(codec, response);
    return 0;
}

static bool op_body(struct pst_stream *stream, struct pst_str piece)
{
    struct codec *codec = of(stream);
    assert_int_equal(codec->n_heads, 1);
    assert_int_equal(codec->n_ends, 0);
    assert_int_equal(codec->n_resets, 0);
    assert_int_not_equal(codec->head.body, PST_RESPONSE_NO_BODY);
    assert_false(codec->overfull);
    codec->overfull = codec->full;
    (void)pst_buf_add_str(&codec->body, piece);
    return !codec->full;
}

static void op_end(struct pst_stream *stream)
{
    struct codec *codec = of(stream);
    assert_true(codec->n_heads == 1 || codec->upgraded);
    assert_int_equal(codec->n_ends, 0);
    assert_int_equal(codec->n_resets, 0);
    if (codec->head.body == PST_RESPONSE_LENGTH && !pst_buf_failed(&codec->body))
        assert_int_equal(pst_buf_len(&codec->body), codec->head.length);
    codec->n_ends++;
    stream->over = true;
}

static void op_set_reading(struct pst_stream *stream, bool reading)
{
    of(stream)->reading = reading;
}

static void op_discard(struct pst_stream *stream)
{
    of(stream)->n_discards++;
}

static void op_accepted(struct pst_stream *stream)
{
    of(stream)->n_accepted++;
}

static void op_reset(struct pst_stream *stream)
{
    of(stream)->n_resets++;
    stream->over = true;
}

static ssize_t op_read(struct pst_stream *stream, void *data, size_t len)
{
    struct codec *codec = of(stream);
    struct pst_str in = pst_buf_str(&codec->in);
    if (in.len == 0)
        return codec->in_over ? 0 : -PST_EAGAIN;
    len = in.len < len ? in.len : len;
    memcpy(data, in.p, len);
    pst_buf_consume(&codec->in, len);
    return (ssize_t)len;
}

static ssize_t op_write(struct pst_stream *stream, const void *data, size_t len)
{
    struct codec *codec = of(stream);
    if (codec->full)
        return -PST_EAGAIN;
    return pst_buf_add(&codec->out, data, len) == 0 ? (ssize_t)len : -PST_ENOMEM;
}

static uint64_t op_sent(struct pst_stream *stream)
{
    return pst_buf_len(&of(stream)->out);
}

static const struct pst_bytes_ops bytes = {.read = op_read, .write = op_write, .sent = op_sent};

static const struct pst_bytes_ops *op_upgrade(struct pst_stream *stream, const struct pst_response *response)
{
    struct codec *codec = of(stream);
    assert_int_equal(codec->n_heads, 0);
    assert_int_equal(response->status, 101);
    if (codec->refuses)
        return NULL;
    keep_head(codec, response);
    codec->upgraded = true;
    return &bytes;
}

static bool op_has_more(struct pst_stream *stream)
{
    return of(stream)->has_more;
}

static const struct pst_stream_ops ops = {
    .head = op_head,
    .body = op_body,
    .end = op_end,
    .set_reading = op_set_reading,
    .discard = op_discard,
    .accepted = op_accepted,
    .reset = op_reset,
    .upgrade = op_upgrade,
    .has_more = op_has_more,
};

void codec_begin(struct codec *codec, struct pst_exchanges *all)
{
    *codec = (struct codec){.all = all, .reading = true};
    codec->stream.ops = &ops;
    codec->stream.peer = &codec->peer;
    codec->peer.address_text[0] = '?';
    pst_fields_init(&codec->request.fields, codec->fields, CODEC_FIELDS_MAX);
    pst_buf_init(&codec->body, CODEC_BODY_MAX);
    pst_buf_init(&codec->in, CODEC_BODY_MAX);
    pst_buf_init(&codec->out, CODEC_BODY_MAX);
    codec_field(codec, "Host", "gateway.example");
}

void codec_done(struct codec *codec)
{
    assert_null(codec->stream.exchange);
    pst_buf_done(&codec->body);
    pst_buf_done(&codec->in);
    pst_buf_done(&codec->out);
}

void codec_field(struct codec *codec, const char *name, const char *value)
{
    assert_int_equal(pst_fields_add(&codec->request.fields, pst_str_of(name), pst_str_of(value)), 0);
}

bool codec_ask(struct codec *codec, const char *method, const char *target, int64_t length)
{
    struct pst_stream_request *request = &codec->request;
    if (!pst_exchange_events.begin(codec->all, &codec->stream, pst_str_of(target)))
        return false;
    request->method = pst_str_of(method);
    request->has_body = length != 0;
    if (length < 0)
        request->framing.kind = PST_BODY_CHUNKED;
    else if (length > 0)
        request->framing = (struct pst_framing){PST_BODY_LENGTH, (uint64_t)length};
    pst_exchange_events.request(&codec->stream, request);
    return true;
}

size_t codec_send(struct codec *codec, const char *text)
{
    return pst_exchange_events.body(&codec->stream, pst_str_of(text));
}

void codec_finish(struct codec *codec)
{
    pst_exchange_events.request_end(&codec->stream);
}

void codec_drain(struct codec *codec)
{
    codec->full = codec->overfull = false;
    if (codec->upgraded)
        pst_exchange_events.bytes(&codec->stream);
    else
        pst_exchange_events.writable(&codec->stream);
}

void codec_close(struct codec *codec, bool must)
{
    bool over = codec->n_ends > 0 || codec->n_resets > 0;
    if (must)
        assert_true(over);
    if (codec->stream.exchange == NULL)
        return;
    pst_exchange_events.closed(&codec->stream, codec->n_ends > 0 && codec->n_resets == 0);
    codec->n_closed++;
}

const char *codec_body(struct codec *codec)
{
    const char *text = pst_buf_cstr(&codec->body);
    return text != NULL ? text : "";
}

const char *codec_value(const struct codec *codec, const char *name)
{
    static char value[1024];
    const char *line = codec->fields_text;
    size_t len = strlen(name);
    value[0] = '\0';
    while (*line != '\0' && (strncasecmp(line, name, len) != 0 || line[len] != ':'))
        line = strchr(line, '\n') + 1;
    if (*line != '\0')
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 2, "\n"), line + len + 2);
    return value;
}
