/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to a connected socket, each step with a deadline (a moment of pst_clock_mono_us()). Blocking:
 * not on a worker. Any thread. */
#ifndef POSTERN_FETCH_DIAL_H
#define POSTERN_FETCH_DIAL_H

#include "postern/base/err.h"
#include "postern/base/net.h"
#include "postern/fetch/url.h"

#include <stddef.h>
#include <stdint.h>

#define PST_DIAL_ADDRESSES_MAX 16

struct pst_dial_addresses {
    struct pst_addr at[PST_DIAL_ADDRESSES_MAX];
    size_t n;
};

/* An answer given beforehand, instead of asking for it: "host:port:address", as curl's --resolve. */
struct pst_dial_pin {
    char host[PST_URL_HOST_SIZE];
    uint16_t port;
    struct pst_addr address; /* its port is `port` */
};

struct pst_dial_pins {
    const struct pst_dial_pin *at;
    size_t n;
};

struct pst_dial_why {
    char text[512]; /* a sentence */
};

/* "host:port:address"; IPv6 may be in brackets. -PST_EPARSE. */
int pst_dial_pin_parse(struct pst_str text, struct pst_dial_pin *ret_pin) PST_MUSTCHECK;

/* The addresses of `host`, in the order the system prefers. A literal address is its own answer. The system's
 * resolver is asked on a thread of its own, which outlives a deadline that passes (the resolver cannot be
 * called off). 0, -PST_ENOENT (no such name, or no address), -PST_EAGAIN (the resolver failed),
 * -PST_ETIMEOUT, -PST_ENOMEM. `pins` may be NULL. */
int pst_dial_resolve(const char *host, uint16_t port, const struct pst_dial_pins *pins, uint64_t deadline_us,
                     struct pst_dial_addresses *ret_addresses, struct pst_dial_why *ret_why) PST_MUSTCHECK;
/* Connects to one address: a descriptor (non-blocking), or -PST_EREFUSED, -PST_ETIMEOUT, -PST_EIO, ... */
int pst_dial_address(const struct pst_addr *address, uint64_t deadline_us) PST_MUSTCHECK;
/* Connects to the first address that answers: IPv6 and IPv4 by turns, the next one when the one before failed
 * or was silent for 250 ms (RFC 8305). A descriptor, or the last failure; *ret_why names them all. */
int pst_dial_connect(const struct pst_dial_addresses *addresses, uint64_t deadline_us,
                     struct pst_dial_why *ret_why) PST_MUSTCHECK;
/* Asks the proxy behind `fd` for a tunnel to host:port (CONNECT, RFC 9110 section 9.3.6). 0; -PST_EACCES (it
 * refused; *ret_status says how), -PST_EPROTO, -PST_ETIMEOUT, -PST_ERESET. `fd` stays the caller's. */
int pst_dial_tunnel(int fd, const struct pst_proxy *proxy, const char *host, uint16_t port,
                    uint64_t deadline_us, unsigned *ret_status, struct pst_dial_why *ret_why) PST_MUSTCHECK;
/* All three: to host:port, directly or through the proxy (NULL or an empty host: directly). A descriptor. */
int pst_dial(const char *host, uint16_t port, const struct pst_proxy *proxy, const struct pst_dial_pins *pins,
             uint64_t deadline_us, struct pst_dial_why *ret_why) PST_MUSTCHECK;

#endif
