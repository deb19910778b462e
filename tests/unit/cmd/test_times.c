/* SPDX-License-Identifier: Apache-2.0 */
/* Times and durations in options. */
#include "postern/base/clock.h"
#include "postern/cmd/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct pst_usage usage = {.synopsis = "thing make [--for TIME]"};

/* Standard error of a call. */
static char said[1024];
static FILE *catcher;
static int saved;

static void begin(void)
{
    catcher = tmpfile();
    assert_non_null(catcher);
    fflush(stderr);
    saved = dup(2);
    assert_int_equal(dup2(fileno(catcher), 2), 2);
}

static void end(void)
{
    fflush(stderr);
    assert_int_equal(dup2(saved, 2), 2);
    close(saved);
    rewind(catcher);
    said[fread(said, 1, sizeof(said) - 1, catcher)] = '\0';
    fclose(catcher);
}

static int take_duration(const char *text, uint64_t *ret_ms)
{
    begin();
    int done = pst_cmd_take_duration(&usage, "for", text, ret_ms);
    end();
    return done;
}

static int take_time(const char *text, enum pst_cmd_when when, int64_t *ret_us)
{
    begin();
    int done = pst_cmd_take_time(&usage, "at", text, when, ret_us);
    end();
    return done;
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"90d", UINT64_C(7776000000)},
                {"24h", 86400000},
                {"30m", 1800000},
                {"10s", 10000},
                {"250ms", 250},
                {"0", 0},
                {"0d", 0},
                {"00", 0}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t ms = 1;
        assert_int_equal(take_duration(good[i].text, &ms), -1);
        assert_int_equal(ms, good[i].ms);
        assert_string_equal(said, "");
    }
}

static void test_no_duration(void **state)
{
    (void)state;
    static const char *const bare[] = {"90", "1", "007", "86400"};
    static const char *const wrong[] = {"",     "d",  "90 d",     "-1d",
                                        "1.5h", "1w", "tomorrow", "99999999999999999999d"};
    uint64_t ms = 7;
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "\"%s\" has no unit: use %sd, ", bare[i], bare[i]);
        assert_int_equal(take_duration(bare[i], &ms), PST_EXIT_USAGE);
        assert_non_null(strstr(said, expected));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(take_duration(wrong[i], &ms), PST_EXIT_USAGE);
        assert_non_null(strstr(said, "is not a valid duration"));
    }
    assert_int_equal(ms, 7);
}

static void test_times(void **state)
{
    (void)state;
    int64_t us = 5;
    assert_int_equal(take_time(NULL, PST_CMD_AGO, &us), -1);
    assert_int_equal(us, 5);
    assert_int_equal(take_time("2026-11-23", PST_CMD_AGO, &us), -1);
    assert_int_equal(us, INT64_C(1795392000) * 1000000);
    int64_t before = pst_clock_real_us(), week = INT64_C(7) * 86400 * 1000000;
    assert_int_equal(take_time("7d", PST_CMD_AGO, &us), -1);
    int64_t after = pst_clock_real_us();
    assert_true(us >= before - week - 1 && us <= after - week);
    assert_int_equal(take_time("7d", PST_CMD_FROM_NOW, &us), -1);
    assert_true(us >= after + week && us <= pst_clock_real_us() + week);
}

static void test_no_times(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "7",         "0",   "0d",    "1795392000",
        "2026-13-01", "yesterday", "-7d", "30000d"}; /* which is before 1970 */
    int64_t us = 5;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(take_time(wrong[i], PST_CMD_AGO, &us), PST_EXIT_USAGE);
        assert_non_null(strstr(said, "is not a valid time"));
        assert_non_null(strstr(said, "7 days ago"));
    }
    assert_int_equal(take_time("7", PST_CMD_FROM_NOW, &us), PST_EXIT_USAGE);
    assert_non_null(strstr(said, "7 days from now"));
    assert_int_equal(us, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_no_duration),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_no_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
