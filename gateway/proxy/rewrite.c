/* SPDX-License-Identifier: Apache-2.0 */
/* What is changed in the container's answer on its way to the client. */
#include "internal.h"
#include "postern/http/location.h"

/* The container's own bound for a head is larger; a URL of this size is no job's. */
#define URL_MAX_BYTES 16384

static bool base_of(const struct exchange *x, struct pst_public_base *ret_base)
{
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    if (settings->public_base.authority.len > 0) {
        *ret_base = settings->public_base;
        return true;
    }
    return pst_public_base_of(&x->fields, x->host, x->client->trusted, ret_base);
}

struct pst_str rewrite_url(struct exchange *x, struct pst_str value)
{
    struct pst_public_base base;
    if (!base_of(x, &base))
        return value;
    const struct pst_front *front = x->client->front;
    const struct pst_front_settings *settings = front->parts.settings;
    const struct pst_origin *origin = pst_pool_origin(front->parts.pool);
    struct pst_str upstream = origin != NULL ? pst_origin_authority(origin) : PST_STR("localhost");
    const struct pst_container_names container = {
        .authority = settings->keep_host && x->host.len > 0 ? x->host : upstream,
        .upstream = upstream,
        .names = settings->upstream_names,
        .n_names = settings->n_upstream_names,
    };
    struct pst_buf url;
    pst_buf_init(&url, URL_MAX_BYTES);
    if (pst_location_rewrite(value, &container, &base, x->target.path, &url)) {
        /* Rather none than one that leads elsewhere. */
        value = pst_buf_failed(&url) ? PST_STR("") : pst_arena_strdup(&x->arena, pst_buf_str(&url));
    }
    pst_buf_done(&url);
    return value.p != NULL ? value : PST_STR("");
}

struct pst_str rewrite_value(struct exchange *x, const struct pst_field *field)
{
    return pst_location_is_field(field->name) ? rewrite_url(x, field->value) : field->value;
}
