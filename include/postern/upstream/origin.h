/* SPDX-License-Identifier: Apache-2.0 */
/* Where the container is: the setting `upstream`, parsed, and its resolved addresses.
 *
 * A pst_origin is an immutable snapshot with a reference count. It is made off the workers (resolving may
 * block), posted to each worker's loop and handed to its pool. Any thread may hold and drop references. */
#ifndef POSTERN_UPSTREAM_ORIGIN_H
#define POSTERN_UPSTREAM_ORIGIN_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PST_ORIGIN_HOST_SIZE      256
#define PST_ORIGIN_AUTHORITY_SIZE (PST_ORIGIN_HOST_SIZE + 8)
#define PST_ORIGIN_UNIX_SIZE      108 /* sun_path */
#define PST_ORIGIN_ADDRESSES_MAX  16

struct pst_upstream {
    bool is_unix;
    char host[PST_ORIGIN_HOST_SIZE]; /* a name or an address, IPv6 without brackets; empty for unix */
    uint16_t port;
    char path[PST_ORIGIN_UNIX_SIZE];           /* the socket's path for unix, else empty */
    char authority[PST_ORIGIN_AUTHORITY_SIZE]; /* what Host says: host[:port], "localhost" for unix */
};

/* "http://host[:port][/]" (port 80 when not given, IPv6 in brackets) or "unix:/absolute/path".
 * 0, or -PST_EPARSE; *ret_reason then says what is wrong, static text, for the settings check. */
int pst_upstream_parse(struct pst_str text, struct pst_upstream *ret_upstream,
                       const char **ret_reason) PST_MUSTCHECK;

struct pst_origin;

/* Resolves with getaddrinfo(3), blocking: not on a worker. The result has one reference, the caller's.
 * 0, -PST_ENOENT (no such name, or no address), -PST_EAGAIN (the resolver did not answer), -PST_ENOMEM. */
int pst_origin_resolve(const struct pst_upstream *upstream, struct pst_origin **ret_origin) PST_MUSTCHECK;
/* From `n` addresses known already, 1 to PST_ORIGIN_ADDRESSES_MAX of IPv4, IPv6 or unix. 0, -PST_EINVAL,
 * -PST_ENOMEM. */
int pst_origin_new(struct pst_str authority, const struct sockaddr *const *addresses,
                   const socklen_t *lengths, size_t n, struct pst_origin **ret_origin) PST_MUSTCHECK;
struct pst_origin *pst_origin_ref(struct pst_origin *origin);
/* NULL is fine. */
void pst_origin_unref(struct pst_origin *origin);

/* Whether both have the same addresses in the same order, so that a pool need not be told. NULL equals NULL.
 */
bool pst_origin_same(const struct pst_origin *a, const struct pst_origin *b);
/* Lives as long as the origin. */
struct pst_str pst_origin_authority(const struct pst_origin *origin);
size_t pst_origin_n_addresses(const struct pst_origin *origin);
const struct sockaddr *pst_origin_address(const struct pst_origin *origin, size_t index, socklen_t *ret_len);
/* "127.0.0.1:5000", "[::1]:5000", "unix:/path": for logs. Returns the length. */
#define PST_ORIGIN_TEXT_SIZE 128
size_t pst_origin_address_text(const struct pst_origin *origin, size_t index,
                               char text[static PST_ORIGIN_TEXT_SIZE]);

#endif
