/* SPDX-License-Identifier: Apache-2.0 */
/* Takes an admin listener's new connections, on a thread of its own, and hands them to its daemon.
 * libmicrohttpd could do so itself, but without a descriptor to spare it asks again and again for one as fast
 * as it can. A connection's TLS session is made on this thread, too; of the listener's TLS context that reads
 * only what never changes. */
#ifndef POSTERN_ADMIN_ACCEPTOR_H
#define POSTERN_ADMIN_ACCEPTOR_H

#include "postern/base/err.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>

struct admin_acceptor {
    struct MHD_Daemon *daemon;
    const char *place; /* of the listener, for the log; must live as long */
    int listen_fd;     /* the caller's */
    int stop_fd;       /* readable when it is over; -1: not started */
    unsigned max_connections;
    pthread_t thread;
};

/* The daemon has no listening socket of its own, and accepts connections from other threads. -PST_EIO. */
int admin_acceptor_start(struct admin_acceptor *acceptor, struct MHD_Daemon *daemon, int listen_fd,
                         unsigned max_connections, const char *place) PST_MUSTCHECK;
/* Of one that was not started it does nothing. */
void admin_acceptor_stop(struct admin_acceptor *acceptor);

#endif
