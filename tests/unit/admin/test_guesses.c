/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong admin tokens by address: who waits, for how long, and what is written down of it. */
#include "guesses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US    INT64_C(1800000000000000)
#define SECOND_US INT64_C(1000000)

static struct admin_guesses guesses;

static int set_up(void **state)
{
    (void)state;
    memset(&guesses, 0, sizeof(guesses));
    return 0;
}

struct address {
    uint8_t bytes[16];
};

/* The nth of IPv4. */
static struct address v4(unsigned n)
{
    return (struct address){{[10] = 0xff, 0xff, 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* A host in the nth network of IPv6. */
static struct address v6(uint8_t network, uint8_t host)
{
    return (struct address){{0x20, 0x01, 0x0d, 0xb8, [7] = network, [15] = host}};
}

static void guess(struct address address, unsigned times, int64_t now_us)
{
    for (unsigned i = 0; i < times; i++)
        (void)admin_guesses_add(&guesses, address.bytes, now_us);
}

static unsigned wait_s(struct address address, int64_t now_us)
{
    return admin_guesses_wait_s(&guesses, address.bytes, now_us);
}

static void test_a_minute(void **state)
{
    (void)state;
    guess(v4(1), ADMIN_GUESSES_MAX - 1, NOW_US);
    assert_int_equal(wait_s(v4(1), NOW_US), 0);
    assert_int_equal(admin_guesses_add(&guesses, v4(1).bytes, NOW_US + 20 * SECOND_US), ADMIN_GUESSES_MAX);
    assert_int_equal(wait_s(v4(1), NOW_US + 20 * SECOND_US), 40);
    assert_int_equal(wait_s(v4(2), NOW_US + 20 * SECOND_US), 0); /* nobody else */
    assert_int_equal(wait_s(v4(1), NOW_US + ADMIN_GUESSES_WINDOW_US - 1), 1);
    assert_int_equal(wait_s(v4(1), NOW_US + ADMIN_GUESSES_WINDOW_US), 0);
    assert_int_equal(admin_guesses_add(&guesses, v4(1).bytes, NOW_US + ADMIN_GUESSES_WINDOW_US), 1);
}

/* A clock that was set back keeps nobody out for longer than a minute. */
static void test_clock_set_back(void **state)
{
    (void)state;
    guess(v4(1), ADMIN_GUESSES_MAX, NOW_US);
    assert_int_equal(wait_s(v4(1), NOW_US - 3600 * SECOND_US), 0);
}

/* Who has a network of IPv6 has 2^64 addresses. */
static void test_network_is_one_party(void **state)
{
    (void)state;
    for (uint8_t host = 0; host < ADMIN_GUESSES_MAX; host++)
        guess(v6(1, host), 1, NOW_US);
    assert_true(wait_s(v6(1, 200), NOW_US) > 0);
    assert_int_equal(wait_s(v6(2, 0), NOW_US), 0);
}

/* A full table forgets who began first, and goes on counting. */
static void test_full_table(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ADMIN_GUESSES_PLACES; n++)
        guess(v4(n), ADMIN_GUESSES_MAX, NOW_US + n);
    assert_true(wait_s(v4(0), NOW_US + ADMIN_GUESSES_PLACES) > 0);
    guess(v4(ADMIN_GUESSES_PLACES), ADMIN_GUESSES_MAX, NOW_US + ADMIN_GUESSES_PLACES);
    assert_int_equal(wait_s(v4(0), NOW_US + ADMIN_GUESSES_PLACES), 0);
    assert_true(wait_s(v4(1), NOW_US + ADMIN_GUESSES_PLACES) > 0);
    assert_true(wait_s(v4(ADMIN_GUESSES_PLACES), NOW_US + ADMIN_GUESSES_PLACES) > 0);
}

static bool is_noted(unsigned n, int64_t now_us)
{
    return admin_guesses_is_noted(&guesses, n, now_us);
}

static void test_noted(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= ADMIN_GUESSES_MAX; n++)
        assert_int_equal(is_noted(n, NOW_US), n == 1 || n == ADMIN_GUESSES_MAX);
    for (unsigned i = 2; i < ADMIN_GUESSES_NOTED_MAX; i++)
        assert_true(is_noted(1, NOW_US + i));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(is_noted(1, NOW_US + ADMIN_GUESSES_NOTED_US - 1));
    assert_true(is_noted(1, NOW_US + ADMIN_GUESSES_NOTED_US));
    assert_true(is_noted(1, NOW_US)); /* a clock that was set back */
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_minute),   TEST(test_clock_set_back), TEST(test_network_is_one_party),
        TEST(test_full_table), TEST(test_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
