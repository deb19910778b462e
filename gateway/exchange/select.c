/* SPDX-License-Identifier: Apache-2.0 */
/* The request goes to the container: a stream finds its place among all, the head is written anew, without
 * the credentials. */
#include "attempt.h"
#include "gather.h"
#include "phases.h"
#include "request.h"

/* Counts an upgrade among max_websockets, or says that there are too many, in all or of its key. For upgrades
 * that were let in only: those that are refused must not take the places of others. */
static enum pst_error_id take_place(struct exchange *x)
{
    struct pst_exchanges *all = x->all;
    if (!x->request.upgrade)
        return PST_ERROR_NONE;
    size_t max = all->parts.settings->max_websockets;
    size_t left = all->n_websockets < max ? max - all->n_websockets : 0;
    if (!pst_pool_may_set_apart(all->parts.pool, attempt_owner(x), left))
        return PST_ERROR_TOO_MANY_WEBSOCKETS;
    all->n_websockets++;
    x->upgrade_counted = true;
    return PST_ERROR_NONE;
}

enum pst_step phase_select(struct exchange *x, enum pst_error_id *ret_error)
{
    enum pst_error_id id = request_leave_credentials_out(x);
    if (id == PST_ERROR_NONE)
        id = take_place(x);
    if (id == PST_ERROR_NONE)
        id = gather_wanted(x) ? gather_begin(x) : request_write_head(x);
    if (x->state == EXCHANGE_GATHER)
        return PST_WAIT;
    *ret_error = id;
    return id == PST_ERROR_NONE ? PST_NEXT : PST_RESPOND;
}
