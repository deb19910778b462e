/* SPDX-License-Identifier: Apache-2.0 */
/* The wheel by a clock of our own: any span passes at once. */
#include "postern/loop/loop.h"
#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define T        UINT64_C(32000) /* one tick */
#define ROUND    (T * WHEEL_SLOTS)
#define START    (UINT64_C(1000003) * T + 17)

static void arm(struct wheel *wheel, struct pst_timer *timer, uint64_t now, uint64_t after)
{
    timer->deadline_us = now + after;
    wheel_insert(wheel, timer, now);
}

static void timer_init(struct pst_timer *timer)
{
    pst_timer_init(timer, NULL, NULL);
}

/* Lets the wheel say how long it would sleep and sleeps that long, until `timer` is due; returns when. */
static uint64_t run_until_due(struct wheel *wheel, struct pst_timer *timer, uint64_t now, unsigned *wakes)
{
    for (*wakes = 0; *wakes < 100000; (*wakes)++) {
        struct pst_list due;
        pst_list_init(&due);
        wheel_collect(wheel, now, &due);
        struct pst_list *first = pst_list_pop_front(&due);
        if (first != NULL) {
            assert_ptr_equal(first, &timer->node);
            assert_true(pst_list_empty(&due));
            return now;
        }
        uint64_t wait = wheel_wait_us(wheel, now);
        assert_true(wait > 0 && wait != UINT64_MAX);
        now += wait;
    }
    fail_msg("never due");
    return 0;
}

static void test_due_never_early_and_at_most_a_tick_late(void **state)
{
    (void)state;
    static const uint64_t afters[] = {
        0,         1,         T - 1,     T,           T + 1,     2 * T,         10 * T + 5,
        ROUND - T, ROUND - 1, ROUND,     ROUND + 1,   ROUND + T, 2 * ROUND - 1, 3 * ROUND + 7,
        60000000,  600000000, 7 * ROUND, 86400000000,
    };
    static const uint64_t starts[] = {1,           T - 1,          T, T + 1, START, START + ROUND / 2,
                                      ROUND * 100, ROUND * 100 - 1};
    for (size_t s = 0; s < N(starts); s++) {
        for (size_t i = 0; i < N(afters); i++) {
            struct wheel wheel;
            struct pst_timer timer;
            unsigned wakes;
            wheel_init(&wheel, starts[s]);
            timer_init(&timer);
            arm(&wheel, &timer, starts[s], afters[i]);
            uint64_t when = run_until_due(&wheel, &timer, starts[s], &wakes);
            assert_true(when >= starts[s] + afters[i]);
            assert_true(when <= starts[s] + afters[i] + T);
            assert_true(wakes <= afters[i] / ROUND + 2); /* looked at once a round, no more */
            assert_true(wheel_wait_us(&wheel, when) == UINT64_MAX);
        }
    }
}

/* The loop was busy, or the machine suspended, for much longer than a round. */
static void test_after_a_long_pause(void **state)
{
    (void)state;
    static const uint64_t pauses[] = {T, ROUND - 1, ROUND, ROUND + T, 5 * ROUND + 3, 1000000 * ROUND};
    for (size_t i = 0; i < N(pauses); i++) {
        struct wheel wheel;
        struct pst_timer timers[600];
        size_t n_due = 0;
        wheel_init(&wheel, START);
        for (size_t t = 0; t < N(timers); t++) {
            timer_init(&timers[t]);
            arm(&wheel, &timers[t], START, t * 2 * T + 5);
        }
        struct pst_list due;
        pst_list_init(&due);
        wheel_collect(&wheel, START + pauses[i], &due);
        for (struct pst_list *node; (node = pst_list_pop_front(&due)) != NULL; n_due++)
            assert_true(PST_CONTAINER(node, struct pst_timer, node)->deadline_us <= START + pauses[i]);
        for (size_t t = 0; t < N(timers); t++) { /* all that were due long enough are out */
            bool out = pst_list_empty(&timers[t].node);
            assert_true(out || timers[t].deadline_us + T > START + pauses[i]);
            n_due -= out;
        }
        assert_int_equal(n_due, 0);
        uint64_t wait = wheel_wait_us(&wheel, START + pauses[i]);
        assert_true(pauses[i] > 1200 * T ? wait == UINT64_MAX : wait <= 3 * T);
    }
}

/* A fixed pseudo-random run against a plain list of deadlines. */
static void test_many_against_a_model(void **state)
{
    (void)state;
    enum { TIMERS = 200 };
    static struct pst_timer timers[TIMERS];
    struct wheel wheel;
    uint64_t now = START, seed = 12345, fired = 0;
    wheel_init(&wheel, now);
    for (int i = 0; i < TIMERS; i++)
        timer_init(&timers[i]);
    for (int step = 0; step < 20000; step++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct pst_timer *timer = &timers[(seed >> 33) % TIMERS];
        arm(&wheel, timer, now, (seed >> 20) % (3 * ROUND));
        now += (seed >> 40) % (2 * T);
        struct pst_list due;
        pst_list_init(&due);
        wheel_collect(&wheel, now, &due);
        for (struct pst_list *node; (node = pst_list_pop_front(&due)) != NULL; fired++) {
            struct pst_timer *out = PST_CONTAINER(node, struct pst_timer, node);
            assert_true(out->deadline_us != 0 && out->deadline_us <= now);
            out->deadline_us = 0;
        }
        for (int i = 0; i < TIMERS && step % 64 == 0; i++)
            assert_true(timers[i].deadline_us == 0 || timers[i].deadline_us + T >= now);
    }
    assert_true(fired > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(test_after_a_long_pause),
        cmocka_unit_test(test_many_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
