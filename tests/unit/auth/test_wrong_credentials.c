/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/wrong_credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct pst_wrong_credentials table;

static void digest_of(unsigned n, uint8_t digest[static PST_SHA256_BYTES])
{
    pst_sha256(&n, sizeof(n), digest);
}

static bool add(unsigned who, int64_t now_us)
{
    uint8_t digest[PST_SHA256_BYTES];
    digest_of(who, digest);
    return pst_wrong_credentials_add(&table, digest, now_us);
}

static void test_repeats(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    int64_t now_us = 1000000;
    for (int call = 0; call < 3; call++) {
        assert_true(add(1, now_us++));
        for (int repeat = 1; repeat < PST_WRONG_REPEATS; repeat++)
            assert_false(add(1, now_us++));
    }
}

static void test_apart(void **state)
{
    (void)state;
    memset(&table, 0, sizeof(table));
    assert_true(add(1, 1));
    assert_true(add(2, 2)); /* another credential, or from elsewhere */
    assert_false(add(1, 1 + PST_WRONG_TOGETHER_US));
    assert_true(add(1, 2 + 2 * PST_WRONG_TOGETHER_US)); /* long after: another call */
}

/* More than there are places for: counted again rather than not at all. */
static void test_many(void **state)
{
    (void)state;
    unsigned counted = 0;
    memset(&table, 0, sizeof(table));
    for (unsigned i = 0; i < 10 * PST_WRONG_PLACES; i++)
        counted += add(i, i);
    assert_int_equal(counted, 10 * PST_WRONG_PLACES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
