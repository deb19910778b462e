/* SPDX-License-Identifier: Apache-2.0 */
/* How threads share CPUs. */
#ifndef POSTERN_BASE_THREAD_H
#define POSTERN_BASE_THREAD_H

/* The calling thread gives way to the workers, for good: what it does has time. A worker on the same CPU gets
 * ten times its share, and does not wait for it longer than a tenth of a millisecond (Linux 6.12 and later;
 * before, for a slice of the scheduler's, some 3 ms). Where that is not permitted, nothing happens. */
void pst_thread_step_back(void);

#endif
