/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the test's own, gone when the test is over. */
#ifndef POSTERN_TESTS_SCRATCH_H
#define POSTERN_TESTS_SCRATCH_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static inline int scratch_setup(void **state)
{
    static char dir[64];
    snprintf(dir, sizeof(dir), "/tmp/postern-test-XXXXXX");
    *state = mkdtemp(dir);
    return *state == NULL ? -1 : 0;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline int scratch_teardown(void **state)
{
    return nftw(*state, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_path(char *out, size_t size, void **state, const char *name)
{
    assert_in_range(snprintf(out, size, "%s/%s", (const char *)*state, name), 1, size - 1);
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

#endif
