/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Monotonic microseconds measure durations, real microseconds (since 1970, UTC) say when.
 * Any thread. */
#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include "postern/base/err.h"

#include <stddef.h>
#include <stdint.h>

uint64_t pst_clock_mono_us(void);
int64_t pst_clock_real_us(void);

#define PST_TIME_TEXT_SIZE 32

/* RFC 3339 in UTC with milliseconds, "2026-11-23T16:04:53.123Z". */
void pst_time_format(int64_t real_us, char text[static PST_TIME_TEXT_SIZE]);
/* RFC 3339 with any offset and 0 to 9 decimals, or a date alone (midnight UTC).
 * 0, or -PST_EPARSE. */
int pst_time_parse(const char *text, int64_t *ret_real_us) PST_MUSTCHECK;

#endif
