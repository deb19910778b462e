/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers questions about usage, which may take seconds: threads of their own, each with a store of its
 * own, while the listeners' threads go on with everybody else. */
#ifndef POSTERN_ADMIN_READERS_H
#define POSTERN_ADMIN_READERS_H

#include "postern/base/err.h"
#include "postern/base/list.h"
#include "postern/db/usage_store.h"

#include <pthread.h>
#include <stdbool.h>

/* One for an export, one for the page beside it. More would take more of the CPU that workers need. */
#define ADMIN_READERS_MAX 2

struct admin_request;

struct admin_reader {
    struct admin_readers *readers;
    struct pst_usage_store *usage;
    pthread_t thread;
    bool started;
};

struct admin_readers {
    struct admin_reader all[ADMIN_READERS_MAX];
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct pst_list waiting; /* with `mutex`; bounded by the listeners' connections */
    bool stop;               /* with `mutex` */
};

void admin_readers_init(struct admin_readers *readers);
/* After all that may ask or wait. */
void admin_readers_done(struct admin_readers *readers);

/* Logs what is wrong. Then, too, stop() is called. */
int admin_readers_start(struct admin_readers *readers, const char *data_dir) PST_MUSTCHECK;
/* Breaks off what is being read; who waits gets 503, and so does who asks from now on. Comes before the
 * daemons' stop: libmicrohttpd wants no suspended request then. Fine without a start. */
void admin_readers_stop(struct admin_readers *readers);

/* On the request's own thread. Suspends the request; its route's handler is called by a reader, with a store
 * in r->usage, and then libmicrohttpd comes again with it. False: 503 has been made instead. */
bool admin_readers_ask(struct admin_readers *readers, struct admin_request *r);

#endif
