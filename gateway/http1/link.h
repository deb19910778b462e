/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection as libmicrohttpd has it: woken, suspended, resumed, ended; busy or idle. */
#ifndef POSTERN_HTTP1_LINK_H
#define POSTERN_HTTP1_LINK_H

#include "http1.h"

/* A connection that has been idle for so long gives back the memory it can do without: not so soon that a
 * client which asks once a second pays for it each time. */
#define GIVE_MEMORY_BACK_AFTER_US 2000000

/* Tells libmicrohttpd that there is something to read or room to write. */
void client_wake(struct client *client);
/* Only inside libmicrohttpd's callbacks. */
void client_suspend(struct client *client);
void client_resume(struct client *client);
/* Makes libmicrohttpd let go of the connection, now that nothing more is to be said. */
void client_end(struct client *client);
/* The same, without a goodbye: the client sees that something is missing. */
void client_cut(struct client *client);
/* A request is over; the connection waits for the next one. */
void client_idle(struct client *client);
/* The head is complete; with a body the watch over its rate begins. */
void client_busy(struct client *client);

#endif
