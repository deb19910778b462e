/* SPDX-License-Identifier: Apache-2.0 */
/* Links to further pages in the container's JSON, rewritten while the body streams by. */
#ifndef POSTERN_EXCHANGE_LINKS_H
#define POSTERN_EXCHANGE_LINKS_H

#include "filter.h"

extern const struct filter links_filter;

#endif
