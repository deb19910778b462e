/* SPDX-License-Identifier: Apache-2.0 */
/* The request's way to the container: a leased connection, the head, the body as it comes. What the container
 * does not take is not taken from the client either: back-pressure. */
#ifndef POSTERN_EXCHANGE_ATTEMPT_H
#define POSTERN_EXCHANGE_ATTEMPT_H

#include "exchange.h"

/* What the attempt tells the exchange. */
struct attempt_events {
    void (*head)(struct exchange *x);     /* the response's head is there */
    void (*body)(struct exchange *x);     /* more of its body, or of an upgraded stream's bytes */
    void (*writable)(struct exchange *x); /* the container takes more */
    /* There will be no response; the lease has ended. */
    void (*failed)(struct exchange *x, enum pst_error_id id);
};

/* Leases a connection and sends the head in x->attempt.head: state LEASE, then SEND, perhaps at once. */
void attempt_begin(struct exchange *x, const struct attempt_events *events);
/* In whose share of the connections the exchange counts: its key's, or nobody's. */
uint64_t attempt_owner(const struct exchange *x);
/* Takes what it can of the client's body; returns how much. */
size_t attempt_body(struct exchange *x, struct pst_str piece);
/* The body is whole: sends what is left; then waits for the response. */
void attempt_end(struct exchange *x);
/* For the record of the container's reachability: why there is no response, or no whole one; `err` is
 * pst_upconn_read()'s. While the lease holds the connection. */
void attempt_note_failure(const struct exchange *x, enum pst_error_id id);
void attempt_note_break(const struct exchange *x, int err);

#endif
