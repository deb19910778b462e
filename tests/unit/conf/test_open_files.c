/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/conf/open_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char off[] = "off", port[] = "127.0.0.1:8444", path[] = "unix:/run/admin";
static char *admin_off[] = {off};
static char *admin_on[] = {port, path};

static struct pst_settings settings(uint64_t workers, size_t n_listen)
{
    struct pst_settings s = {.workers = workers, .n_listen = n_listen};
    s.admin_listen = admin_off;
    s.n_admin_listen = 1;
    s.max_connections = 1000;
    s.upstream_max_connections = 200;
    return s;
}

/* Each thing that has descriptors counts; integration tests compare with what a gateway has open. */
static void test_what_counts(void **state)
{
    (void)state;
    struct pst_settings s = settings(1, 1);
    const struct pst_open_files one = pst_open_files_of(&s);
    assert_int_equal(one.most, 1200 + 64);
    assert_true(one.least > 24 && one.least < 64);
    s.workers = 4;
    assert_int_equal(pst_open_files_of(&s).least, one.least + 3 * 6);
    assert_int_equal(pst_open_files_of(&s).most, 4 * 1200 + 64);
    s.n_listen = 2;
    assert_int_equal(pst_open_files_of(&s).least, one.least + 3 * 6 + 4);
    s = settings(1, 1);
    s.admin_listen = admin_on;
    assert_true(pst_open_files_of(&s).least > one.least);
    s.n_admin_listen = 2;
    uint64_t with_admin = pst_open_files_of(&s).least;
    assert_true(with_admin > one.least + 8);
    s.n_egress_listen = 1;
    assert_true(pst_open_files_of(&s).least > with_admin);
}

/* Bounds so low that the least is more. */
static void test_most_is_never_less(void **state)
{
    (void)state;
    struct pst_settings s = settings(64, 2);
    s.max_connections = s.upstream_max_connections = 1;
    const struct pst_open_files need = pst_open_files_of(&s);
    assert_int_equal(need.most, need.least);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_most_is_never_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
