/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of the container's that clients cannot reach are rewritten. */
#ifndef POSTERN_EXCHANGE_REWRITE_H
#define POSTERN_EXCHANGE_REWRITE_H

#include "filter.h"

/* A URL as the client gets it: itself, or in the exchange's arena, or empty when it could not be made. */
struct pst_str rewrite_url(struct exchange *x, struct pst_str url);

extern const struct filter rewrite_filter;

#endif
