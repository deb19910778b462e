/* SPDX-License-Identifier: Apache-2.0 */
/* Browsers' requests across origins: Postern's responses, the container's too, bear Postern's fields. */
#include "cors.h"

static const struct pst_cors *cors_of(const struct exchange *x)
{
    return &x->all->parts.settings->cors;
}

void cors_look(struct exchange *x)
{
    if (!pst_cors_is_on(cors_of(x)))
        return;
    struct pst_str origin = pst_fields_value(&x->request.fields, PST_STR("origin"));
    if (origin.len > 0 && pst_cors_allows(cors_of(x), origin))
        x->response.origin = origin;
}

bool cors_asks(const struct exchange *x)
{
    return pst_cors_is_on(cors_of(x)) && pst_cors_is_preflight(x->request.method, &x->request.fields);
}

bool cors_leaves(const struct exchange *x)
{
    return !pst_cors_is_on(cors_of(x)) && !x->request.has_body && !x->request.upgrade &&
           pst_cors_is_preflight(x->request.method, &x->request.fields);
}

/* The container's own fields are replaced, Postern's are added. */
static void response_head(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response)
{
    struct pst_fields *fields = &response->fields;
    struct pst_field added[PST_CORS_FIELDS_MAX + PST_CORS_PREFLIGHT_FIELDS_MAX];
    size_t kept = 0;
    if (!pst_cors_is_on(cors_of(x)))
        return;
    for (size_t i = 0; theirs != NULL && i < fields->n; i++) {
        if (!pst_cors_is_field(fields->at[i].name))
            fields->at[kept++] = fields->at[i];
    }
    fields->n = theirs != NULL ? kept : fields->n;
    size_t n = pst_cors_fields(cors_of(x), x->response.origin, added);
    if (x->request.local == LOCAL_PREFLIGHT && x->response.origin.len > 0)
        n += pst_cors_preflight_fields(cors_of(x), &x->request.fields, added + n);
    for (size_t i = 0; i < n; i++)
        filter_add(response, added[i].name, added[i].value);
}

const struct filter cors_filter = {.name = "cors", .response_head = response_head};
