/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: one thread with all it needs to serve on its own: listening sockets, loop, TLS context, upstream
 * pool, front. Workers share nothing on the request path but read-only snapshots (settings, keyring).
 *
 * All functions are for the server's thread; they talk to the worker through its loop's mailbox. */
#ifndef POSTERN_WORKER_WORKER_H
#define POSTERN_WORKER_WORKER_H

#include "postern/base/err.h"
#include "postern/exchange/exchanges.h"
#include "postern/http1/front.h"

#include <stddef.h>

struct pst_certificate_rules;
struct pst_job_owners;
struct pst_worker;

struct pst_worker_listener {
    int fd; /* listening; the worker closes it */
    enum pst_certificate_mode certificate;
};

struct pst_worker_parts {
    unsigned index; /* also its number as a reader of the keyring */
    const struct pst_front_settings *front;
    struct pst_pool_limits pool;
    enum pst_tls_profile tls_profile;
    struct pst_tls_material *material; /* borrowed */
    const struct pst_ticket_key *ticket_key;
    struct pst_origin *origin; /* borrowed; NULL: not resolved yet */
    struct pst_keyring *keyring;
    struct pst_client_trust *trust; /* NULL, with the next: clients are not asked for certificates */
    const struct pst_certificate_rules *certificates;
    struct pst_job_owners *jobs;
    struct pst_sts *sts;
    struct pst_oidc *oidc; /* NULL: no issuers */
    struct pst_journal *journal;
    const struct pst_worker_listener *listeners;
    size_t n_listeners;
};

/* Makes everything and starts the thread. On failure the listeners are closed.
 * 0, -PST_ENOMEM, -PST_ETLS, -PST_EIO. */
int pst_worker_start(const struct pst_worker_parts *parts, struct pst_worker **ret_worker) PST_MUSTCHECK;

/* New addresses of the container. */
void pst_worker_set_origin(struct pst_worker *worker, struct pst_origin *origin);
/* Whom clients' certificates are trusted from, from now on. Any thread; keeps a reference. -PST_ENOMEM,
 * -PST_EBUSY (its mailbox is full): then it was not told. */
int pst_worker_set_trust(struct pst_worker *worker, struct pst_client_trust *trust) PST_MUSTCHECK;
/* Seals new session tickets with another key. */
void pst_worker_rotate(struct pst_worker *worker, const struct pst_ticket_key *key);
/* Accepts no more and ends when what is under way is done. */
void pst_worker_stop(struct pst_worker *worker);
/* Cuts off what is still under way. */
void pst_worker_abort(struct pst_worker *worker);
/* Whether the thread has ended; then pst_worker_free() does not wait. */
bool pst_worker_ended(const struct pst_worker *worker);
/* Waits for the thread's end and frees. NULL is fine. */
void pst_worker_free(struct pst_worker *worker);

const struct pst_front_stats *pst_worker_stats(const struct pst_worker *worker);
/* What it noted of the container, for the one thread that logs it (pst_reach_take_fault()). */
struct pst_reach *pst_worker_reach(struct pst_worker *worker);

#endif
