/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/thread.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

/* nice(2): when there is more to do than time, 10 still leaves a tenth of a CPU, which is twice what the
 * keeper needs, and enough for an operator at a busy gateway. Linux has a nice value for each thread. */
#define NICE 10

void pst_thread_step_back(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

void pst_thread_offer_cpu(void)
{
    (void)sched_yield();
}
