/* SPDX-License-Identifier: Apache-2.0 */
/* Browsers' requests across origins: Postern's answers, the container's too, bear Postern's fields. */
#include "internal.h"

static const struct pst_cors *cors_of(const struct exchange *x)
{
    return &x->client->front->parts.settings->cors;
}

void cors_look(struct exchange *x)
{
    if (!pst_cors_is_on(cors_of(x)))
        return;
    struct pst_str origin = pst_fields_value(&x->fields, PST_STR("origin"));
    if (origin.len > 0 && pst_cors_allows(cors_of(x), origin))
        x->origin = origin;
}

bool cors_asks(const struct exchange *x)
{
    return pst_cors_is_on(cors_of(x)) && pst_cors_is_preflight(x->method, &x->fields);
}

bool cors_leaves(const struct exchange *x)
{
    return !pst_cors_is_on(cors_of(x)) && !x->has_body && !x->upgrade &&
           pst_cors_is_preflight(x->method, &x->fields);
}

bool cors_replaces(const struct exchange *x, struct pst_str name)
{
    return pst_cors_is_on(cors_of(x)) && pst_cors_is_field(name);
}

size_t cors_fields(const struct exchange *x, struct pst_field fields[static CORS_FIELDS_MAX])
{
    size_t n = pst_cors_fields(cors_of(x), x->origin, fields);
    if (x->local == LOCAL_PREFLIGHT && x->origin.len > 0)
        n += pst_cors_preflight_fields(cors_of(x), &x->fields, fields + n);
    return n;
}
