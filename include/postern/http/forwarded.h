/* SPDX-License-Identifier: Apache-2.0 */
/* Who the client is when proxies stand before Postern. What X-Forwarded-For and Forwarded (RFC 7239) say is
 * believed only as far as trusted proxies said it: from the right, hop by hop, until the first address that
 * is not one of theirs. Pure functions, any thread. */
#ifndef POSTERN_HTTP_FORWARDED_H
#define POSTERN_HTTP_FORWARDED_H

#include "postern/base/net.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hops that are looked at, from the right; what is left of them is no one's word we need. */
#define PST_FORWARDED_HOPS_MAX 32

bool pst_forwarded_is_trusted(const struct pst_cidr *trusted, size_t n_trusted,
                              const uint8_t addr[static 16]);

/* The client's address: the peer's own, unless the peer is trusted; then X-Forwarded-For decides, or
 * Forwarded when there is none. An element that is no address ("unknown", "_hidden") ends the walk at the hop
 * that sent it. Returns whether the peer itself is trusted (pst_request_head.peer_trusted). */
bool pst_forwarded_client(const struct pst_fields *fields, const uint8_t peer[static 16],
                          const struct pst_cidr *trusted, size_t n_trusted, uint8_t ret_client[static 16]);

#endif
