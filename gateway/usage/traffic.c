/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/traffic.h"

const uint64_t pst_traffic_bounds_us[PST_TRAFFIC_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000,
};

/* There is one writer: no locked instruction is needed. */
static void add(atomic_ullong *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static size_t bucket_of(uint64_t duration_us)
{
    size_t i = 0;
    while (i < PST_TRAFFIC_BOUNDS && duration_us > pst_traffic_bounds_us[i])
        i++;
    return i;
}

void pst_traffic_note(struct pst_traffic *traffic, const struct pst_usage_record *record)
{
    unsigned class = record->status / 100;
    add(&traffic->bytes_in, record->bytes_in);
    add(&traffic->bytes_out, record->bytes_out);
    if ((record->flags & PST_USAGE_GOES_ON) != 0)
        return;
    add(&traffic->answers[class < PST_TRAFFIC_CLASSES ? class : 0], 1);
    if ((record->flags & PST_USAGE_STREAM) != 0)
        return;
    add(&traffic->durations[bucket_of(record->duration_us)], 1);
    add(&traffic->duration_us, record->duration_us);
}

static uint64_t get(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void pst_traffic_add(const struct pst_traffic *traffic, struct pst_traffic_sums *sums)
{
    for (size_t i = 0; i < PST_TRAFFIC_CLASSES; i++)
        sums->answers[i] += get(&traffic->answers[i]);
    for (size_t i = 0; i <= PST_TRAFFIC_BOUNDS; i++)
        sums->durations[i] += get(&traffic->durations[i]);
    sums->duration_us += get(&traffic->duration_us);
    sums->bytes_in += get(&traffic->bytes_in);
    sums->bytes_out += get(&traffic->bytes_out);
}
