/* SPDX-License-Identifier: Apache-2.0 */
/* From what the workers noted to lines of the log. */
#include "postern/upstream/reach.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void PST_PRINTF(3, 4) say(struct pst_reach_line *ret, enum pst_log_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    ret->level = level;
    vsnprintf(ret->text, sizeof(ret->text), fmt, args);
    va_end(args);
}

static bool cannot_connect(enum pst_error_id error)
{
    return error == PST_ERROR_UPSTREAM_REFUSED || error == PST_ERROR_UPSTREAM_UNRESOLVED ||
           error == PST_ERROR_UPSTREAM_CONNECT_TIMEOUT;
}

static void say_down(const struct pst_reach_sum *sum, const char *where, struct pst_reach_line *ret)
{
    say(ret, PST_LOG_WARNING, "the container at %s %s: %s; clients get %u", where,
        cannot_connect(sum->error) ? "is unreachable" : "fails", pst_reach_reason(sum->error),
        pst_error_def(sum->error)->status);
}

/* `failed`: requests that no line has told of. */
static void say_up(const struct pst_reach_watch *watch, const struct pst_reach_sum *sum, uint64_t failed,
                   const char *where, struct pst_reach_line *ret)
{
    int64_t down_us = sum->answered_us - watch->down_since_us;
    if (watch->state == PST_REACH_DOWN)
        say(ret, PST_LOG_INFO,
            "the container at %s responds again after %" PRId64 " s; requests failed: %" PRIu64, where,
            down_us > 0 ? down_us / 1000000 : 0, failed);
    else if (failed > 0)
        say(ret, PST_LOG_WARNING,
            "the container at %s responds again; requests failed: %" PRIu64 ", the last: %s", where, failed,
            pst_reach_reason(sum->error));
    else
        say(ret, PST_LOG_INFO, "the container at %s responds", where);
}

static void say_held(const struct pst_reach_watch *watch, const struct pst_reach_sum *sum, uint64_t failed,
                     const char *where, struct pst_reach_line *ret)
{
    bool down = sum->state == PST_REACH_DOWN;
    say(ret, PST_LOG_WARNING,
        "the container at %s: %u more changes in the last minute, requests failed: %" PRIu64 "; now it %s%s",
        where, watch->held, failed, down ? "fails: " : "responds", down ? pst_reach_reason(sum->error) : "");
}

static void take_in(struct pst_reach_watch *watch, const struct pst_reach_sum *sum)
{
    if (sum->state == PST_REACH_DOWN && watch->state != PST_REACH_DOWN)
        watch->down_since_us = sum->down_since_us;
    watch->state = sum->state;
}

bool pst_reach_look(struct pst_reach_watch *watch, const struct pst_reach_sum *sum, const char *where,
                    uint64_t mono_us, struct pst_reach_line *ret)
{
    bool over = mono_us - watch->window_us >= PST_REACH_WINDOW_US;
    uint64_t failed = sum->failed - watch->failed;
    bool changed = sum->state != watch->state || (sum->state == PST_REACH_UP && failed > 0);
    bool held = watch->held > 0 && over;
    if (!changed && !held)
        return false;
    if (over) {
        watch->window_us = mono_us;
        watch->lines = 0;
    }
    if (!held && watch->lines >= PST_REACH_LINES) {
        watch->held += sum->state != watch->state;
        take_in(watch, sum);
        return false;
    }
    watch->lines++;
    if (held)
        say_held(watch, sum, failed, where, ret);
    else if (sum->state == PST_REACH_DOWN)
        say_down(sum, where, ret);
    else
        say_up(watch, sum, failed, where, ret);
    /* Those of an outage are told when it is over. */
    if (held || sum->state == PST_REACH_UP)
        watch->failed = sum->failed;
    watch->held = 0;
    take_in(watch, sum);
    return true;
}

bool pst_reach_take_fault(struct pst_reach_watch *watch, struct pst_reach *reach, uint64_t mono_us,
                          struct pst_reach_line *ret)
{
    bool waits = atomic_load_explicit(&reach->fault_waits, memory_order_acquire);
    bool over = mono_us - watch->fault_window_us >= PST_REACH_WINDOW_US;
    if (!waits)
        return false;
    if (over) {
        watch->fault_window_us = mono_us;
        watch->fault_lines = 0;
    }
    bool told = watch->fault_lines < PST_REACH_LINES;
    if (told) {
        uint64_t all = atomic_load_explicit(&reach->malformed, memory_order_relaxed);
        uint64_t more = all - reach->malformed_told - 1;
        say(ret, PST_LOG_WARNING, "%s", reach->fault);
        if (more > 0)
            say(ret, PST_LOG_WARNING, "%s (others not logged since the last line: %" PRIu64 ")", reach->fault,
                more);
        reach->malformed_told = all;
        watch->fault_lines++;
    }
    atomic_store_explicit(&reach->fault_waits, false, memory_order_release);
    return told;
}
