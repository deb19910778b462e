/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef POSTERN_SERVER_INTERNAL_H
#define POSTERN_SERVER_INTERNAL_H

#include "postern/admin/admin.h"
#include "postern/auth/certificate_rules.h"
#include "postern/auth/job_owners.h"
#include "postern/auth/oidc.h"
#include "postern/auth/sts.h"
#include "postern/base/arena.h"
#include "postern/base/ticker.h"
#include "postern/egress/egress.h"
#include "postern/server/certificate_settings.h"
#include "postern/server/egress_settings.h"
#include "postern/server/server.h"
#include "postern/upstream/origin.h"
#include "postern/usage/ledger.h"
#include "postern/worker/worker.h"

#include <stdatomic.h>

#define MAX_LISTENERS 16
#define MAX_WORKERS   256

/* A bound address: one listening socket for each worker, on the same port. */
struct bound {
    int fds[MAX_WORKERS];
    char text[80]; /* "127.0.0.1:8443" */
    uint16_t port;
    enum pst_certificate_mode certificate;
};

struct bounds {
    struct bound at[MAX_LISTENERS];
    size_t n;
};

/* Binds every address of the settings `n_workers` times. Says what is wrong. */
int listen_all(const struct pst_settings *settings, unsigned n_workers, struct bounds *bounds) PST_MUSTCHECK;
void listen_close(struct bounds *bounds, unsigned n_workers);

/* The storage thread: takes in changes of the keys, writes usage and the access log down, looks the
 * container's name up, rotates the ticket key. */
struct keeper {
    struct pst_ticker ticker;
    struct pst_keyring *keyring;
    struct pst_sts *sts;
    struct pst_ledger *ledger;
    struct pst_upstream upstream;
    struct pst_origin *origin; /* the newest; NULL: not found yet */
    uint64_t ticket_period_us;
    struct pst_worker **workers;
    unsigned n_workers;
    struct pst_client_trust *trust; /* the newest; NULL: none */
    struct pst_client_trust_options trust_options;
    bool trust_failed;
    bool trust_untold; /* a worker does not have the newest yet */

    const struct pst_tls_material *materials[2]; /* whose dates it watches; NULL: no second */
    int64_t dates_seen_us;                       /* real time */

    struct pst_reach_watch reach; /* what the log was told of the container */

    bool stepped_back;
    uint64_t next_dates_us;
    uint64_t next_trust_us;
    uint64_t next_resolve_us;
    uint64_t next_retain_us;
    uint64_t next_rotate_us;
};

int keeper_start(struct keeper *keeper) PST_MUSTCHECK;
/* Ends the thread; what the journals hold then is the ledger's close to drain. */
void keeper_stop(struct keeper *keeper);

struct pst_server {
    const struct pst_settings *settings;
    struct pst_front_settings front;
    struct pst_routes *routes;
    struct pst_arena texts; /* what the front's settings point to */
    struct pst_tls_material *material;
    struct pst_tls_material *admin_material; /* the admin side's own; NULL: it shows the gateway's */
    struct pst_ticket_key ticket_key;
    struct pst_keyring *keyring;
    struct pst_issuers *issuers; /* NULL, with the next: none */
    struct pst_egress *egress;   /* NULL: no egress proxy */
    struct pst_egress_settings egress_settings;
    struct pst_oidc *oidc;
    struct pst_sts *sts;
    struct pst_client_trust *trust; /* NULL, with the next: no client certificates */
    struct pst_certificate_rules *certificates;
    struct pst_job_owners *jobs; /* NULL: any key may have any job */
    struct pst_ledger *ledger;
    struct pst_journal **journals;
    struct bounds bounds;
    struct pst_worker **workers;
    unsigned n_workers;
    atomic_uint n_started; /* grows while the admin side looks already */
    struct keeper keeper;
    struct pst_admin *admin; /* NULL: switched off */
};

/* server.c: what is wrong with a certificate, to the log; a pst_tls_problem_cb. */
void server_log_certificate(void *module, bool warning, const char *problem);

/* front_settings.c: the front's settings from the table's. */
int front_settings_make(struct pst_server *server) PST_MUSTCHECK;

/* client_certificates.c: whom clients' certificates are trusted from and what they stand for. */
int client_certificates_open(struct pst_server *server) PST_MUSTCHECK;
void client_certificates_close(struct pst_server *server);
/* The keeper's: files that changed are read again. */
void client_certificates_refresh(struct keeper *keeper, uint64_t now_us);

/* egress.c: the egress proxy, if the settings have one. */
int egress_start(struct pst_server *server) PST_MUSTCHECK;
/* oidc.c: the issuers of tokens, where the settings name some; after TLS. */
int oidc_open(struct pst_server *server) PST_MUSTCHECK;
void oidc_close(struct pst_server *server);

/* admin.c. What the workers noted of the container, taken together; any thread. */
void workers_reach(struct pst_worker *const *workers, unsigned n, struct pst_reach_sum *ret);
/* Starts the admin side where the settings want one; last, when all it tells of is there. */
int admin_start(struct pst_server *server) PST_MUSTCHECK;

#endif
