/* SPDX-License-Identifier: Apache-2.0 */
/* A client: one TLS session given to libmicrohttpd as a virtual socket. */
#ifndef POSTERN_HTTP1_CLIENT_H
#define POSTERN_HTTP1_CLIENT_H

#include "http1.h"

void client_new(struct pst_front *front, struct pst_tls_context *tls, int fd, const struct sockaddr *peer);
/* After each run of libmicrohttpd: whose head is still incomplete? */
void client_check_fresh(struct pst_front *front);
#endif
