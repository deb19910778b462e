/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/fd.h"
#include "postern/base/num.h"
#include "postern/conf/settings.h"

#include <sched.h>

static bool read_number(const char *path, int64_t *ret_value)
{
    struct pst_buf content;
    if (pst_file_read(path, 4096, &content) < 0)
        return false;
    struct pst_str rest;
    struct pst_str first = pst_str_cut(pst_buf_str(&content), '\n', &rest);
    bool ok = pst_num_i64(first, ret_value) == 0;
    pst_buf_done(&content);
    return ok;
}

/* cgroup v2: "max 100000" or "150000 100000", quota and period in microseconds. */
static bool quota_v2(int64_t *quota, int64_t *period)
{
    struct pst_buf content;
    if (pst_file_read("/sys/fs/cgroup/cpu.max", 4096, &content) < 0)
        return false;
    struct pst_str rest, end;
    struct pst_str first = pst_str_cut(pst_buf_str(&content), ' ', &rest);
    struct pst_str second = rest.p != NULL ? pst_str_cut(rest, '\n', &end) : rest;
    bool ok = pst_num_i64(first, quota) == 0 && pst_num_i64(second, period) == 0;
    pst_buf_done(&content);
    return ok;
}

static bool quota_v1(int64_t *quota, int64_t *period)
{
    return read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota) &&
           read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period);
}

unsigned pst_conf_cpus(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        cpus = (unsigned)CPU_COUNT(&set);
    int64_t quota = -1, period = 0;
    if ((quota_v2(&quota, &period) || quota_v1(&quota, &period)) && quota > 0 && period > 0) {
        uint64_t allowed = (uint64_t)((quota + period - 1) / period);
        if (allowed < cpus)
            cpus = (unsigned)allowed;
    }
    return cpus < 256 ? cpus : 256;
}
