/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of asynchronous jobs in paths and URLs: a job begun with POST is polled, read and deleted under
 * …/analyzeResults/{id}, …/jobs/{id} and the like, and its id, a GUID mostly, is all that tells it apart.
 * What a container compares is not the text but what its parser makes of it, so all spellings that such
 * parsers take are brought to one:
 *
 *   .NET    Guid.Parse: with and without hyphens, in braces, parentheses and white space; "+" and "0x" inside
 * a component ("+0x4"); int.Parse: a sign and any number of leading zeros Java    UUID.fromString: components
 * without their leading zeros, or with more digits than count; digits of other scripts Python  uuid.UUID:
 * hyphens anywhere, "_" between digits, "+", "0x", digits of other scripts
 *
 * in any case, percent-encoded, also twice. Pure functions, any thread. */
#ifndef POSTERN_HTTP_JOB_ID_H
#define POSTERN_HTTP_JOB_ID_H

#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Letters and digits of what counts as an id, at least one of them a digit. A GUID has 32; one of five groups
 * of hexadecimal digits may have fewer. */
#define PST_JOB_ID_MIN 16
#define PST_JOB_ID_MAX 128
/* What one spelling may stand for: its digits one after the other, and by groups. */
#define PST_JOB_IDS_MAX 2

struct pst_job_id {
    char text[PST_JOB_ID_MAX]; /* small letters and digits; hexadecimal numbers with leading zeros to 32 */
    size_t len;
};

struct pst_job_id_scan {
    struct pst_str rest; /* a path, or a URL up to its '?' or '#' */
    bool twice;          /* decodes what is percent-encoded twice */
};

/* Takes the next id from the front of what is to be scanned. Returns how many it may be, 0 at the end. */
size_t pst_job_id_next(struct pst_job_id_scan *scan, struct pst_job_id ret_ids[static PST_JOB_IDS_MAX]);
/* The last one of a URL's path, as it is meant when it is spelled in the usual way. */
bool pst_job_id_last(struct pst_str url, struct pst_job_id *ret_id);
/* Whether a path has a GUID in the one spelling that is not brought to the same form, {0x…,0x…,…}. */
bool pst_job_id_is_disguised(struct pst_job_id_scan scan);

#endif
