/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define S        INT64_C(1000000)

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01", 0},
        {"1970-01-02", 86400 * S},
        {"1969-12-31T23:59:59Z", -S},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"1985-04-12T23:20:50.52Z", 482196050 * S + 520000}, /* RFC 3339 section 5.8 */
        {"1996-12-19T16:39:57-08:00", 851042397 * S},        /* RFC 3339 section 5.8 */
        {"1937-01-01T12:00:27.87+00:20", -1041337173 * S + 870000},
        {"2026-11-23T16:04:53.123Z", 1795449893 * S + 123000},
        {"2026-11-23t16:04:53.123z", 1795449893 * S + 123000},
        {"2026-11-23 16:04:53Z", 1795449893 * S},
        {"2026-11-23T16:04:53.123456789Z", 1795449893 * S + 123456},
        {"2026-11-23T18:04:53+02:00", 1795449893 * S},
        {"2026-11-23T16:04:53-00:00", 1795449893 * S},
        {"2026-11-23T00:00:00+23:59", 1795392000 * S - 86340 * S},
        {"2024-02-29", 1709164800 * S},
        {"2000-02-29", 951782400 * S},
        {"2038-01-19T03:14:08Z", 2147483648 * S},
        {"9999-12-31T23:59:59Z", 253402300799 * S},
        {"0001-01-01T00:00:00Z", -62135596800 * S},
        {"0000-01-01T00:00:00Z", -62167219200 * S},
    };
    for (size_t i = 0; i < N(cases); i++) {
        int64_t us = 0;
        if (pst_time_parse(cases[i].text, &us) != 0 || us != cases[i].us)
            fail_msg("%s: %lld", cases[i].text, (long long)us);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11",
        "2026-1-1",
        "26-11-23",
        "2026/11/23",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "2026-02-29",
        "2100-02-29",
        "2026-04-31",
        "2026-11-23T",
        "2026-11-23T16:04",
        "2026-11-23T16:04:53", /* no offset: whose clock? */
        "2026-11-23T16:04:53 Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T16:60:00Z",
        "2026-11-23T16:04:60Z", /* a leap second has no place on this clock */
        "2026-11-23T16:04:53.Z",
        "2026-11-23T16:04:53.1234567890Z",
        "2026-11-23T16:04:53,5Z",
        "2026-11-23T16:04:53+0200",
        "2026-11-23T16:04:53+24:00",
        "2026-11-23T16:04:53+02:60",
        "2026-11-23T16:04:53+02",
        "2026-11-23T16:04:53Zx",
        "2026-11-23x",
        " 2026-11-23",
        "2026-11-23 ",
        "-026-11-23",
        "2026-11-+3",
        "9999-12-31T23:59:59-00:01", /* in the year 10000, which has no four digits */
        "0000-01-01T00:00:00+00:01",
    };
    for (size_t i = 0; i < N(cases); i++) {
        int64_t us = 42;
        if (pst_time_parse(cases[i], &us) != -PST_EPARSE || us != 42)
            fail_msg("%s was taken", cases[i]);
    }
    int64_t us = 42;
    assert_int_equal(pst_time_parse(NULL, &us), -PST_EPARSE);
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1795449893 * S + 123999, "2026-11-23T16:04:53.123Z"},
        {253402300799 * S + 999999, "9999-12-31T23:59:59.999Z"},
        {253402300800 * S, "out-of-range"},
        {-62135596800 * S, "0001-01-01T00:00:00.000Z"},
        {-62167219201 * S, "out-of-range"},
        {INT64_MAX, "out-of-range"},
        {INT64_MIN, "out-of-range"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        char text[PST_TIME_TEXT_SIZE];
        pst_time_format(cases[i].us, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* Every day of four centuries there and back. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int64_t day = -100000; day < 100000; day++) {
        char text[PST_TIME_TEXT_SIZE];
        int64_t us = day * 86400 * S + (day & 1023) * 84000000, back = 0;
        pst_time_format(us, text);
        assert_int_equal(pst_time_parse(text, &back), 0);
        assert_true(back == us);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    uint64_t last = pst_clock_mono_us();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = pst_clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(pst_clock_real_us() > 1700000000 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),  cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
