/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a request before it is forwarded: a table, one phase after the other. */
#ifndef POSTERN_EXCHANGE_PHASES_H
#define POSTERN_EXCHANGE_PHASES_H

#include "exchange.h"

/* What a phase says. */
enum pst_step {
    PST_NEXT,
    PST_WAIT,    /* the exchange goes on by itself, by events */
    PST_RESPOND, /* it has responded, or `*ret_error` says with what to refuse the request */
};

struct phase {
    const char *name;
    enum pst_step (*run)(struct exchange *x, enum pst_error_id *ret_error);
};

enum pst_step phase_route(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_preflight(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_authenticate(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_authorize(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_job(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_token(struct exchange *x, enum pst_error_id *ret_error);
enum pst_step phase_select(struct exchange *x, enum pst_error_id *ret_error);

/* Runs them for a request that has been read. */
enum pst_step phases_run(struct exchange *x, enum pst_error_id *ret_error) PST_MUSTCHECK;

#endif
