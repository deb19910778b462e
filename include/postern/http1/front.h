/* SPDX-License-Identifier: Apache-2.0 */
/* The front: one worker's connections of clients that speak HTTP/1. It accepts them, runs the TLS handshake,
 * and lets libmicrohttpd read the requests, which become streams of the exchange (exchange/stream.h).
 *
 *     accept ─▶ session (TLS) ─▶ client (libmicrohttpd) ─▶ stream ─▶ exchange
 *
 * Belongs to its worker's thread. */
#ifndef POSTERN_HTTP1_FRONT_H
#define POSTERN_HTTP1_FRONT_H

#include "postern/base/err.h"
#include "postern/exchange/settings.h"
#include "postern/exchange/stream.h"
#include "postern/loop/loop.h"
#include "postern/tls/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;
struct pst_front;
struct pst_certificate_rules;

struct pst_front_parts {
    const struct pst_front_settings *settings;
    struct pst_loop *loop;
    struct pst_tls_context *const *tls; /* all that pst_front_accept() may be given */
    size_t n_tls;
    const struct pst_certificate_rules *certificates; /* NULL: clients are not asked for any */
    const struct pst_stream_events *events;           /* who hears of the requests ... */
    struct pst_exchanges *exchanges;                  /* ... and what `begin` and `error` are given */
    struct pst_front_stats *stats;
};

/* 0, -PST_ENOMEM, -PST_EIO. The parts must outlive the front. */
int pst_front_new(const struct pst_front_parts *parts, struct pst_front **ret_front) PST_MUSTCHECK;
/* After pst_front_stop() and with no client left. NULL is fine. */
void pst_front_free(struct pst_front *front);

/* Whether another connection may be accepted now; while it may not, leave them in the listen queue. */
bool pst_front_may_accept(const struct pst_front *front);
/* Takes over an accepted, non-blocking socket; `tls` is its listener's. Closes it when something fails. */
void pst_front_accept(struct pst_front *front, struct pst_tls_context *tls, int fd,
                      const struct sockaddr *peer);

/* A turn's work after the loop's: lets libmicrohttpd do what there is to do, then sends what was written.
 * Returns true when there is more to do at once, so that the loop must not sleep. */
bool pst_front_run(struct pst_front *front) PST_MUSTCHECK;
/* Whether there is something for pst_front_run() to do by now. */
bool pst_front_has_work(const struct pst_front *front);

/* No new requests: idle connections are closed, those with a request under way after its response. */
void pst_front_stop(struct pst_front *front);
/* Cuts off what is still there. */
void pst_front_abort(struct pst_front *front);
size_t pst_front_n_clients(const struct pst_front *front);

/* libmicrohttpd's version, "1.0.1". */
const char *pst_front_library_version(void);

#endif
