/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's exchanges: who asks is found, the request is forwarded to the container, its response streamed
 * back, and what was used is noted.
 *
 *     stream (codec) ─▶ phases: route, preflight, authenticate, authorize, token, job, select
 *                    ─▶ attempt (lease, send) ─▶ response ─▶ note (journal)
 *
 * A codec drives them by pst_exchange_events. Belongs to its worker's thread. */
#ifndef POSTERN_EXCHANGE_EXCHANGES_H
#define POSTERN_EXCHANGE_EXCHANGES_H

#include "postern/auth/keyring.h"
#include "postern/base/err.h"
#include "postern/exchange/settings.h"
#include "postern/exchange/stream.h"
#include "postern/loop/loop.h"
#include "postern/upstream/pool.h"
#include "postern/usage/journal.h"

struct pst_certificate_rules;
struct pst_exchanges;
struct pst_job_owners;
struct pst_oidc;
struct pst_sts;

struct pst_exchange_parts {
    const struct pst_front_settings *settings;
    struct pst_loop *loop;
    struct pst_pool *pool;
    struct pst_keyring *keyring;
    unsigned reader;       /* this worker's number in the keyring */
    struct pst_sts *sts;   /* NULL: issues no tokens and takes none of its own; the same number */
    struct pst_oidc *oidc; /* NULL: tokens of issuers are not taken; the same number */
    const struct pst_certificate_rules *certificates; /* NULL: clients are not asked for any */
    struct pst_job_owners *jobs;                      /* NULL: any key may have any job */
    struct pst_journal *journal;                      /* NULL: nothing is noted */
    struct pst_front_stats *stats;
};

/* 0, -PST_ENOMEM, -PST_EIO. The parts must outlive it. */
int pst_exchanges_new(const struct pst_exchange_parts *parts, struct pst_exchanges **ret) PST_MUSTCHECK;
/* With no stream left. NULL is fine. */
void pst_exchanges_free(struct pst_exchanges *all);
/* New requests are refused from now on, and WebSockets end with 1001. */
void pst_exchanges_stop(struct pst_exchanges *all);

extern const struct pst_stream_events pst_exchange_events;

#endif
