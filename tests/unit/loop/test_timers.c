/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/clock.h"
#include "postern/loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct pst_loop *loop;

static int set_up(void **state)
{
    (void)state;
    return pst_loop_new(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    pst_loop_free(loop);
    return 0;
}

struct alarm {
    struct pst_timer timer;
    unsigned fired;
    uint64_t fired_us; /* by the loop's clock */
    struct alarm *other;
    uint64_t other_after_us; /* what firing does to `other`: set, or, with 0, clear */
    uint64_t again_us;       /* set itself again, 0: not */
};

static void on_alarm(struct pst_timer *timer, void *arg)
{
    struct alarm *alarm = arg;
    assert_ptr_equal(timer, &alarm->timer);
    assert_false(pst_timer_is_set(timer));
    alarm->fired++;
    alarm->fired_us = pst_loop_now_us(loop);
    if (alarm->again_us > 0)
        pst_timer_set(loop, timer, alarm->again_us);
    if (alarm->other != NULL && alarm->other_after_us > 0)
        pst_timer_set(loop, &alarm->other->timer, alarm->other_after_us);
    else if (alarm->other != NULL)
        pst_timer_clear(loop, &alarm->other->timer);
}

static void alarm_init(struct alarm *alarm)
{
    *alarm = (struct alarm){.fired = 0};
    pst_timer_init(&alarm->timer, on_alarm, alarm);
    assert_false(pst_timer_is_set(&alarm->timer));
}

/* Turns until `*fired` is `wanted` or a second has passed. */
static void run(const unsigned *fired, unsigned wanted)
{
    uint64_t end = pst_clock_mono_us() + 1000000;
    while (*fired < wanted && pst_clock_mono_us() < end)
        assert_int_equal(pst_loop_turn(loop, true), 0);
}

static void test_fires_once_and_not_early(void **state)
{
    (void)state;
    static const uint64_t afters[] = {0, 1, 5000, 33000};
    for (size_t i = 0; i < sizeof(afters) / sizeof(afters[0]); i++) {
        struct alarm alarm;
        alarm_init(&alarm);
        assert_int_equal(pst_loop_turn(loop, false), 0);
        uint64_t begin = pst_loop_now_us(loop);
        pst_timer_set(loop, &alarm.timer, afters[i]);
        assert_true(pst_timer_is_set(&alarm.timer));
        run(&alarm.fired, 1);
        assert_int_equal(alarm.fired, 1);
        assert_true(alarm.fired_us >= begin + afters[i]);
        assert_int_equal(pst_loop_turn(loop, false), 0);
        assert_int_equal(alarm.fired, 1);
    }
}

static void test_moved(void **state)
{
    (void)state;
    struct alarm later, earlier, end;
    alarm_init(&later);
    alarm_init(&earlier);
    alarm_init(&end);
    uint64_t begin = pst_loop_now_us(loop);
    pst_timer_set(loop, &later.timer, 1000);
    pst_timer_set(loop, &later.timer, 150000);
    pst_timer_set(loop, &earlier.timer, 60000000);
    pst_timer_set(loop, &earlier.timer, 1000);
    pst_timer_set(loop, &end.timer, 100000);
    run(&end.fired, 1);
    assert_int_equal(end.fired, 1);
    assert_int_equal(earlier.fired, 1);
    assert_int_equal(later.fired, 0);
    run(&later.fired, 1);
    assert_true(later.fired == 1 && later.fired_us >= begin + 150000);
}

static void test_cleared(void **state)
{
    (void)state;
    struct alarm cleared, end;
    alarm_init(&cleared);
    alarm_init(&end);
    pst_timer_set(loop, &cleared.timer, 1000);
    pst_timer_set(loop, &end.timer, 1000);
    pst_timer_clear(loop, &cleared.timer);
    assert_false(pst_timer_is_set(&cleared.timer));
    pst_timer_clear(loop, &cleared.timer);
    run(&end.fired, 1);
    assert_int_equal(end.fired, 1);
    assert_int_equal(cleared.fired, 0);
    pst_timer_set(loop, &cleared.timer, 1000); /* it can be used again */
    run(&cleared.fired, 1);
    assert_int_equal(cleared.fired, 1);
}

/* Two are due in the same turn; the first to fire decides on the other, whichever it is. */
static void test_decided_on_in_the_same_turn(void **state)
{
    (void)state;
    static const uint64_t afters[] = {0, 100000}; /* cleared; moved to later */
    for (size_t i = 0; i < 2; i++) {
        struct alarm a, b;
        alarm_init(&a);
        alarm_init(&b);
        a.other = &b;
        b.other = &a;
        a.other_after_us = b.other_after_us = afters[i];
        pst_timer_set(loop, &a.timer, 1000);
        pst_timer_set(loop, &b.timer, 1000);
        usleep(70000);
        assert_int_equal(pst_loop_turn(loop, false), 0);
        assert_int_equal(a.fired + b.fired, 1);
        struct alarm *other = a.fired > 0 ? &b : &a;
        struct alarm *first = a.fired > 0 ? &a : &b;
        assert_int_equal(pst_timer_is_set(&other->timer), afters[i] > 0);
        other->other = NULL;
        if (afters[i] > 0) {
            run(&other->fired, 1);
            assert_int_equal(other->fired, 1);
            assert_true(other->fired_us >= first->fired_us + afters[i]);
        }
        assert_int_equal(first->fired, 1);
    }
}

static void test_sets_itself_again(void **state)
{
    (void)state;
    struct alarm alarm;
    alarm_init(&alarm);
    alarm.again_us = 1;
    uint64_t begin = pst_clock_mono_us();
    pst_timer_set(loop, &alarm.timer, 1);
    run(&alarm.fired, 4);
    assert_int_equal(alarm.fired, 4);
    assert_true(pst_clock_mono_us() - begin >=
                2 * (uint64_t)PST_TIMER_TICK_US); /* a tick each, no busy loop */
    pst_timer_clear(loop, &alarm.timer);
}

static void test_clocks_stand_still_within_a_turn(void **state)
{
    (void)state;
    uint64_t mono = pst_loop_now_us(loop);
    int64_t real = pst_loop_real_us(loop);
    usleep(2000);
    assert_true(pst_loop_now_us(loop) == mono && pst_loop_real_us(loop) == real);
    assert_int_equal(pst_loop_turn(loop, false), 0);
    assert_true(pst_loop_now_us(loop) >= mono + 2000);
    assert_true(pst_loop_real_us(loop) > 1700000000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fires_once_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_decided_on_in_the_same_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sets_itself_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clocks_stand_still_within_a_turn, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
