/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas of made-up cgroups, laid out as the kernel does it. */
#include "../../../gateway/conf/cpus.h"
#include "postern/conf/settings.h"

#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/postern-cpus-XXXXXX");
    return mkdtemp(root) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path, making the folders on the way. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *c = whole + strlen(root) + 1; (c = strchr(c, '/')) != NULL; c++) {
        *c = '\0';
        mkdir(whole, 0700);
        *c = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(cpus_cgroup_limit(root), 0);
    put("/proc/self/cgroup", "rubbish\n\n0:\n0::\n::\n");
    assert_int_equal(cpus_cgroup_limit(root), 0);
}

/* A container with a cgroup namespace of its own sees its cgroup as the root. */
static void test_v2_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    static const struct {
        const char *text;
        unsigned cpus;
    } cases[] = {
        {"max 100000\n", 0},
        {"100000 100000\n", 1},
        {"150000 100000\n", 2},
        {"50000 100000\n", 1},
        {"400000 100000", 4},
        {"99999999999 1\n", 256},
        {"18446744073709551615 100000\n", 0},
        {"100000 0\n", 0},
        {"100000\n", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("/sys/fs/cgroup/cpu.max", cases[i].text);
        assert_int_equal(cpus_cgroup_limit(root), cases[i].cpus);
    }
}

/* A systemd service: the quota may stand on the service, or on a slice around it. */
static void test_v2_nested(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/system.slice/postern.service\n");
    put("/sys/fs/cgroup/system.slice/postern.service/cpu.max", "800000 100000\n");
    assert_int_equal(cpus_cgroup_limit(root), 8);
    put("/sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n");
    assert_int_equal(cpus_cgroup_limit(root), 3);
    put("/sys/fs/cgroup/system.slice/postern.service/cpu.max", "200000 100000\n");
    assert_int_equal(cpus_cgroup_limit(root), 2);
    put("/sys/fs/cgroup/system.slice/postern.service/cpu.max", "max 100000\n");
    assert_int_equal(cpus_cgroup_limit(root), 3);
}

/* Without a namespace /proc names the path outside, which is not there inside. */
static void test_v1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/docker/abc\n0::/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus_cgroup_limit(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(cpus_cgroup_limit(root), 3);
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "50000\n");
    assert_int_equal(cpus_cgroup_limit(root), 1);
    put("/proc/self/cgroup", "9:memory:/docker/abc\n3:cpuset,cpuacct:/docker/abc\n");
    assert_int_equal(cpus_cgroup_limit(root), 0);
}

static void test_affinity(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    unsigned cpus = pst_conf_cpus();
    assert_true(cpus >= 1 && cpus <= (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(pst_conf_cpus(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_there, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_v2_container, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_v2_nested, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_v1, make_root, remove_root),
        cmocka_unit_test(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
