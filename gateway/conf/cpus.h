/* SPDX-License-Identifier: Apache-2.0 */
/* Private to conf and its tests. */
#ifndef POSTERN_CONF_CPUS_H
#define POSTERN_CONF_CPUS_H

/* The CPU quota of this process's cgroup, v2 or v1, in whole CPUs, rounded up; 0 when there is none. `root`
 * stands before /proc and /sys: "" for the machine itself. */
unsigned cpus_cgroup_limit(const char *root);

#endif
