/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup.h"

#define HOUR_US (INT64_C(3600) * 1000000)

void rollup_clear(struct rollup *rollup)
{
    for (size_t i = 0; i < rollup->n; i++)
        rollup->taken[rollup->used[i]] = false;
    rollup->n = 0;
}

static bool same_group(const struct pst_usage_sum *a, const struct pst_usage_sum *b)
{
    return a->hour == b->hour && a->key == b->key && a->route == b->route && a->method == b->method &&
           a->status == b->status && a->slot == b->slot && a->error == b->error && a->endpoint == b->endpoint;
}

static struct pst_usage_sum *group_of(struct rollup *rollup, const struct pst_usage_sum *wanted)
{
    uint64_t hash = (uint64_t)wanted->hour * 31 + (uint64_t)wanted->key;
    hash = hash * 2049 + (uint64_t)wanted->route;
    hash = hash * 1031 + wanted->status * 64 + wanted->method * 4 + wanted->slot;
    hash = hash * 127 + (uint64_t)wanted->error * 31 + (uint64_t)wanted->endpoint;
    size_t i = (hash * UINT64_C(0x9E3779B97F4A7C15) >> 40) % ROLLUP_PLACES;
    while (rollup->taken[i] && !same_group(&rollup->at[i], wanted))
        i = (i + 1) % ROLLUP_PLACES;
    if (!rollup->taken[i]) {
        rollup->taken[i] = true;
        rollup->at[i] = *wanted;
        rollup->used[rollup->n++] = (uint16_t)i;
    }
    return &rollup->at[i];
}

void rollup_add(struct rollup *rollup, const struct pst_usage_record *record, const struct numbers *numbers)
{
    const struct pst_usage_sum wanted = {
        .hour = record->time_us / HOUR_US,
        .key = numbers->key,
        .route = numbers->route,
        .method = record->method,
        .status = record->status,
        .slot = record->secret_slot,
        .error = numbers->error,
        .endpoint = numbers->endpoint,
    };
    struct pst_usage_sum *sum = group_of(rollup, &wanted);
    sum->requests += (record->flags & PST_USAGE_GOES_ON) == 0;
    sum->bytes_in += record->bytes_in;
    sum->bytes_out += record->bytes_out;
    sum->duration_us += record->duration_us;
    sum->ttfb_us += record->ttfb_us;
    if (record->duration_us > sum->duration_max_us)
        sum->duration_max_us = record->duration_us;
}

int rollup_write(const struct rollup *rollup, struct pst_usage_store *store)
{
    for (size_t i = 0; i < rollup->n; i++) {
        int err = pst_usage_store_add_sum(store, &rollup->at[rollup->used[i]]);
        if (err < 0)
            return err;
    }
    return 0;
}
