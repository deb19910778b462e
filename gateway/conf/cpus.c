/* SPDX-License-Identifier: Apache-2.0 */
/* How many CPUs this process may use. A cgroup's quota binds all below it, so every cgroup from the process's
 * own up to the root is asked. */
#include "cpus.h"

#include "postern/base/fd.h"
#include "postern/base/num.h"
#include "postern/conf/settings.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define CPUS_MAX       256 /* the most workers that the table allows */
#define FILE_MAX_BYTES 16384

/* One file's first line, without its end. */
static bool read_line(const char *path, char *line, size_t size)
{
    struct pst_buf content;
    if (pst_file_read(path, FILE_MAX_BYTES, &content) < 0)
        return false;
    struct pst_str rest;
    bool ok = pst_str_copy(pst_str_cut(pst_buf_str(&content), '\n', &rest), line, size) >= 0;
    pst_buf_done(&content);
    return ok;
}

/* Microseconds of CPU time per period, rounded up to whole CPUs; 0 for no limit ("max" or -1). */
static unsigned whole_cpus(struct pst_str quota_text, struct pst_str period_text)
{
    uint64_t quota = 0, period = 0;
    if (pst_num_u64(quota_text, &quota) < 0 || pst_num_u64(period_text, &period) < 0 || period == 0 ||
        quota > UINT64_MAX - period)
        return 0;
    uint64_t cpus = (quota + period - 1) / period;
    return cpus < CPUS_MAX ? (unsigned)cpus : CPUS_MAX;
}

/* The limit of the cgroup in the folder `dir`, 0 for none: v2's cpu.max ("150000 100000", "max 100000"), else
 * v1's two files. */
static unsigned limit_of(const char *dir)
{
    char path[PATH_MAX], quota[64], period[64];
    snprintf(path, sizeof(path), "%s/cpu.max", dir);
    if (read_line(path, quota, sizeof(quota))) {
        struct pst_str rest;
        struct pst_str first = pst_str_cut(pst_str_of(quota), ' ', &rest);
        return whole_cpus(first, rest);
    }
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
    if (!read_line(path, quota, sizeof(quota)))
        return 0;
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
    return read_line(path, period, sizeof(period)) ? whole_cpus(pst_str_of(quota), pst_str_of(period)) : 0;
}

static unsigned smaller(unsigned limit, unsigned other)
{
    return limit == 0 || (other != 0 && other < limit) ? other : limit;
}

/* The smallest limit from `cgroup` ("/kubepods/pod1/c2") up to "/". A container often sees its own cgroup as
 * the root of the mounted hierarchy while /proc names it by its path outside: what is not there is passed. */
static unsigned limit_up(const char *mount, struct pst_str cgroup)
{
    unsigned limit = 0;
    for (;;) {
        char dir[PATH_MAX - 32]; /* room for a file's name behind it */
        while (cgroup.len > 0 && cgroup.p[cgroup.len - 1] == '/')
            cgroup.len--;
        int n = snprintf(dir, sizeof(dir), "%s" PST_STR_FMT, mount, PST_STR_ARG(cgroup));
        if (n > 0 && (size_t)n < sizeof(dir))
            limit = smaller(limit, limit_of(dir));
        if (cgroup.len == 0)
            return limit;
        while (cgroup.len > 0 && cgroup.p[cgroup.len - 1] != '/')
            cgroup.len--;
    }
}

static bool names_cpu(struct pst_str controllers)
{
    while (controllers.p != NULL) {
        if (pst_str_eq(pst_str_cut(controllers, ',', &controllers), PST_STR("cpu")))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static unsigned limit_of_line(const char *root, struct pst_str line)
{
    static const char *const v1_mounts[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
    struct pst_str rest, path;
    char mount[PATH_MAX];
    unsigned limit = 0;
    pst_str_cut(line, ':', &rest);
    struct pst_str controllers = pst_str_cut(rest, ':', &path);
    if (path.p == NULL || (controllers.len > 0 && !names_cpu(controllers)))
        return 0;
    if (controllers.len == 0) {
        snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup", root);
        return limit_up(mount, path);
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(mount, sizeof(mount), "%s%s", root, v1_mounts[i]);
        limit = smaller(limit, limit_up(mount, path));
    }
    return limit;
}

unsigned cpus_cgroup_limit(const char *root)
{
    char path[PATH_MAX];
    struct pst_buf content;
    unsigned limit = 0;
    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    if (pst_file_read(path, FILE_MAX_BYTES, &content) < 0)
        return 0;
    struct pst_str rest = pst_buf_str(&content);
    while (rest.p != NULL)
        limit = smaller(limit, limit_of_line(root, pst_str_cut(rest, '\n', &rest)));
    pst_buf_done(&content);
    return limit;
}

unsigned pst_conf_cpus(void)
{
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned cpus = online > 0 ? (unsigned)online : 1;
    /* Fails on machines of more than 1024 CPUs, where the bound below decides anyway. */
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        cpus = (unsigned)CPU_COUNT(&set);
    cpus = smaller(cpus, cpus_cgroup_limit(""));
    return cpus < CPUS_MAX ? cpus : CPUS_MAX;
}
