/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/upstream/reach.h"

#include <inttypes.h>
#include <stdio.h>

/* Both of a worker's last times are read one after the other, so a sum can be a turn older than the next. */
static int64_t time_of(const atomic_llong *time)
{
    return atomic_load_explicit(time, memory_order_relaxed);
}

static uint64_t number_of(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* One writer: no read-modify-write is needed. */
static void add_one(atomic_ullong *number)
{
    atomic_store_explicit(number, number_of(number) + 1, memory_order_relaxed);
}

void pst_reach_failed(struct pst_reach *reach, int64_t now_us, enum pst_error_id error)
{
    if (number_of(&reach->failed_in_row) == 0)
        atomic_store_explicit(&reach->down_since_us, now_us, memory_order_relaxed);
    add_one(&reach->failed_in_row);
    add_one(&reach->failed);
    atomic_store_explicit(&reach->error, (unsigned)error, memory_order_relaxed);
    atomic_store_explicit(&reach->failed_us, now_us, memory_order_relaxed);
}

void pst_reach_malformed(struct pst_reach *reach, const char *request_id, const char *fault, uint64_t at)
{
    add_one(&reach->malformed);
    if (atomic_load_explicit(&reach->fault_waits, memory_order_acquire))
        return; /* it is counted */
    int len = snprintf(reach->fault, sizeof(reach->fault),
                       "request %s: invalid response from the container: %s", request_id, fault);
    if (at > 0 && len > 0 && (size_t)len < sizeof(reach->fault))
        snprintf(reach->fault + len, sizeof(reach->fault) - (size_t)len, ", at byte %" PRIu64, at);
    atomic_store_explicit(&reach->fault_waits, true, memory_order_release);
}

void pst_reach_status_body(struct pst_reach *reach, int64_t now_us, struct pst_str body)
{
    size_t n;
    const struct pst_api_status *found = pst_api_status_in(body), *all = pst_api_statuses(&n);
    if (found == NULL)
        return;
    uint64_t place = (uint64_t)(found - all) + 1;
    atomic_store_explicit(&reach->api, (uint64_t)now_us << 4 | place, memory_order_relaxed);
}

static void add_api(const struct pst_reach *reach, struct pst_reach_sum *sum)
{
    size_t n;
    const struct pst_api_status *all = pst_api_statuses(&n);
    uint64_t api = number_of(&reach->api);
    int64_t when_us = (int64_t)(api >> 4);
    if ((api & 15) == 0 || when_us < sum->api_us)
        return;
    sum->api_us = when_us;
    sum->api = &all[(api & 15) - 1];
}

void pst_reach_add(const struct pst_reach *reach, struct pst_reach_sum *sum)
{
    int64_t asked_us = time_of(&reach->asked_us), answered_us = time_of(&reach->answered_us),
            failed_us = time_of(&reach->failed_us);
    sum->asked_us = asked_us > sum->asked_us ? asked_us : sum->asked_us;
    sum->answered_us = answered_us > sum->answered_us ? answered_us : sum->answered_us;
    if (failed_us > sum->failed_us) {
        sum->failed_us = failed_us;
        sum->error = (enum pst_error_id)atomic_load_explicit(&reach->error, memory_order_relaxed);
    }
    sum->failed += number_of(&reach->failed);
    add_api(reach, sum);
}

/* One worker's failures in a row may lie before another's response. */
static void add_outage(const struct pst_reach *reach, struct pst_reach_sum *sum)
{
    int64_t since_us = time_of(&reach->down_since_us);
    uint64_t in_row = number_of(&reach->failed_in_row);
    if (in_row == 0 || time_of(&reach->failed_us) <= sum->answered_us)
        return;
    since_us = since_us > sum->answered_us ? since_us : sum->answered_us;
    if (sum->down_since_us == 0 || since_us < sum->down_since_us)
        sum->down_since_us = since_us;
    sum->failed_since += in_row;
}

void pst_reach_judge(const struct pst_reach *const *each, size_t n, struct pst_reach_sum *sum)
{
    /* One that could not be connected to was asked, too. */
    sum->asked_us = sum->failed_us > sum->asked_us ? sum->failed_us : sum->asked_us;
    sum->state = PST_REACH_UP;
    if (sum->answered_us == 0 && sum->failed_us == 0)
        sum->state = PST_REACH_UNKNOWN;
    else if (sum->failed_us > sum->answered_us)
        sum->state = PST_REACH_DOWN;
    for (size_t i = 0; sum->state == PST_REACH_DOWN && i < n; i++)
        add_outage(each[i], sum);
}

const char *pst_reach_reason(enum pst_error_id error)
{
    switch (error) {
    case PST_ERROR_UPSTREAM_REFUSED:
        return "it does not accept connections";
    case PST_ERROR_UPSTREAM_UNRESOLVED:
        return "its name has no address";
    case PST_ERROR_UPSTREAM_CONNECT_TIMEOUT:
        return "connecting takes longer than upstream_connect_timeout";
    case PST_ERROR_UPSTREAM_RESET:
        return "it closed the connection before its response was complete";
    case PST_ERROR_UPSTREAM_RUBBISH:
        return "it sent an invalid response";
    case PST_ERROR_UPSTREAM_TIMEOUT:
        return "it did not respond in time";
    default:
        return "an internal error";
    }
}
