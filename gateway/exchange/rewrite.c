/* SPDX-License-Identifier: Apache-2.0 */
#include "rewrite.h"

#include "postern/http/location.h"

/* The container's own bound for a head is larger; a URL of this size is no job's. */
#define URL_MAX_BYTES 16384

static bool base_of(const struct exchange *x, struct pst_public_base *ret_base)
{
    const struct pst_front_settings *settings = x->all->parts.settings;
    if (settings->public_base.authority.len > 0) {
        *ret_base = settings->public_base;
        return true;
    }
    return pst_public_base_of(&x->request.fields, x->request.host, x->stream->peer->trusted, ret_base);
}

struct pst_str rewrite_url(struct exchange *x, struct pst_str value)
{
    struct pst_public_base base;
    if (!base_of(x, &base))
        return value;
    const struct pst_exchanges *all = x->all;
    const struct pst_front_settings *settings = all->parts.settings;
    const struct pst_origin *origin = pst_pool_origin(all->parts.pool);
    struct pst_str upstream = origin != NULL ? pst_origin_authority(origin) : PST_STR("localhost");
    const struct pst_container_names container = {
        .authority = settings->keep_host && x->request.host.len > 0 ? x->request.host : upstream,
        .upstream = upstream,
        .names = settings->upstream_names,
        .n_names = settings->n_upstream_names,
    };
    struct pst_buf url;
    pst_buf_init(&url, URL_MAX_BYTES);
    if (pst_location_rewrite(value, &container, &base, x->request.target.path, &url)) {
        /* Rather none than one that leads elsewhere. */
        value = pst_buf_failed(&url) ? PST_STR("") : pst_arena_strdup(&x->arena, pst_buf_str(&url));
    }
    pst_buf_done(&url);
    return value.p != NULL ? value : PST_STR("");
}

/* A field whose URL could not be made is dropped: rather none than one that leads elsewhere. */
static void response_head(struct exchange *x, const struct pst_answer *theirs, struct pst_response *response)
{
    struct pst_fields *fields = &response->fields;
    size_t kept = 0;
    if (theirs == NULL)
        return;
    for (size_t i = 0; i < fields->n; i++) {
        struct pst_field field = fields->at[i];
        bool is_url = field.value.len > 0 && pst_location_is_field(field.name);
        if (is_url)
            field.value = rewrite_url(x, field.value);
        if (!is_url || field.value.len > 0)
            fields->at[kept++] = field;
    }
    fields->n = kept;
}

const struct filter rewrite_filter = {.name = "rewrite", .response_head = response_head};
