/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of asynchronous jobs in paths and URLs: a job begun with POST is polled, read and deleted under
 * …/analyzeResults/{id}, …/jobs/{id} and the like, and its id, a GUID mostly, is all that tells it apart. A
 * container takes an id in several spellings (.NET's Guid.TryParse: with and without hyphens, in braces; any
 * case; percent-encoded), so all of them are brought to one. Pure functions, any thread. */
#ifndef POSTERN_HTTP_JOB_ID_H
#define POSTERN_HTTP_JOB_ID_H

#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Letters and digits of what counts as an id, at least one of them a digit. A GUID has 32. */
#define PST_JOB_ID_MIN 16
#define PST_JOB_ID_MAX 128

struct pst_job_id {
    char text[PST_JOB_ID_MAX]; /* small letters and digits */
    size_t len;
};

/* Takes the next id from the front of *rest, a path or a URL up to its '?'. False when there is none. */
bool pst_job_id_next(struct pst_str *rest, struct pst_job_id *ret_id);
/* The last one of a URL's path. */
bool pst_job_id_last(struct pst_str url, struct pst_job_id *ret_id);
/* Whether a path has a GUID in the one spelling that cannot be brought to the same form, {0x…,0x…,…}. */
bool pst_job_id_is_disguised(struct pst_str path);

#endif
