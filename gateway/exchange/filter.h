/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: what is changed in responses on their way to the client, in a static chain (filters.c). Each is a
 * file of its own. They see every response, the container's and Postern's own, refusals too; an upgrade's 101
 * and what follows it they do not see. All on the worker's thread. */
#ifndef POSTERN_EXCHANGE_FILTER_H
#define POSTERN_EXCHANGE_FILTER_H

#include "exchange.h"

/* Fields that filters may add, all together. */
#define FILTER_FIELDS_MAX 16

struct filter {
    const char *name;
    /* A head that is about to be sent; `theirs`: the container's, NULL for Postern's own. May change, drop
     * and add fields (filter_add), and the declared length: whoever changes a body's length drops
     * Content-Length and says PST_RESPONSE_OPEN. What it allocates is of the exchange's arena. */
    void (*response_head)(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response);
    /* A piece of the body of a response of the container's that it asked for in its head
     * (x->response.filter), or the end (an empty piece): appends to `out` what goes on. 0 or -PST_ENOMEM.
     * NULL: has none. */
    int (*response_body)(struct exchange *x, struct pst_str piece, struct pst_buf *out);
};

/* Adds a field; one beyond FILTER_FIELDS_MAX is left out. */
static inline void filter_add(struct pst_response *response, struct pst_str name, struct pst_str value)
{
    (void)!pst_fields_add(&response->fields, name, value);
}

/* Runs the chain over a head, whose fields have room for FILTER_FIELDS_MAX more. */
void filters_head(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response);

#endif
