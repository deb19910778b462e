/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/random.h"

#include "postern/crypto/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_bytes_fill_all_and_only(void **state)
{
    (void)state;
    uint8_t area[700], ever[700] = {0};
    for (int round = 0; round < 8; round++) {
        memset(area, 0, sizeof(area));
        assert_int_equal(pst_random_bytes(area + 1, sizeof(area) - 2), 0);
        assert_int_equal(area[0], 0);
        assert_int_equal(area[sizeof(area) - 1], 0);
        for (size_t i = 0; i < sizeof(area); i++)
            ever[i] |= area[i];
    }
    /* A byte that stays 0 in eight rounds is one in 2^64: every byte is written. */
    for (size_t i = 1; i < sizeof(area) - 1; i++)
        assert_int_not_equal(ever[i], 0);
    assert_int_equal(pst_random_bytes(area, 0), 0);
}

/* Chi-square against an even distribution. The bound is the mean plus 8 standard deviations of the statistic
 * (mean k, variance 2k for k degrees of freedom): chance alone crosses it less than once in 10^10 runs, while
 * folding 256 values onto 62 letters would land beyond 1,000 with this many samples. */
static double chi_square(const char *alphabet, size_t n, size_t samples)
{
    size_t count[256] = {0};
    char *text = malloc(samples);
    assert_non_null(text);
    assert_int_equal(pst_random_text(text, samples, alphabet, n), 0);
    for (size_t i = 0; i < samples; i++) {
        const char *at = memchr(alphabet, text[i], n);
        assert_non_null(at);
        count[at - alphabet]++;
    }
    free(text);
    double expected = (double)samples / (double)n, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)count[i] - expected;
        sum += d * d / expected;
    }
    return sum;
}

static void test_text_is_even(void **state)
{
    (void)state;
    assert_true(chi_square(pst_base62_alphabet, 62, 620000) < 61 + 8 * 11.1);
    assert_true(chi_square("0123456789abcdefghijklmnopqrstuvwxyz", 36, 360000) < 35 + 8 * 8.4);
    assert_true(chi_square("ab", 2, 100000) < 1 + 8 * 5);
}

static void test_folding_would_be_seen(void **state)
{
    (void)state;
    /* The same statistic on the biased way (byte modulo 62), so that the test above is known to bite. */
    size_t count[62] = {0};
    for (size_t i = 0; i < 620000; i++)
        count[(i & 255) % 62]++;
    double sum = 0;
    for (size_t i = 0; i < 62; i++)
        sum += ((double)count[i] - 10000) * ((double)count[i] - 10000) / 10000;
    assert_true(sum > 61 + 8 * 11.1);
}

static void test_text_bounds(void **state)
{
    (void)state;
    char out[9] = "########";
    assert_int_equal(pst_random_text(out, 4, "x", 1), -PST_EINVAL);
    assert_int_equal(pst_random_text(out, 4, "x", 257), -PST_EINVAL);
    assert_string_equal(out, "########");
    assert_int_equal(pst_random_text(out, 4, "01", 2), 0);
    assert_string_equal(out + 4, "####");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_fill_all_and_only),
        cmocka_unit_test(test_text_is_even),
        cmocka_unit_test(test_folding_would_be_seen),
        cmocka_unit_test(test_text_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
