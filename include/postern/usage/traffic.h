/* SPDX-License-Identifier: Apache-2.0 */
/* What went through since the start, for metrics: answers by class, bytes, and how long requests took. One
 * worker writes, anybody reads; numbers that only grow. Durations are counted in buckets, as Prometheus'
 * histograms are. */
#ifndef POSTERN_USAGE_TRAFFIC_H
#define POSTERN_USAGE_TRAFFIC_H

#include "postern/usage/journal.h"

#include <stdatomic.h>
#include <stdint.h>

#define PST_TRAFFIC_CLASSES 6 /* 1xx to 5xx by their digit; 0: the client left before an answer */
#define PST_TRAFFIC_BOUNDS  14

/* Upper bounds in microseconds; what takes longer is in the bucket behind the last. */
extern const uint64_t pst_traffic_bounds_us[PST_TRAFFIC_BOUNDS];

struct pst_traffic {
    atomic_ullong answers[PST_TRAFFIC_CLASSES];
    atomic_ullong durations[PST_TRAFFIC_BOUNDS + 1]; /* WebSocket streams are not among them */
    atomic_ullong duration_us;
    atomic_ullong bytes_in, bytes_out;
};

struct pst_traffic_sums {
    uint64_t answers[PST_TRAFFIC_CLASSES];
    uint64_t durations[PST_TRAFFIC_BOUNDS + 1];
    uint64_t duration_us;
    uint64_t bytes_in, bytes_out;
};

/* What the journal gets, too. The worker's own thread. */
void pst_traffic_note(struct pst_traffic *traffic, const struct pst_usage_record *record);
/* Adds a worker's numbers; any thread. */
void pst_traffic_add(const struct pst_traffic *traffic, struct pst_traffic_sums *sums);

#endif
