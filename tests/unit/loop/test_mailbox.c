/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/clock.h"
#include "postern/loop/loop.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MESSAGES 3000

static struct pst_loop *loop;

static int set_up(void **state)
{
    (void)state;
    return pst_loop_new(&loop);
}

/* Plain variables, touched on the loop's thread only: TSan sees when that is not so. */
static unsigned taken[2];
static unsigned in_order[2];

struct message {
    unsigned sender;
    unsigned number;
};

static void take(void *arg)
{
    struct message *message = arg;
    in_order[message->sender] += taken[message->sender] == message->number;
    taken[message->sender]++;
    free(message);
}

static void *send_all(void *arg)
{
    unsigned sender = *(unsigned *)arg;
    for (unsigned i = 0; i < MESSAGES;) {
        struct message *message = malloc(sizeof(*message));
        if (message == NULL)
            return NULL;
        *message = (struct message){sender, i};
        if (pst_loop_post(loop, take, message) == 0) {
            i++;
        } else { /* full: the message stays ours */
            free(message);
            sched_yield();
        }
    }
    return NULL;
}

static void test_from_two_threads(void **state)
{
    (void)state;
    pthread_t threads[2];
    unsigned numbers[2] = {0, 1};
    memset(taken, 0, sizeof(taken));
    memset(in_order, 0, sizeof(in_order));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &numbers[i]), 0);
    uint64_t end = pst_clock_mono_us() + 20000000;
    while (taken[0] + taken[1] < 2 * MESSAGES && pst_clock_mono_us() < end)
        assert_int_equal(pst_loop_turn(loop, true), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(taken[i], MESSAGES);
        assert_int_equal(in_order[i], MESSAGES);
    }
    pst_loop_free(loop);
}

static unsigned count;

static void add(void *arg)
{
    count += *(unsigned *)arg;
}

static void test_full_mailbox(void **state)
{
    (void)state;
    unsigned one = 1;
    count = 0;
    for (int i = 0; i < 256; i++)
        assert_int_equal(pst_loop_post(loop, add, &one), 0);
    assert_int_equal(pst_loop_post(loop, add, &one), -PST_EBUSY);
    assert_int_equal(pst_loop_turn(loop, true), 0);
    assert_int_equal(count, 256);
    assert_int_equal(pst_loop_post(loop, add, &one), 0);
    assert_int_equal(pst_loop_turn(loop, true), 0);
    assert_int_equal(count, 257);
    pst_loop_free(loop);
}

static void post_again(void *arg)
{
    count++;
    if (count < 5)
        assert_int_equal(pst_loop_post(loop, post_again, arg), 0);
}

static void test_a_message_may_post(void **state)
{
    (void)state;
    count = 0;
    assert_int_equal(pst_loop_post(loop, post_again, NULL), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pst_loop_turn(loop, true), 0);
    assert_int_equal(count, 5);
    pst_loop_free(loop);
}

/* Messages own what they carry: those nobody took are run when the loop goes, and the leak checker is
 * content. */
static void test_freed_with_messages_waiting(void **state)
{
    (void)state;
    memset(taken, 0, sizeof(taken));
    for (unsigned i = 0; i < 10; i++) {
        struct message *message = malloc(sizeof(*message));
        assert_non_null(message);
        *message = (struct message){0, i};
        assert_int_equal(pst_loop_post(loop, take, message), 0);
    }
    pst_loop_free(loop);
    assert_int_equal(taken[0], 10);
}

static void test_drained_before_what_it_concerns_goes(void **state)
{
    (void)state;
    unsigned *part = malloc(sizeof(*part));
    assert_non_null(part);
    *part = 7;
    count = 0;
    assert_int_equal(pst_loop_post(loop, add, part), 0);
    pst_loop_drain(loop);
    assert_int_equal(count, 7);
    free(part);
    assert_int_equal(pst_loop_turn(loop, false), 0); /* the wake-up that is left over says nothing */
    assert_int_equal(count, 7);
    pst_loop_free(loop);
}

/* A loop that sleeps without a timer is woken by a message alone. */
static void *post_late(void *arg)
{
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    assert_int_equal(pst_loop_post(loop, add, arg), 0);
    return NULL;
}

static void test_wakes_a_sleeper(void **state)
{
    (void)state;
    pthread_t thread;
    unsigned one = 1;
    count = 0;
    assert_int_equal(pst_loop_turn(loop, false), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_late, &one), 0);
    assert_int_equal(pst_loop_turn(loop, true), 0);
    assert_int_equal(count, 1);
    pthread_join(thread, NULL);
    pst_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_from_two_threads, set_up),
        cmocka_unit_test_setup(test_full_mailbox, set_up),
        cmocka_unit_test_setup(test_a_message_may_post, set_up),
        cmocka_unit_test_setup(test_freed_with_messages_waiting, set_up),
        cmocka_unit_test_setup(test_drained_before_what_it_concerns_goes, set_up),
        cmocka_unit_test_setup(test_wakes_a_sleeper, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
