/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: "Authorization: Bearer <token>". */
#ifndef POSTERN_EXCHANGE_BEARER_H
#define POSTERN_EXCHANGE_BEARER_H

#include "exchange.h"

/* The token in the request's head: may it be used? Fills x->identity.key. */
enum pst_error_id bearer_check(struct exchange *x) PST_MUSTCHECK;

#endif
