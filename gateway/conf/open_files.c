/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/conf/open_files.h"

#include <string.h>

/* Standard streams, the two databases with their logs and indexes, journal, job table, the keeper's own. */
#define PROCESS_FILES 12
/* Of a worker: epoll, eventfd, libmicrohttpd's; and a listener for each address. */
#define WORKER_FILES 3
/* Of the admin side: the databases once more, for reading. */
#define ADMIN_FILES 8
/* Of each place where it listens: the socket, the daemon's wake-up and the acceptor's. */
#define ADMIN_LISTENER_FILES 3
#define EGRESS_FILES         2
/* What is open for a while: files that are read anew, look-ups of names, an operator's connections and
 * reports, one tunnel. */
#define ROOM 24
/* A client and its connection to the container. */
#define EXCHANGE_FILES 2
/* What `most` had besides those, and keeps: tunnels and reports come on top of clients. */
#define ROOM_AT_MOST 64

static bool has_admin(const struct pst_settings *s)
{
    return s->n_admin_listen != 1 || strcmp(s->admin_listen[0], "off") != 0;
}

struct pst_open_files pst_open_files_of(const struct pst_settings *s)
{
    uint64_t own = PROCESS_FILES + s->workers * (WORKER_FILES + s->n_listen);
    if (has_admin(s))
        own += ADMIN_FILES + ADMIN_LISTENER_FILES * s->n_admin_listen;
    if (s->n_egress_listen > 0)
        own += EGRESS_FILES + s->n_egress_listen;
    uint64_t most = s->workers * (s->max_connections + s->upstream_max_connections) + ROOM_AT_MOST;
    uint64_t least = own + ROOM + EXCHANGE_FILES * s->workers;
    return (struct pst_open_files){.least = least, .most = most > least ? most : least};
}
