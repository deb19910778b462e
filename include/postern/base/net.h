/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and networks in text and in bytes. Inside, an address is 16 bytes, IPv4 as ::ffff:a.b.c.d, so
 * that one comparison serves both. Pure functions but for the last, any thread. */
#ifndef POSTERN_BASE_NET_H
#define POSTERN_BASE_NET_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct pst_addr {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* A network; `bits` count from the front of the 16 bytes (an IPv4 /8 has 104). */
struct pst_cidr {
    uint8_t addr[16];
    uint8_t bits;
};

/* "10.0.0.0/8", "fd00::/8", or a single address. -PST_EPARSE; -PST_EINVAL when bits beyond the prefix are
 * set ("10.0.0.1/8"), which is a mistake more often than not. */
int pst_cidr_parse(struct pst_str text, struct pst_cidr *ret_cidr) PST_MUSTCHECK;
bool pst_cidr_contains(const struct pst_cidr *cidr, const uint8_t addr[static 16]);

/* "127.0.0.1:8443", "[::1]:8443", ":8443" (any IPv4 address): literal addresses only. -PST_EPARSE. */
int pst_addr_parse(struct pst_str text, struct pst_addr *ret_addr) PST_MUSTCHECK;
/* "127.0.0.1:8443", "[::1]:8443"; terminated, cut when `size` is too small (PST_ADDR_TEXT_SIZE is enough). */
#define PST_ADDR_TEXT_SIZE 64
void pst_addr_format(const struct sockaddr *sa, char *text, size_t size);
/* The address alone, IPv6 without brackets. */
void pst_addr_format_host(const struct sockaddr *sa, char *text, size_t size);
/* The same of an address as pst_addr_to_v6() makes it; ::ffff:a.b.c.d is a.b.c.d. */
void pst_addr_format_v6(const uint8_t addr[static 16], char *text, size_t size);
/* The 16 bytes and the port; all zero for other families. */
void pst_addr_to_v6(const struct sockaddr *sa, uint8_t addr[static 16], uint16_t *ret_port);

/* Whether a server could listen there now: 0, or the errno of what does not work (EADDRINUSE, EADDRNOTAVAIL,
 * EACCES, EAFNOSUPPORT). Nothing is left bound. */
int pst_addr_bind_error(const struct pst_addr *addr) PST_MUSTCHECK;

#endif
