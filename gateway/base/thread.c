/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/thread.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* nice(2): when there is more to do than time, 10 still leaves a tenth of a CPU, which is twice what the
 * keeper needs, and enough for an operator at a busy gateway. */
#define NICE 10
/* The least that the kernel grants. */
#define SLICE_NS 100000

void pst_thread_step_back(void)
{
    struct sched_attr attr = {
        .size = sizeof(attr),
        .sched_policy = SCHED_NORMAL,
        .sched_nice = NICE,
        .sched_runtime = SLICE_NS, /* of a fair thread: its slice, sched(7) */
    };
    if (syscall(SYS_sched_setattr, 0, &attr, 0u) != 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}
