/* SPDX-License-Identifier: Apache-2.0 */
/* The sample container's routes. Called on a connection's thread; a route answers exactly once. */
#ifndef POSTERN_DEMO_ROUTES_H
#define POSTERN_DEMO_ROUTES_H

#include "conn.h"

void demo_route(struct demo_conn *conn, const struct demo_request *request);

/* The handlers, by file. */
void demo_on_languages(struct demo_conn *conn, const struct demo_request *request);
void demo_on_sentiment(struct demo_conn *conn, const struct demo_request *request);
void demo_on_echo(struct demo_conn *conn, const struct demo_request *request);
void demo_on_stream(struct demo_conn *conn, const struct demo_request *request);

#endif
