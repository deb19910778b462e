/* SPDX-License-Identifier: Apache-2.0 */
/* How threads share CPUs. */
#ifndef POSTERN_BASE_THREAD_H
#define POSTERN_BASE_THREAD_H

/* The calling thread has time, for good: a worker on the same CPU gets ten times its share. Not permitted:
 * then not. */
void pst_thread_step_back(void);

/* In the middle of long work: whoever else wants the CPU goes first. Without that a worker that wakes while
 * this thread runs may get the CPU only at the scheduler's next tick, 4 ms later. */
void pst_thread_offer_cpu(void);

#endif
