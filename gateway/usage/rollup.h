/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of one batch, in memory: requests that agree in hour, key, secret, route, method, status, error
 * and endpoint become one group, written once. The keeper's thread. */
#ifndef POSTERN_USAGE_ROLLUP_H
#define POSTERN_USAGE_ROLLUP_H

#include "postern/db/usage_store.h"
#include "postern/usage/record.h"

#include <stdbool.h>

/* Places: more than a batch has records, so the table never fills. */
#define ROLLUP_PLACES 8192

struct rollup {
    struct pst_usage_sum at[ROLLUP_PLACES];
    bool taken[ROLLUP_PLACES];
    uint16_t used[ROLLUP_PLACES]; /* the places in use, in the order they were taken */
    size_t n;
};

void rollup_clear(struct rollup *rollup);
/* usage.db's numbers of what a record names. */
struct numbers {
    int64_t key, route, error, endpoint, rule;
};
void rollup_add(struct rollup *rollup, const struct pst_usage_record *record, const struct numbers *numbers);
/* Writes every group. */
int rollup_write(const struct rollup *rollup, struct pst_usage_store *store) PST_MUSTCHECK;

#endif
