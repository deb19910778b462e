/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd responds to what it cannot parse by itself, with a page of HTML, or drops it without a word.
 * Our own response goes out instead, with JSON and the fields that all of ours have. On the listener's
 * thread. */
#ifndef POSTERN_ADMIN_MHD_ERROR_H
#define POSTERN_ADMIN_MHD_ERROR_H

#include "postern/base/buf.h"

#include <microhttpd.h>
#include <stdbool.h>

struct admin_listener;
struct admin_request;

/* What is known of a connection while libmicrohttpd has it. */
struct admin_connection {
    struct admin_listener *listener;
    const struct admin_request *request; /* NULL between two */
    bool answering;                      /* what is written is ours */
    bool too_large;                      /* it is dropped because of its body */
};

/* The connection's, made when it starts and freed when it has ended; NULL without memory. */
struct admin_connection *admin_connection_of(struct MHD_Connection *connection);
/* Picks the reason out of libmicrohttpd's log, which is the only place where it is whole. */
void admin_mhd_error_note(struct admin_listener *listener, const char *text);
/* A struct pst_seam_service's `replace`. */
void admin_mhd_error_replace(void *connection, struct pst_str data, struct pst_buf *ret_own);

#endif
