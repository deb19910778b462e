/* SPDX-License-Identifier: Apache-2.0 */
/* How threads share CPUs. */
#ifndef POSTERN_BASE_THREAD_H
#define POSTERN_BASE_THREAD_H

/* The calling thread has time, for good: a worker on the same CPU gets ten times its share. Not permitted:
 * then not. */
void pst_thread_step_back(void);

#endif
