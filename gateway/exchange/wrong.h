/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong credentials are counted: tried, repeats of one call once. */
#ifndef POSTERN_EXCHANGE_WRONG_H
#define POSTERN_EXCHANGE_WRONG_H

#include "phases.h"

/* A phase's refusal: counts it when it means that a credential is wrong. PST_NEXT for PST_ERROR_NONE. */
enum pst_step wrong_or_next(const struct exchange *x, enum pst_error_id id, enum pst_error_id *ret_error);
/* What a client is told of a key. */
enum pst_error_id wrong_of_verdict(enum pst_key_verdict verdict);

#endif
