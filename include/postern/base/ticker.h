/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that does its turn again and again, with a pause between, until it is stopped: for work that may
 * block and is nobody's request. Start and stop by the owner; stopping may be asked from any thread. */
#ifndef POSTERN_BASE_TICKER_H
#define POSTERN_BASE_TICKER_H

#include "postern/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct pst_ticker {
    pthread_t thread;
    bool started;
    uint64_t pause_us;
    void (*turn)(void *arg);
    void *arg;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop; /* with `mutex` */
};

/* Starts the thread, which does its first turn at once. `name`: at most 15 characters, as the system shows
 * it. 0 or -PST_EIO. */
int pst_ticker_start(struct pst_ticker *ticker, const char *name, uint64_t pause_us, void (*turn)(void *arg),
                     void *arg) PST_MUSTCHECK;
/* Ends the pause, waits for the end of a turn under way. Fine for one that was never started (all zero). */
void pst_ticker_stop(struct pst_ticker *ticker);
/* For long turns: whether stop was called, so that what is left need not be done. */
bool pst_ticker_stopping(struct pst_ticker *ticker);

#endif
