/* SPDX-License-Identifier: Apache-2.0 */
/* Whose job it is: the container knows no keys, so anyone who has a job's id could read its result. The id of
 * each job that is begun through Postern is noted with the key that began it; for another key it is not
 * there.
 *
 * A table of fixed size in data_dir/jobs.table, mapped into memory: it outlives the process, also a kill -9.
 * Neither ids nor keys are in it, only digests. When it is full, the job that would be forgotten soonest is
 * forgotten for a new one; a job that is not known belongs to nobody, and the container decides.
 *
 * Any thread; one lock, taken for requests about jobs only. */
#ifndef POSTERN_AUTH_JOB_OWNERS_H
#define POSTERN_AUTH_JOB_OWNERS_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_JOB_OWNERS_MIN 64
#define PST_JOB_OWNERS_MAX (1u << 24)

struct pst_job_owners;

/* Takes over the jobs of the table that is there; room for `n_jobs`, rounded up to a power of two. A job is
 * forgotten `lifetime_us` after it began. A file that cannot be made or read is said in the log, and the
 * table is in memory then. 0, -PST_EINVAL, -PST_ENOMEM. */
int pst_job_owners_open(const char *data_dir, uint32_t n_jobs, uint64_t lifetime_us,
                        struct pst_job_owners **ret) PST_MUSTCHECK;
/* NULL is fine. */
void pst_job_owners_close(struct pst_job_owners *owners);

/* A job of `key_id` has begun, and `url` (or path) is where it is; one that has an owner keeps it. */
void pst_job_owners_add(struct pst_job_owners *owners, struct pst_str url, struct pst_str key_id,
                        int64_t now_real_us);
/* Whether a request of `key_id` (empty: none) for `path` is about no job of another key. */
bool pst_job_owners_permit(struct pst_job_owners *owners, struct pst_str path, struct pst_str key_id,
                           int64_t now_real_us) PST_MUSTCHECK;
/* How many jobs were forgotten before their time since the start, for want of room. */
uint64_t pst_job_owners_forgotten(const struct pst_job_owners *owners);

#endif
