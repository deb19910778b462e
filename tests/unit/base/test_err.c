/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

static void test_every_error_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int err = 0; err < PST_ERR_MAX; err++) {
        assert_string_not_equal(pst_strerror(err), "unknown error");
        assert_ptr_equal(pst_strerror(err), pst_strerror(-err));
        for (int other = 0; other < err; other++)
            assert_string_not_equal(pst_strerror(err), pst_strerror(other));
    }
    assert_string_equal(pst_strerror(PST_ERR_MAX), "unknown error");
    assert_string_equal(pst_strerror(-10000), "unknown error");
}

static void test_from_errno(void **state)
{
    (void)state;
    static const int cases[][2] = {
        {0, 0},
        {ENOMEM, PST_ENOMEM},
        {ENOENT, PST_ENOENT},
        {EACCES, PST_EACCES},
        {EROFS, PST_EACCES},
        {ENOSPC, PST_EFULL},
        {EDQUOT, PST_EFULL},
        {EFBIG, PST_EFULL},
        {ECONNRESET, PST_ERESET},
        {EPIPE, PST_ERESET},
        {ECONNREFUSED, PST_EREFUSED},
        {ETIMEDOUT, PST_ETIMEOUT},
        {EMFILE, PST_EBUSY},
        {EEXIST, PST_EEXIST},
        {EISDIR, PST_EIO},
        {12345, PST_EIO},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(pst_err_from_errno(cases[i][0]), -cases[i][1]);
    for (int e = 1; e < 200; e++)
        assert_true(pst_err_from_errno(e) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_a_text_of_its_own),
        cmocka_unit_test(test_from_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
