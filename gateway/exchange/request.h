/* SPDX-License-Identifier: Apache-2.0 */
/* The request's head: what the codec read is looked at a second time, and the head for the container is
 * written. */
#ifndef POSTERN_EXCHANGE_REQUEST_H
#define POSTERN_EXCHANGE_REQUEST_H

#include "exchange.h"

/* Reads and checks the head; the first thing that is wrong. */
enum pst_error_id request_read(struct exchange *x, const struct pst_stream_request *read) PST_MUSTCHECK;
/* Leaves out of x->request.forward and the query what identity.query_counts and the settings call
 * credentials. */
enum pst_error_id request_leave_credentials_out(struct exchange *x) PST_MUSTCHECK;
/* Writes the head for the container into x->attempt.head. */
enum pst_error_id request_write_head(struct exchange *x) PST_MUSTCHECK;
/* The client's address, behind whatever trusted proxies. */
void request_client_address(const struct exchange *x, uint8_t address[static 16]);

#endif
