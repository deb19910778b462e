/* SPDX-License-Identifier: Apache-2.0 */
/* A codec for tests: streams in memory, as many at a time as a test likes, which is what HTTP/2 will do. It
 * keeps the rules of exchange/stream.h and fails the test when the exchange breaks them. */
#ifndef POSTERN_TESTS_EXCHANGE_CODEC_H
#define POSTERN_TESTS_EXCHANGE_CODEC_H

#include "postern/exchange/exchanges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CODEC_FIELDS_MAX 8
#define CODEC_BODY_MAX   ((size_t)1024 * 1024)

struct codec {
    struct pst_stream stream;
    struct pst_peer peer;
    struct pst_exchanges *all;
    struct pst_stream_request request;
    struct pst_field fields[CODEC_FIELDS_MAX];
    bool full;     /* the client takes nothing: what `body` is given is the last for now */
    bool refuses;  /* the head cannot be sent: no memory */
    bool has_more; /* bytes behind the head */

    /* What the exchange did. */
    unsigned n_heads, n_ends, n_resets, n_closed, n_discards, n_accepted;
    bool reading;
    bool overfull; /* a piece came though the one before said that no more should */
    struct pst_response head;
    char fields_text[4096]; /* "Name: value\n" each */
    char reason[64];
    struct pst_buf body;
    /* After an upgrade */
    struct pst_buf in;  /* from the client; `in_over`: no more */
    struct pst_buf out; /* to the client */
    bool upgraded, in_over;
};

void codec_begin(struct codec *codec, struct pst_exchanges *all);
/* Frees what it kept. The stream must be closed. */
void codec_done(struct codec *codec);
/* One more field of the request, before codec_ask(). */
void codec_field(struct codec *codec, const char *name, const char *value);
/* The head of a request with a body of that length; -1: chunked, 0: none. False when the exchange could not
 * begin. */
bool codec_ask(struct codec *codec, const char *method, const char *target, int64_t length);
/* A piece of the body: how much was taken. */
size_t codec_send(struct codec *codec, const char *text);
/* The body is whole, or there is none. */
void codec_finish(struct codec *codec);
/* The client takes something again. */
void codec_drain(struct codec *codec);
/* The response is over, or the stream was reset: tells the exchange that it is closed. Fails the test when
 * neither is the case and `must`. */
void codec_close(struct codec *codec, bool must);
/* What the client got, as a string. */
const char *codec_body(struct codec *codec);
/* The value of a field of the response, "" when there is none; until the next call. */
const char *codec_value(const struct codec *codec, const char *name);

#endif
