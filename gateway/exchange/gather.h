/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a request without a key: read whole, within a bound and a time of its own, before a connection
 * to the container is leased. */
#ifndef POSTERN_EXCHANGE_GATHER_H
#define POSTERN_EXCHANGE_GATHER_H

#include "exchange.h"

/* Whether the request's body is to be gathered, as far as the phases are through. */
bool gather_wanted(const struct exchange *x);
/* State GATHER; or why it is refused. */
enum pst_error_id gather_begin(struct exchange *x) PST_MUSTCHECK;
/* A piece of it: PST_ERROR_NONE, or why no more is taken. */
enum pst_error_id gather_body(struct exchange *x, struct pst_str piece) PST_MUSTCHECK;
/* It is whole: the head for the container is written, which is told the length, however the client framed it.
 */
enum pst_error_id gather_end(struct exchange *x) PST_MUSTCHECK;

#endif
