/* SPDX-License-Identifier: Apache-2.0 */
/* The request under way of a client, as a stream of the exchange's. */
#ifndef POSTERN_HTTP1_STREAM_H
#define POSTERN_HTTP1_STREAM_H

#include "http1.h"

/* A request begins: nothing is known of it but its target. False without memory. */
bool stream_begin(struct client *client, struct pst_str raw_target) PST_MUSTCHECK;
/* libmicrohttpd's calls: a handler's result, as MHD_YES or MHD_NO. */
int stream_on_call(struct client *client, const char *method, const char *version, const char *data,
                   size_t *size);
/* The session takes more: writes what waits, then lets the exchange go on. */
void stream_on_writable(struct client *client);
/* The client shut its side, or broke the connection. */
void stream_on_left(struct client *client);
/* libmicrohttpd is through with the request. */
void stream_on_closed(struct client *client);
/* All of the response is with the session. */
bool stream_is_out(const struct client *client);
/* A response that is not the exchange's alone: the request is malformed, or too slow. */
void stream_error(struct client *client, enum pst_error_id id, struct pst_str detail);
/* libmicrohttpd complains of the request: with an error page, or without a word (`data` NULL). */
void stream_complain(struct client *client, const char *data, size_t len);
extern const struct pst_stream_ops stream_ops;

#endif
