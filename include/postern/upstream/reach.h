/* SPDX-License-Identifier: Apache-2.0 */
/* What the traffic tells of the container, since nothing asks it of its own accord: when it was asked last,
 * when it responded, when and why it did not. One record per worker, written by the worker's thread with
 * relaxed stores and read by anyone; the storage thread makes log lines of it (pst_reach_look()). */
#ifndef POSTERN_UPSTREAM_REACH_H
#define POSTERN_UPSTREAM_REACH_H

#include "postern/base/err.h"
#include "postern/base/log.h"
#include "postern/http/error.h"
#include "postern/upstream/api_status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_REACH_FAULT_SIZE 224

struct pst_reach {
    atomic_llong asked_us, answered_us, failed_us; /* the last time each, real time; 0: never */
    atomic_llong down_since_us;                    /* the first failure since a response */
    atomic_ullong failed;                          /* requests without a whole response, since the start */
    atomic_ullong failed_in_row;                   /* since the last response */
    atomic_uint error;                             /* enum pst_error_id of the last failure */
    atomic_ullong api;                             /* time << 4 | place in pst_api_statuses() + 1 */

    /* One malformed response at a time waits for the log; the worker writes while it is empty. */
    atomic_ullong malformed; /* since the start */
    atomic_bool fault_waits;
    char fault[PST_REACH_FAULT_SIZE];
    uint64_t malformed_told; /* the reader's */
};

/* The worker's thread; real time. */
static inline void pst_reach_asked(struct pst_reach *reach, int64_t now_us)
{
    atomic_store_explicit(&reach->asked_us, now_us, memory_order_relaxed);
}
static inline void pst_reach_answered(struct pst_reach *reach, int64_t now_us)
{
    atomic_store_explicit(&reach->answered_us, now_us, memory_order_relaxed);
    if (atomic_load_explicit(&reach->failed_in_row, memory_order_relaxed) != 0)
        atomic_store_explicit(&reach->failed_in_row, 0, memory_order_relaxed);
}
void pst_reach_failed(struct pst_reach *reach, int64_t now_us, enum pst_error_id error);
/* A response that breaks the rules of HTTP: what broke them, at which byte of it (0: nowhere in particular).
 * `fault` is a text of ours, never the container's bytes. */
void pst_reach_malformed(struct pst_reach *reach, const char *request_id, const char *fault, uint64_t at);
/* The body of a response to GET /status with status 200. */
void pst_reach_status_body(struct pst_reach *reach, int64_t now_us, struct pst_str body);

enum pst_reach_state { PST_REACH_UNKNOWN, PST_REACH_UP, PST_REACH_DOWN };

/* Over all workers; any thread. Start with zeroes, add each, then judge. */
struct pst_reach_sum {
    int64_t asked_us, answered_us, failed_us;
    uint64_t failed;
    enum pst_error_id error;
    const struct pst_api_status *api; /* NULL: not seen */
    int64_t api_us;
    /* After pst_reach_judge(): */
    enum pst_reach_state state; /* by the last request that ended: nobody knows more */
    int64_t down_since_us;      /* DOWN: since when, and how many failed since */
    uint64_t failed_since;
};
void pst_reach_add(const struct pst_reach *reach, struct pst_reach_sum *sum);
void pst_reach_judge(const struct pst_reach *const *each, size_t n, struct pst_reach_sum *sum);
/* What is the matter, for people: "it refuses connections". Static. */
const char *pst_reach_reason(enum pst_error_id error);

/* Log lines: one for each change, at most PST_REACH_LINES a minute; what is held back is summed up at the
 * end of the minute. One thread. */
#define PST_REACH_LINES     6
#define PST_REACH_WINDOW_US 60000000
#define PST_REACH_LINE_SIZE 512

struct pst_reach_watch {
    enum pst_reach_state state;
    uint64_t failed; /* those that were accounted for in the log */
    int64_t down_since_us;
    uint64_t window_us; /* monotonic: when the minute began */
    unsigned lines, held;
    uint64_t fault_window_us;
    unsigned fault_lines;
};
struct pst_reach_line {
    enum pst_log_level level;
    char text[PST_REACH_LINE_SIZE];
};
/* True with a line to log. `where`: the container's address. */
bool pst_reach_look(struct pst_reach_watch *watch, const struct pst_reach_sum *sum, const char *where,
                    uint64_t mono_us, struct pst_reach_line *ret) PST_MUSTCHECK;
/* The same for the malformed response that waits, if one does; call it for each worker. */
bool pst_reach_take_fault(struct pst_reach_watch *watch, struct pst_reach *reach, uint64_t mono_us,
                          struct pst_reach_line *ret) PST_MUSTCHECK;

#endif
