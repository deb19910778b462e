/* SPDX-License-Identifier: Apache-2.0 */
/* The ticker: turns again and again, ends in the middle of its pause, tells a long turn to end. */
#include "postern/base/ticker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_US UINT64_C(3600000000)

static struct pst_ticker ticker;
static atomic_uint turns;

static void count_turn(void *arg)
{
    assert_ptr_equal(arg, &turns);
    atomic_fetch_add(&turns, 1);
}

static void wait_for(unsigned wanted)
{
    for (int i = 0; i < 3000 && atomic_load(&turns) < wanted; i++)
        usleep(10000);
    assert_true(atomic_load(&turns) >= wanted);
}

static void test_turns(void **state)
{
    (void)state;
    atomic_store(&turns, 0);
    assert_int_equal(pst_ticker_start(&ticker, "turns", 1000, count_turn, &turns), 0);
    wait_for(5);
    pst_ticker_stop(&ticker);
    unsigned after = atomic_load(&turns);
    usleep(20000);
    assert_int_equal(atomic_load(&turns), after);
    pst_ticker_stop(&ticker); /* once more does nothing */
}

/* The first turn comes at once, and stopping does not wait for the next one. */
static void test_pause(void **state)
{
    (void)state;
    atomic_store(&turns, 0);
    assert_int_equal(pst_ticker_start(&ticker, "pause", HOUR_US, count_turn, &turns), 0);
    wait_for(1);
    time_t before = time(NULL);
    pst_ticker_stop(&ticker);
    assert_true(time(NULL) - before < 600);
    assert_int_equal(atomic_load(&turns), 1);
}

static void turn_until_stopped(void *arg)
{
    atomic_fetch_add(&turns, 1);
    while (!pst_ticker_stopping(arg))
        usleep(1000);
}

static void test_stopping(void **state)
{
    (void)state;
    atomic_store(&turns, 0);
    assert_int_equal(pst_ticker_start(&ticker, "stopping", HOUR_US, turn_until_stopped, &ticker), 0);
    wait_for(1);
    pst_ticker_stop(&ticker);
    assert_int_equal(atomic_load(&turns), 1);
}

static void test_never_started(void **state)
{
    (void)state;
    struct pst_ticker none = {.started = false};
    pst_ticker_stop(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
