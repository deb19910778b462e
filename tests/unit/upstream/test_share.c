/* SPDX-License-Identifier: Apache-2.0 */
/* Who may hold how much of a pool, and who is next. */
#include "rig.h"
#include "wraps.h"

#include <stdlib.h>

#define NOBODY PST_LEASE_NOBODY
#define MAX    40

enum { A = 1, B, C, D, E, F };

static struct rig rig;
static struct rig_lease leases[MAX];
static int order[MAX]; /* the leases in the order in which the queue served them */
static int n_served;

static int setup(void **state)
{
    (void)state;
    rig_begin(&rig);
    for (int i = 0; i < MAX; i++)
        rig_lease_init(&leases[i]);
    n_served = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < MAX; i++)
        pst_pool_discard(&leases[i].lease);
    rig_settle(&rig);
    rig_end(&rig);
    return 0;
}

static void limit(size_t connections, size_t waiting, unsigned key, unsigned keyless)
{
    rig.limits.max_connections = connections;
    rig.limits.max_waiting = waiting;
    rig.limits.key_percent = key;
    rig.limits.keyless_percent = keyless;
    pst_pool_set_limits(rig.pool, &rig.limits);
}

static struct pst_pool_stats stats(void)
{
    struct pst_pool_stats now;
    pst_pool_stats(rig.pool, &now);
    return now;
}

static void on_ready(struct pst_lease *lease, int err, void *arg)
{
    struct rig_lease *l = arg;
    (void)lease;
    l->done = 1;
    l->err = err;
    order[n_served++] = (int)(l - leases);
}

/* Asks with the lease of that number, for `owner`. */
static int ask(int i, uint64_t owner)
{
    leases[i].done = 0;
    leases[i].owner = owner;
    return pst_pool_lease(rig.pool, &leases[i].lease, owner, 0, on_ready, &leases[i]);
}

static bool waits(int i)
{
    return leases[i].lease.state == PST_LEASE_WAITING;
}

/* Takes connections for `owner`, with the leases from `first` on, until one has to wait; that one is taken
 * back. Returns how many it got. */
static int take_all(int first, uint64_t owner)
{
    for (int i = first; i < MAX; i++) {
        int got = ask(i, owner);
        if (got < 0 || waits(i)) {
            pst_pool_discard(&leases[i].lease);
            rig_settle(&rig);
            n_served = 0;
            return i - first;
        }
    }
    return MAX - first;
}

static void test_alone(void **state)
{
    (void)state;
    static const struct {
        size_t connections;
        unsigned percent;
        int got;
    } cases[] = {{1, 75, 1}, {2, 75, 2},   {3, 75, 3},  {4, 75, 3},  {8, 75, 6},   {32, 75, 24}, {1, 25, 1},
                 {4, 25, 1}, {5, 25, 2},   {8, 25, 2},  {32, 25, 8}, {1, 1, 1},    {32, 1, 1},   {32, 50, 16},
                 {3, 99, 3}, {32, 99, 32}, {1, 100, 1}, {4, 100, 4}, {32, 100, 32}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int keyless = 0; keyless < 2; keyless++) {
            limit(cases[i].connections, 4, keyless ? 50 : cases[i].percent, keyless ? cases[i].percent : 50);
            assert_int_equal(take_all(0, keyless ? NOBODY : A), cases[i].got);
            for (int j = 0; j < cases[i].got; j++)
                pst_pool_discard(&leases[j].lease);
            rig_settle(&rig);
        }
    }
}

/* However much those take who came first, the next one finds something. */
static void test_something_is_left(void **state)
{
    (void)state;
    limit(32, 32, 75, 25);
    assert_int_equal(take_all(0, NOBODY), 8);
    assert_int_equal(take_all(8, A), 18);
    assert_int_equal(take_all(26, B), 5);
    assert_int_equal(take_all(31, C), 1); /* the last one: who has none yet gets it */
    assert_int_equal(take_all(32, D), 0);
    assert_int_equal(stats().connections, 32);
}

static void test_nobody_is_one(void **state)
{
    (void)state;
    limit(8, 8, 75, 25);
    assert_int_equal(take_all(0, A), 6);
    assert_int_equal(take_all(6, NOBODY), 1); /* a quarter of what A left */
    assert_int_equal(take_all(7, B), 1);
}

/* Its share in use, an owner waits though connections are free, and is told so when the time is over. */
static void test_held_back(void **state)
{
    (void)state;
    rig.limits.wait_us = 40000;
    limit(4, 4, 50, 25);
    assert_int_equal(take_all(0, A), 2);
    size_t before = stats().held_back;
    assert_int_equal(ask(10, A), 0);
    assert_true(waits(10));
    assert_int_equal(stats().held_back, before + 1);
    assert_int_equal(ask(11, B), 0); /* overtakes it */
    assert_false(waits(11));
    rig_turn_until(&rig, &leases[11].done, 2000);
    pst_pool_give_back(&leases[11].lease);
    rig_turn_until(&rig, &leases[10].done, 2000);
    assert_int_equal(leases[10].err, -PST_ESHARE);
    assert_int_equal(stats().wait_timeouts, 1);
    /* Nothing is free: that is another reason. */
    assert_int_equal(take_all(20, B), 1);
    assert_int_equal(take_all(22, C), 1);
    assert_int_equal(ask(10, A), 0);
    rig_turn_until(&rig, &leases[10].done, 2000);
    assert_int_equal(leases[10].err, -PST_EBUSY);
}

static void test_held_back_is_served(void **state)
{
    (void)state;
    limit(4, 4, 50, 25);
    assert_int_equal(take_all(0, A), 2);
    assert_int_equal(ask(10, A), 0);
    rig_settle(&rig);
    assert_true(waits(10));
    struct pst_upconn *conn = leases[0].lease.conn;
    pst_pool_give_back(&leases[0].lease);
    rig_turn_until(&rig, &leases[10].done, 2000);
    assert_ptr_equal(leases[10].lease.conn, conn);
    /* What stays with its lease for long counts no more. */
    assert_int_equal(ask(11, A), 0);
    rig_settle(&rig);
    assert_true(waits(11));
    pst_pool_set_apart(&leases[10].lease);
    rig_turn_until(&rig, &leases[11].done, 2000);
    assert_int_equal(leases[11].err, 0);
    assert_int_equal(ask(12, A), 0);
    rig_settle(&rig);
    assert_true(waits(12));
}

/* What is set apart has a share of its own. */
static void test_apart(void **state)
{
    (void)state;
    limit(8, 8, 75, 25);
    for (int i = 0; i < 3; i++) {
        assert_true(pst_pool_may_set_apart(rig.pool, A, (size_t)(4 - i)));
        leases[i].owner = A;
        rig_lease_now(&rig, &leases[i], 0);
        pst_pool_set_apart(&leases[i].lease);
    }
    assert_false(pst_pool_may_set_apart(rig.pool, A, 1));
    assert_true(pst_pool_may_set_apart(rig.pool, A, 2));
    assert_true(pst_pool_may_set_apart(rig.pool, B, 1));
    assert_false(pst_pool_may_set_apart(rig.pool, B, 0));
    assert_true(pst_pool_may_set_apart(rig.pool, NOBODY, 1));
    rig_lease_now(&rig, &leases[3], 0);
    pst_pool_set_apart(&leases[3].lease);
    assert_false(pst_pool_may_set_apart(rig.pool, NOBODY, 3));
    assert_true(pst_pool_may_set_apart(rig.pool, NOBODY, 4));
    pst_pool_discard(&leases[0].lease);
    assert_true(pst_pool_may_set_apart(rig.pool, A, 1));
    /* They take nothing of the others. */
    assert_int_equal(take_all(10, A), 6);
}

/* Three of A wait, then two of B and one of nobody: they take turns, each owner in its own order. */
static void test_turns(void **state)
{
    (void)state;
    static const int expected[] = {10, 13, 15, 11, 14, 12};
    static const uint64_t owners[] = {A, A, A, B, B, NOBODY};
    limit(8, 16, 100, 100);
    assert_int_equal(take_all(0, C), 8);
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(10 + i, owners[i]), 0);
    for (int i = 0; i < 6; i++) {
        pst_pool_give_back(&leases[i].lease);
        rig_turn_until(&rig, &leases[expected[i]].done, 2000);
    }
    assert_memory_equal(order, expected, sizeof(expected));
    assert_int_equal(stats().waiting, 0);
}

/* Whose share is in use does not hold up those behind it, and keeps its turn. */
static void test_turn_is_passed_over(void **state)
{
    (void)state;
    limit(4, 16, 50, 25);
    assert_int_equal(take_all(0, A), 2);
    assert_int_equal(take_all(2, B), 1);
    assert_int_equal(take_all(3, C), 1);
    assert_int_equal(ask(10, A), 0);
    assert_int_equal(ask(11, D), 0);
    assert_int_equal(ask(12, D), 0);
    pst_pool_give_back(&leases[2].lease);
    rig_turn_until(&rig, &leases[11].done, 2000);
    assert_true(waits(10) && waits(12));
    pst_pool_give_back(&leases[0].lease); /* A holds one and one is free: not yet its turn, but D's neither */
    rig_settle(&rig);
    assert_true(waits(10) && waits(12));
    pst_pool_give_back(&leases[3].lease);
    rig_turn_until(&rig, &leases[10].done, 2000);
    assert_int_equal(order[1], 10);
}

static void test_share_of_the_queue(void **state)
{
    (void)state;
    limit(1, 8, 75, 25);
    assert_int_equal(take_all(0, C), 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(ask(1 + i, A), 0);
    assert_int_equal(ask(7, A), -PST_ESHARE);
    assert_int_equal(ask(8, NOBODY), 0); /* a quarter of the two that are left */
    assert_int_equal(ask(9, NOBODY), -PST_ESHARE);
    assert_int_equal(ask(10, B), 0);
    assert_int_equal(ask(11, D), -PST_EBUSY); /* full */
    assert_int_equal(stats().waiting, 8);
    pst_pool_discard(&leases[3].lease);
    assert_int_equal(ask(11, D), 0);
    /* Without a queue it is said which of both it was. */
    limit(2, 0, 50, 25);
    for (int i = 0; i < 12; i++)
        pst_pool_discard(&leases[i].lease);
    rig_settle(&rig);
    assert_int_equal(take_all(0, A), 1);
    assert_int_equal(ask(7, A), -PST_ESHARE);
    assert_int_equal(take_all(1, B), 1);
    assert_int_equal(ask(7, A), -PST_EBUSY);
}

/* A pool of one connection works for everybody, one after the other. */
static void test_one_connection(void **state)
{
    (void)state;
    static const uint64_t owners[] = {NOBODY, A, B, A};
    limit(1, 16, 20, 1);
    for (int i = 0; i < 4; i++)
        assert_true(ask(i, owners[i]) >= 0);
    for (int i = 0; i < 4; i++) {
        rig_turn_until(&rig, &leases[i].done, 2000);
        assert_int_equal(leases[i].err, 0);
        pst_pool_give_back(&leases[i].lease);
    }
    assert_int_equal(stats().opened, 1);
}

/* More owners than are remembered come and go. */
static void test_many_owners(void **state)
{
    (void)state;
    limit(8, 8, 75, 25);
    for (int round = 0; round < 2; round++) {
        for (uint64_t owner = 0; owner < 5000; owner++) {
            leases[0].owner = owner * 1024 + (owner & 3); /* few buckets */
            rig_lease_now(&rig, &leases[0], 0);
            pst_pool_give_back(&leases[0].lease);
        }
    }
    assert_int_equal(stats().opened, 1);
    wrap_fail_at = 1;
    assert_int_equal(ask(1, 99999999), -PST_ENOMEM);
    assert_int_equal(leases[1].lease.state, PST_LEASE_NONE);
    wrap_fail_at = 0;
}

/* ---- whatever happens ----------------------------------------------------------------------------- */

static size_t held_by(uint64_t owner)
{
    size_t n = 0;
    for (int i = 0; i < MAX; i++) {
        enum pst_lease_state s = leases[i].lease.state;
        n += leases[i].owner == owner && (s == PST_LEASE_HELD || s == PST_LEASE_CONNECTING);
    }
    return n;
}

/* When all is quiet, nobody waits for what it may have. */
static void check_quiet(size_t connections, unsigned key, unsigned keyless)
{
    size_t used = 0;
    for (uint64_t owner = A; owner <= F; owner++)
        used += held_by(owner);
    used += held_by(NOBODY);
    struct pst_pool_stats now = stats();
    assert_int_equal(now.connections - now.idle, used);
    assert_true(used <= connections);
    for (int i = 0; i < MAX; i++) {
        unsigned percent = leases[i].owner == NOBODY ? keyless : key;
        if (waits(i))
            assert_true(held_by(leases[i].owner) * 100 >=
                        percent * (held_by(leases[i].owner) + connections - used));
    }
}

static void test_at_random(void **state)
{
    (void)state;
    static const uint64_t owners[] = {A, B, C, D, E, F, NOBODY};
    unsigned seed = 20261129;
    for (int step = 0; step < 2000; step++) {
        size_t connections = step < 1000 ? 12 : 5;
        limit(connections, 20, 60, 25);
        for (int n = 0; n < 6; n++) {
            int i = (int)((seed = seed * 1103515245 + 12345) >> 16) % MAX;
            unsigned what = (seed >> 8) % 4;
            if (leases[i].lease.state == PST_LEASE_NONE)
                (void)!ask(i, owners[(seed >> 20) % 7]);
            else if (leases[i].lease.state == PST_LEASE_HELD && what > 0)
                pst_pool_give_back(&leases[i].lease);
            else
                pst_pool_discard(&leases[i].lease);
        }
        n_served = 0;
        rig_settle(&rig);
        if (step != 1000) /* more than the new bound may still be lent */
            check_quiet(connections, 60, 25);
        else
            for (int i = 0; i < MAX; i++)
                pst_pool_discard(&leases[i].lease);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_alone),          TEST(test_something_is_left),   TEST(test_nobody_is_one),
        TEST(test_held_back),      TEST(test_held_back_is_served), TEST(test_apart),
        TEST(test_turns),          TEST(test_turn_is_passed_over), TEST(test_share_of_the_queue),
        TEST(test_one_connection), TEST(test_many_owners),         TEST(test_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
