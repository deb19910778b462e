/* SPDX-License-Identifier: Apache-2.0 */
/* Loading with memory short at every single allocation, by wrapping the allocator at link time. */
#include "postern/base/fd.h"
#include "postern/conf/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The allocation that fails, counted down; 0: none does. */
static unsigned countdown;

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

static void tell(void *arg, bool warning, const char *problem)
{
    unsigned *told = arg;
    *told += !warning && strstr(problem, "memory") != NULL;
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    char path[] = "/tmp/postern-memory-XXXXXX";
    static const char yaml[] = "listen: [\"127.0.0.1:1\", \"[::1]:1\"]\nopen_paths: /a, /b\nworkers: 3\n"
                               "trusted_proxies: [10.0.0.0/8]\nupstream: http://h\n";
    char *environment[] = {(char[]){"POSTERN_KEY_SOURCES=a, b, c"}, (char[]){"POSTERN_MAX_HEADERS=50"}, NULL};
    const struct pst_setting_flag flags[] = {{"data-dir", "/d"}};
    const struct pst_settings_input input = {
        .config = path, .flags = flags, .n_flags = 1, .environment = environment};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, sizeof(yaml) - 1), sizeof(yaml) - 1);
    close(fd);
    bool whole = false;
    unsigned n = 0;
    while (!whole && ++n < 5000) {
        struct pst_settings settings;
        unsigned told = 0;
        countdown = n;
        int err = pst_settings_load(&input, tell, &told, &settings);
        whole = countdown > 0;
        countdown = 0;
        if (err == 0)
            pst_settings_done(&settings);
        if ((err == 0) != whole || (told > 0) == whole)
            fail_msg("allocation %u failed: %d, told %u", n, err, told);
    }
    assert_true(whole && n > 100);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
