/* SPDX-License-Identifier: Apache-2.0 */
/* What the request path is told once, and what it counts. The settings are shared by all workers and read
 * only; a worker's numbers are written by its thread, relaxed, and read by anyone. */
#ifndef POSTERN_EXCHANGE_SETTINGS_H
#define POSTERN_EXCHANGE_SETTINGS_H

#include "postern/auth/credential.h"
#include "postern/base/net.h"
#include "postern/exchange/routes.h"
#include "postern/http/cors.h"
#include "postern/http/error.h"
#include "postern/http/location.h"
#include "postern/upstream/reach.h"
#include "postern/usage/traffic.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What does not change while the gateway runs. Shared by all workers, read only. */
struct pst_front_settings {
    struct pst_key_sources key_sources;
    struct pst_str region;            /* empty: any */
    const struct pst_str *open_paths; /* exact paths that need no key */
    size_t n_open_paths;
    const struct pst_cidr *trusted_proxies; /* whose X-Forwarded-* and Forwarded are kept */
    size_t n_trusted_proxies;
    struct pst_public_base public_base; /* what clients are told of us; no authority: what they called us */
    char *const *upstream_names;        /* what else the container calls itself */
    size_t n_upstream_names;
    struct pst_cors cors;
    const struct pst_routes *routes; /* what differs from path to path */
    struct pst_str endpoint;         /* the container's address, as usage has it: "127.0.0.1:5000" */
    bool flat_errors;                /* {"statusCode", "message"} instead of {"error": {...}} */
    bool keys_off;                   /* only tokens of issuers and certificates are taken */
    bool forward_certificate;        /* in X-Forwarded-Client-Cert */
    bool keep_host;                  /* forward the client's Host; else the container's own authority */

    uint64_t handshake_timeout_us;
    uint64_t head_timeout_us;       /* from a request's first byte to the end of its head */
    uint64_t idle_timeout_us;       /* between requests */
    uint64_t send_timeout_us;       /* a client that takes nothing of its response */
    uint64_t min_rate_bytes;        /* bytes per second a request body must keep up ... */
    uint64_t min_rate_grace_us;     /* ... after this long */
    uint64_t first_byte_timeout_us; /* from the request's end to the response's head */
    uint64_t read_timeout_us;       /* between two pieces of a response */

    size_t max_head_bytes;
    size_t max_target_bytes;
    size_t max_fields;
    uint64_t max_body_bytes;          /* 0: no bound */
    uint64_t keyless_max_body_bytes;  /* of a body without a key, held in memory; 0: streamed as with a key */
    uint64_t keyless_body_timeout_us; /* from its head to its end */
    size_t max_connections;
    size_t max_handshakes;

    size_t max_websockets;
    uint64_t websocket_idle_us; /* no byte either way */
    uint64_t websocket_max_us;  /* of a whole stream; 0: no bound */
    uint64_t websocket_note_us; /* between two notes of a stream's usage */
};

/* Written by the worker, relaxed; read by anyone. */
struct pst_front_stats {
    atomic_ullong connections_accepted;
    atomic_ullong connections_refused;   /* beyond even the connections that are told 503 */
    atomic_ullong connections_displaced; /* closed for a newer one: no key had been accepted on them */
    atomic_ullong connections_open;
    atomic_ullong handshakes_open;
    atomic_ullong handshakes_failed;
    atomic_ullong handshakes_timed_out;
    atomic_ullong requests;
    struct pst_traffic traffic;
    atomic_ullong errors[PST_ERROR_MAX]; /* Postern's own responses, by id */
    atomic_ullong wrong_credentials;     /* tried, repeats of one call counted once */
    atomic_ullong upstream_waits;        /* requests that waited for a connection to the container ... */
    atomic_ullong upstream_share_waits;  /* ... though one was free: their owner had its share of them */
    atomic_ullong answers_cut;           /* broken off in the middle of a response */
    atomic_ullong clients_left;
    struct pst_reach reach;
    atomic_ullong records_lost; /* the journal was full */
};

static inline void pst_front_count(atomic_ullong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

#endif
