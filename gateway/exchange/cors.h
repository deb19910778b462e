/* SPDX-License-Identifier: Apache-2.0 */
/* Browsers' requests across origins: the fields that responses bear, the container's too. */
#ifndef POSTERN_EXCHANGE_CORS_H
#define POSTERN_EXCHANGE_CORS_H

#include "filter.h"

/* Fills x->response.origin, when the head's fields are there. */
void cors_look(struct exchange *x);
/* Whether it is a preflight, which Postern responds to. */
bool cors_asks(const struct exchange *x);
/* One that is the container's to respond to: browsers send none with a credential. */
bool cors_leaves(const struct exchange *x);

extern const struct filter cors_filter;

#endif
