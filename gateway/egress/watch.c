/* SPDX-License-Identifier: Apache-2.0 */
/* The metering watch. A container reports its usage every 10 to 15 minutes, tries ten times when it cannot,
 * and then stops serving, without a word: so its silence is worth one. */
#include "internal.h"
#include "policy.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"

#define LOOK_US       1000000
#define MANY_FAILURES 3

void watch_note(struct pst_egress *egress, const char *host, bool success)
{
    if (!egress_is_billing(host))
        return;
    pthread_mutex_lock(&egress->lock);
    if (success) {
        egress->stats.metering_us = pst_clock_real_us();
        egress->stats.failures = 0;
    } else {
        egress->stats.failures++;
    }
    pthread_mutex_unlock(&egress->lock);
}

static bool is_silent(const struct pst_egress *egress, int64_t now_us)
{
    const struct pst_egress_stats *s = &egress->stats;
    int64_t since_us = s->metering_us != 0 ? s->metering_us : egress->started_us;
    uint64_t limit_us = egress->options.silence_us;
    return limit_us > 0 && (s->failures >= MANY_FAILURES || now_us - since_us > (int64_t)limit_us);
}

static void look(void *arg)
{
    struct pst_egress *egress = arg;
    allow_file_look(egress);
    int64_t now_us = pst_clock_real_us();
    char last[PST_TIME_TEXT_SIZE] = "never";
    pthread_mutex_lock(&egress->lock);
    bool was_silent = egress->stats.metering_silent;
    egress->stats.metering_silent = is_silent(egress, now_us);
    struct pst_egress_stats s = egress->stats;
    pthread_mutex_unlock(&egress->lock);
    if (s.metering_us != 0)
        pst_time_format(s.metering_us, last);
    if (s.metering_silent && !was_silent)
        pst_warn("egress",
                 "the container does not reach its billing endpoint (last time: %s, failures since: %u) and "
                 "will stop "
                 "serving; `postern doctor --billing URL` finds the cause",
                 last, s.failures);
    if (!s.metering_silent && was_silent)
        pst_info("egress", "the container reaches its billing endpoint again");
}

int watch_start(struct pst_egress *egress)
{
    return pst_ticker_start(&egress->watch, "egress watch", LOOK_US, look, egress);
}
