/* SPDX-License-Identifier: Apache-2.0 */
#include "losses.h"

#include "postern/base/clock.h"
#include "postern/base/log.h"

#include <inttypes.h>
#include <stdbool.h>

/* A spell is over when nothing was lost for this long: a ring that is full at times is one spell, not many.
 */
#define OVER_US  UINT64_C(5000000)
#define AGAIN_US UINT64_C(60000000)

static void begin(struct losses *losses, uint64_t now_us)
{
    losses->begin_us = pst_clock_real_us();
    losses->said_us = now_us;
    losses->said = losses->n;
    pst_warn("usage",
             "the journal is full: requests are served but not counted, %" PRIu64
             " so far. usage.db is not written fast enough, or cannot be written; a larger "
             "usage_journal_records holds more",
             losses->n);
}

static void go_on(struct losses *losses, uint64_t now_us)
{
    if (now_us - losses->said_us < AGAIN_US || losses->n == losses->said)
        return;
    losses->said_us = now_us;
    losses->said = losses->n;
    pst_warn("usage", "the journal is still full: %" PRIu64 " requests were not counted so far", losses->n);
}

void losses_end(struct losses *losses)
{
    char from[PST_TIME_TEXT_SIZE];
    if (losses->n == 0)
        return;
    pst_time_format(losses->begin_us, from);
    pst_warn("usage", "%" PRIu64 " requests were served but not counted since %s; requests are counted again",
             losses->n, from);
    *losses = (struct losses){0};
}

void losses_note(struct losses *losses, uint64_t more, uint64_t now_us)
{
    if (more > 0) {
        bool first = losses->n == 0;
        losses->n += more;
        losses->last_us = now_us;
        if (first)
            begin(losses, now_us);
        else
            go_on(losses, now_us);
    } else if (losses->n > 0 && now_us - losses->last_us >= OVER_US) {
        losses_end(losses);
    }
}
