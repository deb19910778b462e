/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/ticker.h"

#include <errno.h>
#include <time.h>

/* False when it was stopped. */
static bool pause_between(struct pst_ticker *ticker)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ticker->pause_us / 1000000);
    until.tv_nsec += (long)(ticker->pause_us % 1000000) * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&ticker->mutex);
    while (!ticker->stop && pthread_cond_timedwait(&ticker->wake, &ticker->mutex, &until) != ETIMEDOUT)
        continue;
    bool stop = ticker->stop;
    pthread_mutex_unlock(&ticker->mutex);
    return !stop;
}

static void *run(void *arg)
{
    struct pst_ticker *ticker = arg;
    do {
        ticker->turn(ticker->arg);
    } while (pause_between(ticker));
    return NULL;
}

int pst_ticker_start(struct pst_ticker *ticker, const char *name, uint64_t pause_us, void (*turn)(void *arg),
                     void *arg)
{
    *ticker = (struct pst_ticker){.pause_us = pause_us, .turn = turn, .arg = arg};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ticker->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&ticker->mutex, NULL);
    if (pthread_create(&ticker->thread, NULL, run, ticker) != 0) {
        pthread_cond_destroy(&ticker->wake);
        pthread_mutex_destroy(&ticker->mutex);
        return -PST_EIO;
    }
    (void)pthread_setname_np(ticker->thread, name);
    ticker->started = true;
    return 0;
}

void pst_ticker_stop(struct pst_ticker *ticker)
{
    if (!ticker->started)
        return;
    pthread_mutex_lock(&ticker->mutex);
    ticker->stop = true;
    pthread_cond_signal(&ticker->wake);
    pthread_mutex_unlock(&ticker->mutex);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->wake);
    pthread_mutex_destroy(&ticker->mutex);
    ticker->started = false;
}

bool pst_ticker_stopping(struct pst_ticker *ticker)
{
    pthread_mutex_lock(&ticker->mutex);
    bool stop = ticker->stop;
    pthread_mutex_unlock(&ticker->mutex);
    return stop;
}
