/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations as people write them in options. */
#include "postern/base/clock.h"
#include "postern/base/num.h"
#include "postern/cmd/command.h"

#include <string.h>

#define DURATION_MS_MAX (INT64_MAX / 4000)

/* "90d", but not "90": is that days, seconds? Zero is zero in any unit. */
static int parse_duration(const char *text, uint64_t *ret_ms)
{
    struct pst_str s = pst_str_of(text);
    uint64_t ms = 0;
    if (pst_num_duration_ms(s, 1000, &ms) < 0 || ms > DURATION_MS_MAX)
        return -PST_EPARSE;
    bool bare = s.p[s.len - 1] >= '0' && s.p[s.len - 1] <= '9';
    if (bare && ms != 0)
        return -PST_EINVAL;
    *ret_ms = ms;
    return 0;
}

int pst_cmd_take_duration(const struct pst_usage *usage, const char *option, const char *text,
                          uint64_t *ret_ms)
{
    int err = parse_duration(text, ret_ms);
    if (err == -PST_EINVAL)
        return pst_cmd_wrong_usage(usage, "--%s \"%s\" has no unit: use %sd, %sh, %sm or %ss", option, text,
                                   text, text, text, text);
    if (err < 0)
        return pst_cmd_wrong_usage(usage, "--%s \"%s\" is not a valid duration: use 90d, 24h, 30m or 10s",
                                   option, text);
    return -1;
}

int pst_cmd_take_time(const struct pst_usage *usage, const char *option, const char *text,
                      enum pst_cmd_when when, int64_t *ret_us)
{
    uint64_t ms = 0;
    if (text == NULL || pst_time_parse(text, ret_us) == 0)
        return -1;
    int64_t now_us = pst_clock_real_us();
    if (parse_duration(text, &ms) == 0 && ms > 0) {
        int64_t away_us = (int64_t)ms * 1000;
        if (when == PST_CMD_FROM_NOW || away_us < now_us) {
            *ret_us = when == PST_CMD_FROM_NOW ? now_us + away_us : now_us - away_us;
            return -1;
        }
    }
    return pst_cmd_wrong_usage(usage,
                               "--%s \"%s\" is not a valid time: use 2027-01-31 (midnight UTC), "
                               "2027-01-31T12:00:00+01:00 or 7d (%s)",
                               option, text, when == PST_CMD_FROM_NOW ? "7 days from now" : "7 days ago");
}
