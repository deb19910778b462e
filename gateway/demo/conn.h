/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of the sample container: reads requests with llhttp, calls the route, writes answers.
 * A connection and everything in it belongs to its own thread; sockets block, with time limits. */
#ifndef POSTERN_DEMO_CONN_H
#define POSTERN_DEMO_CONN_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define DEMO_TARGET_MAX 8192
/* One read; what it decodes to is at most as long. */
#define DEMO_READ_BYTES (16 * 1024)
/* Text Analytics takes 1 MB a request. */
#define DEMO_JSON_MAX (1024 * 1024)

struct demo_conn;

/* The request at hand; slices live until the route returns. */
struct demo_request {
    struct pst_str method;
    struct pst_str path;
    struct pst_str query;        /* without '?' */
    struct pst_str content_type; /* empty when none was sent */
};

/* Serves `fd` until the peer leaves, an error or `stop_fd` becomes readable; does not close it. */
void demo_conn_serve(int fd, int stop_fd);

/* The next piece of the request's body: its length, 0 at the end, -PST_EPROTO, -PST_ERESET. The piece
 * lives until the next call. */
int demo_conn_read_body(struct demo_conn *conn, struct pst_str *ret_piece) PST_MUSTCHECK;
/* The whole body, at most `body->max` bytes: 0, -PST_ELIMIT, -PST_EPROTO, -PST_ERESET, -PST_ENOMEM. */
int demo_conn_read_all(struct demo_conn *conn, struct pst_buf *body) PST_MUSTCHECK;

/* A whole answer. Errors end the connection by themselves. */
void demo_conn_reply(struct demo_conn *conn, int status, const char *content_type, struct pst_str body);
/* An answer in Azure's error shape. */
void demo_conn_error(struct demo_conn *conn, int status, const char *code, const char *message);
/* 405 with the methods the resource has, as in "GET, HEAD". */
void demo_conn_not_allowed(struct demo_conn *conn, const char *allow);
/* An answer in pieces (chunked; to HTTP/1.0, until close). Each returns 0 or -PST_ERESET. */
int demo_conn_begin(struct demo_conn *conn, int status, struct pst_str content_type) PST_MUSTCHECK;
int demo_conn_piece(struct demo_conn *conn, struct pst_str piece) PST_MUSTCHECK;
int demo_conn_end(struct demo_conn *conn) PST_MUSTCHECK;
/* Waits: 0 when the time has passed, -PST_ECLOSED when the peer left or the container stops. */
int demo_conn_sleep(struct demo_conn *conn, unsigned delay_ms) PST_MUSTCHECK;

#endif
