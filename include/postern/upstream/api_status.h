/* SPDX-License-Identifier: Apache-2.0 */
/* What an Azure AI container says of its own subscription: `apiStatus` in the response to GET /status. */
#ifndef POSTERN_UPSTREAM_API_STATUS_H
#define POSTERN_UPSTREAM_API_STATUS_H

#include "postern/base/str.h"

#include <stddef.h>

enum pst_api_grade { PST_API_SERVES, PST_API_UNSURE, PST_API_REFUSES };

struct pst_api_status {
    const char *name; /* as the container spells it */
    enum pst_api_grade grade;
    const char *meaning;
    const char *todo; /* NULL: nothing */
};

/* All that are known, with their number. Static. */
const struct pst_api_status *pst_api_statuses(size_t *ret_n);
/* By name; NULL: not known here. */
const struct pst_api_status *pst_api_status_find(struct pst_str name);
/* The `apiStatus` in a body of /status; NULL when there is none, or one not known here. The body is looked
 * at, not parsed: it is fast enough for the request path, and the container decides its own content. */
const struct pst_api_status *pst_api_status_in(struct pst_str body);

#endif
