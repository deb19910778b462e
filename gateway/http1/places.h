/* SPDX-License-Identifier: Apache-2.0 */
/* Who may be one of max_connections. */
#ifndef POSTERN_HTTP1_PLACES_H
#define POSTERN_HTTP1_PLACES_H

#include "http1.h"

#define PLACES_BESIDE 64 /* connections beyond max_connections that are still taken, to be told 503 */

/* A client takes its place after its handshake, is safe in it once a key was accepted (stream_ops.accepted),
 * and leaves it when it is freed. */
void place_take(struct client *client);
void place_leave(struct client *client);
/* Whether one more connection can be taken. */
bool place_is_there(const struct pst_front *front);
/* For one more: gives it the place of another when all are taken. False when there is none to be had. */
bool place_make(struct pst_front *front);

#endif
