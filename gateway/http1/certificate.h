/* SPDX-License-Identifier: Apache-2.0 */
/* What a client proved in its handshake. */
#ifndef POSTERN_HTTP1_CERTIFICATE_H
#define POSTERN_HTTP1_CERTIFICATE_H

#include "http1.h"

/* Keeps it in client->peer. False without memory. */
bool certificate_take(struct client *client) PST_MUSTCHECK;
void certificate_drop(struct client *client);

#endif
