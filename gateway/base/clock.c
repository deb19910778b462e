/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/clock.h"

#include "postern/base/num.h"
#include "postern/base/str.h"

#include <stdio.h>
#include <time.h>

uint64_t pst_clock_mono_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int64_t pst_clock_real_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void pst_time_format(int64_t real_us, char text[static PST_TIME_TEXT_SIZE])
{
    int64_t sec = real_us / 1000000;
    int64_t us = real_us % 1000000;
    if (us < 0) {
        us += 1000000;
        sec--;
    }
    time_t t = (time_t)sec;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year > 8099 || tm.tm_year < -1900) {
        pst_str_clip(PST_STR("out-of-range"), text, PST_TIME_TEXT_SIZE);
        return;
    }
    /* strftime's %Y would leave out a year's leading zeros. */
    snprintf(text, PST_TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us / 1000));
}

/* Takes `digits` digits off the front. */
static int take_digits(struct pst_str *s, size_t digits, int *ret_value)
{
    if (s->len < digits)
        return -PST_EPARSE;
    uint64_t value = 0;
    int err = pst_num_u64((struct pst_str){s->p, digits}, &value);
    if (err < 0)
        return -PST_EPARSE;
    *s = pst_str_skip(*s, digits);
    *ret_value = (int)value;
    return 0;
}

static int take_char(struct pst_str *s, char c)
{
    if (s->len == 0 || pst_ascii_lower(s->p[0]) != pst_ascii_lower(c))
        return -PST_EPARSE;
    *s = pst_str_skip(*s, 1);
    return 0;
}

static int take_date(struct pst_str *s, struct tm *tm)
{
    int year = 0, month = 0, day = 0;
    if (take_digits(s, 4, &year) < 0 || take_char(s, '-') < 0 || take_digits(s, 2, &month) < 0 ||
        take_char(s, '-') < 0 || take_digits(s, 2, &day) < 0)
        return -PST_EPARSE;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return 0;
}

/* Decimals of a second, as microseconds; further digits are dropped. */
static int take_fraction(struct pst_str *s, int64_t *ret_us)
{
    int64_t us = 0, unit = 100000;
    size_t digits = 0;
    for (; s->len > 0 && s->p[0] >= '0' && s->p[0] <= '9'; digits++, unit /= 10) {
        us += (s->p[0] - '0') * unit;
        *s = pst_str_skip(*s, 1);
    }
    if (digits == 0 || digits > 9)
        return -PST_EPARSE;
    *ret_us = us;
    return 0;
}

static int take_offset(struct pst_str *s, int64_t *ret_seconds)
{
    if (take_char(s, 'Z') == 0) {
        *ret_seconds = 0;
        return 0;
    }
    int sign = s->len > 0 && s->p[0] == '-' ? -1 : 1;
    int hours = 0, minutes = 0;
    if ((take_char(s, '+') < 0 && take_char(s, '-') < 0) || take_digits(s, 2, &hours) < 0 ||
        take_char(s, ':') < 0 || take_digits(s, 2, &minutes) < 0 || hours > 23 || minutes > 59)
        return -PST_EPARSE;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return 0;
}

static int take_time(struct pst_str *s, struct tm *tm, int64_t *us, int64_t *offset)
{
    if ((take_char(s, 'T') < 0 && take_char(s, ' ') < 0) || take_digits(s, 2, &tm->tm_hour) < 0 ||
        take_char(s, ':') < 0 || take_digits(s, 2, &tm->tm_min) < 0 || take_char(s, ':') < 0 ||
        take_digits(s, 2, &tm->tm_sec) < 0)
        return -PST_EPARSE;
    if (take_char(s, '.') == 0 && take_fraction(s, us) < 0)
        return -PST_EPARSE;
    return take_offset(s, offset);
}

/* Seconds since 1970 of the first moments of these years. */
#define YEAR_0     INT64_C(-62167219200)
#define YEAR_10000 INT64_C(253402300800)

/* RFC 3339 section 5.6. */
int pst_time_parse(const char *text, int64_t *ret_real_us)
{
    struct pst_str s = pst_str_of(text);
    struct tm tm = {0};
    int64_t us = 0, offset = 0;
    if (take_date(&s, &tm) < 0)
        return -PST_EPARSE;
    if (s.len > 0 && take_time(&s, &tm, &us, &offset) < 0)
        return -PST_EPARSE;
    if (s.len > 0)
        return -PST_EPARSE;
    struct tm given = tm;
    time_t sec = timegm(&tm); /* normalises: 31 February becomes a day of March, seen below */
    if (tm.tm_mday != given.tm_mday || tm.tm_mon != given.tm_mon || tm.tm_hour != given.tm_hour ||
        tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
        return -PST_EPARSE;
    sec -= offset;
    if (sec < YEAR_0 || sec >= YEAR_10000)
        return -PST_EPARSE; /* it could not be written down again */
    *ret_real_us = (int64_t)sec * 1000000 + us;
    return 0;
}
