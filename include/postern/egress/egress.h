/* SPDX-License-Identifier: Apache-2.0 */
/* The egress proxy: an HTTP CONNECT proxy for the container, which lets it reach the hosts it reports its
 * metering to and nothing else, and never looks into what passes.
 *
 * A thread accepts; each tunnel has a thread of its own, from its CONNECT to its end, at most `max_tunnels`
 * of them: a container has a handful. Names are looked up by Postern, the addresses are checked, and only
 * what was checked is connected to: a name that answers differently the second time gains nothing.
 *
 * Start and stop by one thread; stats from any. What the options point to outlives the guard. */
#ifndef POSTERN_EGRESS_EGRESS_H
#define POSTERN_EGRESS_EGRESS_H

#include "postern/base/err.h"
#include "postern/base/net.h"
#include "postern/fetch/dial.h"
#include "postern/fetch/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_egress;

enum pst_egress_sni { PST_EGRESS_SNI_OFF, PST_EGRESS_SNI_WARN, PST_EGRESS_SNI_REFUSE };

struct pst_egress_options {
    const struct pst_addr *listen;
    size_t n_listen;
    char *const *allow; /* host names, and "*.domain" for one or more labels before it */
    size_t n_allow;
    const char *allow_file; /* more of them, read again when it changes; NULL or "": none */
    const uint16_t *ports;
    size_t n_ports;
    const struct pst_cidr *networks; /* addresses that are reached though they are not public */
    size_t n_networks;
    bool observe; /* what the list does not allow passes, and is logged */
    enum pst_egress_sni sni;
    struct pst_proxy parent;                      /* host "": directly */
    char credentials[PST_PROXY_CREDENTIALS_SIZE]; /* base64 of "user:password" that clients must show; "":
                                                     none */
    struct pst_dial_pins pins;
    uint64_t connect_timeout_us; /* from accept to an open tunnel */
    uint64_t idle_timeout_us;
    uint64_t max_duration_us;
    unsigned max_tunnels;
    uint64_t silence_us; /* warn when no billing host was reached for so long; 0: never */
};

struct pst_egress_stats {
    uint64_t opened;
    uint64_t refused; /* by the rules, or would have been */
    uint64_t failed;  /* not to be reached */
    uint64_t bytes_up, bytes_down;
    unsigned open;
    int64_t metering_us;  /* when bytes last went both ways to a billing host, real time; 0: never */
    unsigned failures;    /* attempts to reach one that failed since */
    bool metering_silent; /* for longer than the limit, or failing again and again */
};

/* Binds and starts. Logs what is wrong. -PST_EBUSY, -PST_EIO, -PST_ENOMEM. */
int pst_egress_start(const struct pst_egress_options *options, struct pst_egress **ret) PST_MUSTCHECK;
/* Takes no more; cuts tunnels off that do not end within `wait_us`. NULL is fine. */
void pst_egress_stop(struct pst_egress *egress, uint64_t wait_us);
void pst_egress_stats(struct pst_egress *egress, struct pst_egress_stats *ret);

/* Whether an item of the list can be one: a host name, or "*." before one. For `postern check`. */
bool pst_egress_pattern_is_valid(struct pst_str pattern);

#endif
