/* SPDX-License-Identifier: Apache-2.0 */
/* The admin side: REST under /admin/v1 as web/openapi.json says, for programs on the gateway's own machine.
 *
 * It listens on TCP with HTTPS, for who has an admin token, a session that was opened with one, or a client
 * certificate that the settings name; and on Unix sockets of mode 0600, where the kernel vouches for the user
 * id: root and the gateway's own user may do everything, nobody else anything. Each listener is a
 * libmicrohttpd daemon with a thread of its own; they take turns at what they share, and have database
 * connections of their own, so no question asked here holds up a worker.
 *
 * Start and stop by one thread; what the parts point to outlives the admin side. */
#ifndef POSTERN_ADMIN_ADMIN_H
#define POSTERN_ADMIN_ADMIN_H

#include "postern/base/err.h"
#include "postern/conf/settings.h"
#include "postern/http/error.h"
#include "postern/upstream/reach.h"
#include "postern/usage/traffic.h"

#include <stdbool.h>
#include <stdint.h>

struct pst_admin;

/* What only the server knows about itself: sums over the workers, since the start. */
struct pst_admin_traffic {
    struct pst_traffic_sums sums;
    uint64_t errors[PST_ERROR_MAX]; /* Postern's own answers */
    uint64_t wrong_credentials;
    uint64_t upstream_waits, upstream_share_waits;
    uint64_t answers_cut, clients_left;
    uint64_t accepted, refused, displaced; /* connections */
    uint64_t handshakes_open, handshakes_failed, handshakes_timed_out;
    uint64_t records_lost;
};

/* The egress proxy (docs/egress.md). */
struct pst_admin_egress {
    bool on;
    uint64_t open, opened, refused, failed; /* tunnels */
    uint64_t bytes_up, bytes_down;
    int64_t metering_us; /* when a billing host was reached last, real time; 0: never */
    unsigned failures;   /* attempts at one that failed since */
    bool silent;         /* for longer than egress_metering_silence, or failing again and again */
};

struct pst_admin_certificate {
    const char *path, *sha256; /* of the default one */
    bool self_signed;
    int64_t not_before_us, not_after_us; /* the last, and the first, of all */
    const char *state;                   /* of the worst, as pst_tls_dates_name() has it */
};

struct pst_admin_status {
    unsigned workers;
    uint64_t connections;          /* clients' connections, open now */
    uint64_t journal_lost;         /* requests served and not counted, since the start */
    uint64_t journals_unreadable;  /* files of earlier runs */
    uint64_t keyless_dropped;      /* single requests without a key that are in the sums only */
    uint64_t log_dropped;          /* lines of the access log that nobody took */
    uint64_t journal_waiting;      /* requests served and not in usage.db yet */
    struct pst_reach_sum upstream; /* what the traffic tells of the container */
    struct pst_admin_egress egress;
    struct pst_admin_traffic traffic;
    bool usage_failing;                             /* usage.db could not be written the last time */
    struct pst_admin_certificate certificate;       /* what the gateway's clients see */
    struct pst_admin_certificate admin_certificate; /* the admin side's own; path NULL: the same */
};

struct pst_tls_material;

struct pst_admin_parts {
    const struct pst_settings *settings;
    struct pst_tls_material *material; /* what its own clients are shown */
    const char *version;
    /* Called on the admin's thread; the strings live as long as the server. */
    void (*status)(void *arg, struct pst_admin_status *ret);
    void *arg;
};

/* Whether `admin_listen` says that there is an admin side. */
bool pst_admin_wanted(const struct pst_settings *settings);
/* Whether an item of `admin_listen` is well written; for `postern check`. */
bool pst_admin_listen_is_valid(const char *item);
/* Binds, opens the stores (data_dir's must be there) and starts the threads. Makes the first admin token when
 * there is none. Logs what is wrong. -PST_EINVAL, -PST_EEXIST (something else is where the socket should be),
 * -PST_EBUSY (the port is), -PST_ETLS, -PST_EIO, -PST_EDB, -PST_ENOMEM. */
int pst_admin_start(const struct pst_admin_parts *parts, struct pst_admin **ret_admin) PST_MUSTCHECK;
/* Ends what is under way and removes the sockets. NULL is fine. */
void pst_admin_stop(struct pst_admin *admin);

#endif
