/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/fetch/fetch.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/num.h"
#include "postern/http/answer.h"
#include "postern/http/error.h"
#include "postern/tls/client.h"
#include "private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PIECE_BYTES 16384

/* One fetch under way. */
struct fetch {
    struct pst_url url;
    const struct pst_fetch_options *options;
    uint64_t deadline_us;
    size_t max_bytes;
    int fd; /* of plain HTTP */
    struct pst_tls_client *tls;
    struct pst_tls_roots *roots;
    struct pst_answer_parser *parser;
    struct pst_fetch_why *why;
};

static int PST_PRINTF(3, 4) fail(struct fetch *fetch, int err, const char *fmt, ...)
{
    char reason[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(reason, sizeof(reason), fmt, args);
    va_end(args);
    snprintf(fetch->why->text, sizeof(fetch->why->text), "%.128s: %s", fetch->url.authority, reason);
    return err;
}

/* A descriptor: directly or through the proxy. */
static int open_tcp(struct fetch *fetch)
{
    struct pst_proxy proxy = {.host = ""};
    struct pst_dial_why why;
    const char *reason = NULL;
    const char *text = fetch->options->proxy;
    if (text != NULL && text[0] != '\0' && fetch->url.https &&
        pst_proxy_parse(pst_str_of(text), &proxy, &reason) < 0)
        return fail(fetch, -PST_EPARSE, "the proxy's URL cannot be used: %s", reason);
    int fd =
        pst_dial(fetch->url.host, fetch->url.port, &proxy, fetch->options->pins, fetch->deadline_us, &why);
    explicit_bzero(&proxy, sizeof(proxy));
    if (fd < 0) /* the sentence names the host or its addresses already */
        pst_str_clip(pst_str_of(why.text), fetch->why->text, sizeof(fetch->why->text));
    return fd;
}

static int open_tls(struct fetch *fetch)
{
    struct pst_tls_why why;
    int err = pst_tls_roots_load(fetch->options->ca_file, &fetch->roots, &why);
    if (err < 0)
        return fail(fetch, err, "%s", why.text);
    struct pst_tls_client_options options = {
        .server_name = fetch->url.host, .roots = fetch->roots, .deadline_us = fetch->deadline_us};
    int fd = open_tcp(fetch);
    err = fd < 0 ? fd : pst_tls_client_open(fd, &options, &fetch->tls, NULL, &why);
    if (fd >= 0 && err == -PST_EAGAIN) {
        options.tls12_pkcs1 = true;
        fd = open_tcp(fetch);
        err = fd < 0 ? fd : pst_tls_client_open(fd, &options, &fetch->tls, NULL, &why);
    }
    return err < 0 && fd >= 0 ? fail(fetch, err, "%s", why.text) : err;
}

static int open_connection(struct fetch *fetch)
{
    if (fetch->url.https)
        return open_tls(fetch);
    fetch->fd = open_tcp(fetch);
    return fetch->fd < 0 ? fetch->fd : 0;
}

static int send_request(struct fetch *fetch)
{
    char request[PST_URL_TARGET_SIZE + PST_URL_HOST_SIZE + 512];
    const char *accept = fetch->options->accept != NULL ? fetch->options->accept : "*/*";
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: %.128s\r\nUser-Agent: postern\r\n"
                       "Connection: close\r\n\r\n",
                       fetch->url.target, fetch->url.authority, accept);
    int err = fetch->tls != NULL ? pst_tls_client_write(fetch->tls, request, (size_t)len)
                                 : fetch_send(fetch->fd, request, (size_t)len, fetch->deadline_us);
    return err < 0 ? fail(fetch, err, "the request could not be sent: %s", pst_strerror(err)) : 0;
}

static ssize_t receive(struct fetch *fetch, char *data, size_t len)
{
    return fetch->tls != NULL ? pst_tls_client_read(fetch->tls, data, len)
                              : fetch_receive(fetch->fd, data, len, fetch->deadline_us);
}

static int take_body(struct fetch *fetch, const char *data, size_t len, struct pst_fetch_answer *answer)
{
    int err = pst_buf_add(&answer->body, data, len);
    return err < 0 ? fail(fetch, err,
                          err == -PST_ELIMIT ? "the answer is larger than %zu bytes"
                                             : "no memory for an answer of up to %zu bytes",
                          fetch->max_bytes)
                   : 0;
}

/* Takes one piece of what the server sent. */
static int feed(struct fetch *fetch, char *data, size_t len, struct pst_fetch_answer *answer)
{
    struct pst_answer_parser *parser = fetch->parser;
    ssize_t taken = 0;
    if (pst_answer_state(parser) == PST_ANSWER_HEAD) {
        taken = pst_answer_feed_head(parser, data, len);
        if (taken < 0)
            return fail(fetch, (int)taken, "the answer is not HTTP: %s", pst_answer_fault(parser));
        data += taken;
        len -= (size_t)taken;
    }
    if (len == 0)
        return 0;
    if (pst_answer_state(parser) == PST_ANSWER_RAW)
        return take_body(fetch, data, len, answer);
    if (pst_answer_state(parser) != PST_ANSWER_CHUNKS)
        return 0; /* behind the end: not of this answer */
    size_t body = 0;
    taken = pst_answer_feed_chunks(parser, data, len, data, &body);
    if (taken < 0)
        return fail(fetch, (int)taken, "the answer is not HTTP: %s", pst_answer_fault(parser));
    return body > 0 ? take_body(fetch, data, body, answer) : 0;
}

/* Whether the answer is whole; of a RAW one with a length, once that many bytes are there. */
static bool is_whole(const struct fetch *fetch, const struct pst_fetch_answer *answer)
{
    const struct pst_answer *head = pst_answer_head(fetch->parser);
    switch (pst_answer_state(fetch->parser)) {
    case PST_ANSWER_DONE:
        return true;
    case PST_ANSWER_RAW:
        return head->framing.kind == PST_BODY_LENGTH && pst_buf_len(&answer->body) >= head->framing.length;
    default:
        return false;
    }
}

/* The connection ended: fine only for a body that goes on until then, and over TLS only with close_notify. */
static int at_end(struct fetch *fetch, ssize_t n)
{
    const struct pst_answer *head = pst_answer_head(fetch->parser);
    if (n == 0 && pst_answer_state(fetch->parser) == PST_ANSWER_RAW &&
        head->framing.kind == PST_BODY_UNTIL_CLOSE)
        return 0;
    if (n == -PST_ETIMEOUT)
        return fail(fetch, -PST_ETIMEOUT, "no whole answer in time");
    return fail(fetch, n == -PST_ETLS ? -PST_ETLS : -PST_ERESET, "%s",
                head == NULL ? "the connection ended without an answer"
                             : "the connection ended in the middle of the answer");
}

static int read_answer(struct fetch *fetch, struct pst_fetch_answer *answer)
{
    char data[PIECE_BYTES];
    pst_answer_begin(fetch->parser, 0);
    while (!is_whole(fetch, answer)) {
        ssize_t n = receive(fetch, data, sizeof(data));
        if (n <= 0)
            return at_end(fetch, n);
        int err = feed(fetch, data, (size_t)n, answer);
        if (err < 0)
            return err;
    }
    /* What stands behind a body of declared length is not of it. */
    const struct pst_answer *head = pst_answer_head(fetch->parser);
    if (head->framing.kind == PST_BODY_LENGTH && pst_buf_len(&answer->body) > head->framing.length)
        answer->body.end = answer->body.start + (size_t)head->framing.length;
    return 0;
}

int pst_http_date_parse(struct pst_str text, int64_t *ret_real_us)
{
    char copy[40];
    struct tm tm = {0};
    if (pst_str_copy(text, copy, sizeof(copy)) < 0)
        return -PST_EPARSE;
    const char *end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end == NULL || *end != '\0')
        return -PST_EPARSE;
    *ret_real_us = (int64_t)timegm(&tm) * 1000000;
    return 0;
}

static int64_t max_age(const struct pst_fields *fields)
{
    struct pst_str element;
    int64_t age = -1;
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, PST_STR("cache-control"), field)) != NULL) {
        struct pst_str rest = field->value;
        uint64_t seconds;
        while (pst_field_list_next(&rest, &element)) {
            if (pst_str_ieq(element, PST_STR("no-store")) || pst_str_ieq(element, PST_STR("no-cache")))
                return 0;
            if (pst_str_istarts(element, PST_STR("max-age=")) &&
                pst_num_u64(pst_str_skip(element, 8), &seconds) == 0)
                age = seconds < INT32_MAX ? (int64_t)seconds : INT32_MAX;
        }
    }
    return age;
}

/* What the head says, for the caller. */
static int take_head(struct fetch *fetch, struct pst_fetch_answer *answer)
{
    const struct pst_answer *head = pst_answer_head(fetch->parser);
    const struct pst_fields *fields = &head->fields;
    answer->status = head->status;
    if (head->status / 100 == 3)
        return fail(fetch, -PST_EACCES,
                    "answers with a redirect (%u to %.200s), which is not followed; name "
                    "the address it leads to, if that is the right one",
                    (unsigned)head->status,
                    pst_fields_value(fields, PST_STR("location")).len > 0
                        ? pst_fields_value(fields, PST_STR("location")).p
                        : "nowhere");
    pst_str_clip(pst_fields_value(fields, PST_STR("content-type")), answer->content_type,
                 sizeof(answer->content_type));
    pst_str_clip(pst_fields_value(fields, PST_STR("server")), answer->version, sizeof(answer->version));
    if (pst_http_date_parse(pst_fields_value(fields, PST_STR("date")), &answer->date_us) < 0)
        answer->date_us = 0;
    answer->max_age_s = max_age(fields);
    return 0;
}

static int run(struct fetch *fetch, struct pst_fetch_answer *answer)
{
    int err = pst_answer_parser_new(&fetch->parser);
    if (err < 0)
        return fail(fetch, err, "out of memory");
    err = open_connection(fetch);
    if (err == 0)
        err = send_request(fetch);
    if (err == 0)
        err = read_answer(fetch, answer);
    return err == 0 ? take_head(fetch, answer) : err;
}

int pst_fetch_get(const char *url, const struct pst_fetch_options *options,
                  struct pst_fetch_answer *ret_answer, struct pst_fetch_why *ret_why)
{
    uint64_t timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : PST_FETCH_TIMEOUT_MS;
    struct pst_fetch_answer answer = {.max_age_s = -1};
    struct fetch fetch = {
        .options = options,
        .deadline_us = pst_clock_mono_us() + timeout_ms * 1000,
        .max_bytes = options->max_bytes > 0 ? options->max_bytes : PST_FETCH_MAX_BYTES,
        .fd = -1,
        .why = ret_why,
    };
    const char *reason = NULL;
    int err = pst_url_parse(pst_str_of(url), &fetch.url, &reason);
    if (err == 0 && !fetch.url.https && !options->allow_http) {
        reason = "it must begin with https://";
        err = -PST_EPARSE;
    }
    if (err < 0) {
        snprintf(ret_why->text, sizeof(ret_why->text), "the URL cannot be used: %s", reason);
        return err;
    }
    pst_buf_init(&answer.body, fetch.max_bytes);
    err = run(&fetch, &answer);
    pst_tls_client_close(fetch.tls);
    pst_tls_roots_free(fetch.roots);
    pst_fd_close(fetch.fd);
    pst_answer_parser_free(fetch.parser);
    if (err < 0)
        pst_buf_done(&answer.body);
    else
        *ret_answer = answer;
    return err;
}

void pst_fetch_answer_done(struct pst_fetch_answer *answer)
{
    pst_buf_done(&answer->body);
}
