/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs are their key's: asked when a request names one, noted when the container says that one begins. */
#ifndef POSTERN_EXCHANGE_JOB_H
#define POSTERN_EXCHANGE_JOB_H

#include "exchange.h"

/* The container's response is there: does a job begin? */
void job_note(const struct exchange *x, const struct pst_answer *answer);

#endif
