/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct pst_usage_record record(uint16_t status, uint64_t duration_us, uint8_t flags)
{
    return (struct pst_usage_record){
        .status = status, .duration_us = duration_us, .flags = flags, .bytes_in = 3, .bytes_out = 5};
}

static void test_sums(void **state)
{
    (void)state;
    static struct pst_traffic workers[2];
    const struct pst_usage_record records[] = {
        record(200, 1, 0),
        record(204, 1000, 0), /* a bound belongs to the bucket below it */
        record(404, 1001, 0),
        record(503, UINT64_C(1) << 40, 0), /* behind the last bound */
        record(0, 10, 0),                  /* the client left */
        record(999, 10, 0),                /* no class */
        record(101, 70000, PST_USAGE_STREAM | PST_USAGE_GOES_ON),
        record(101, 70000, PST_USAGE_STREAM),
    };
    struct pst_traffic_sums sums = {0};
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
        pst_traffic_note(&workers[i % 2], &records[i]);
    for (size_t i = 0; i < 2; i++)
        pst_traffic_add(&workers[i], &sums);
    const uint64_t answers[PST_TRAFFIC_CLASSES] = {2, 1, 2, 0, 1, 1};
    assert_memory_equal(sums.answers, answers, sizeof(answers));
    assert_int_equal(sums.durations[0], 4);
    assert_int_equal(sums.durations[1], 1);
    assert_int_equal(sums.durations[PST_TRAFFIC_BOUNDS], 1);
    assert_int_equal(sums.duration_us, 1 + 1000 + 1001 + (UINT64_C(1) << 40) + 20);
    assert_int_equal(sums.bytes_in, 8 * 3);
    assert_int_equal(sums.bytes_out, 8 * 5);
}

static void test_bounds_grow(void **state)
{
    (void)state;
    for (size_t i = 1; i < PST_TRAFFIC_BOUNDS; i++)
        assert_true(pst_traffic_bounds_us[i - 1] < pst_traffic_bounds_us[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums), cmocka_unit_test(test_bounds_grow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
