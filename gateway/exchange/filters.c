/* SPDX-License-Identifier: Apache-2.0 */
#include "filter.h"

#include "cors.h"
#include "links.h"
#include "rewrite.h"

/* In this order. */
static const struct filter *const chain[] = {
    &rewrite_filter, /* URLs in fields */
    &links_filter,   /* and in bodies */
    &cors_filter,
};

void filters_head(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response)
{
    for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++)
        chain[i]->response_head(x, theirs, response);
}
