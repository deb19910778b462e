/* SPDX-License-Identifier: Apache-2.0 */
/* The request's head: what libmicrohttpd parsed is looked at a second time, and the head for the container is
 * written. */
#include "internal.h"

#include <string.h>

static enum pst_error_id read_fields(struct exchange *x)
{
    size_t max = x->client->front->parts.settings->max_fields;
    struct pst_field *storage = pst_arena_alloc(&x->arena, max * sizeof(*storage));
    if (storage == NULL)
        return PST_ERROR_INTERNAL;
    pst_fields_init(&x->fields, storage, max);
    bool whole = stream_fields(x->client, &x->fields);
    cors_look(x);
    return whole ? PST_ERROR_NONE : PST_ERROR_HEAD_TOO_LARGE;
}

static enum pst_error_id read_framing(struct exchange *x)
{
    uint64_t max = x->client->front->parts.settings->max_body_bytes;
    enum pst_error_id id = pst_framing_of_request(&x->fields, x->http_1_0, &x->framing);
    if (id != PST_ERROR_NONE)
        return id;
    x->has_body =
        x->framing.kind == PST_BODY_CHUNKED || (x->framing.kind == PST_BODY_LENGTH && x->framing.length > 0);
    x->expects_continue = pst_request_expects_continue(&x->fields, x->http_1_0);
    if (max > 0 && x->framing.kind == PST_BODY_LENGTH && x->framing.length > max)
        return PST_ERROR_BODY_TOO_LARGE;
    return PST_ERROR_NONE;
}

/* What holds on the path must not depend on who reads it. */
static enum pst_error_id find_route(struct exchange *x)
{
    bool unclear;
    x->route = pst_routes_find(x->client->front->parts.settings->routes, x->target.path, &unclear);
    return unclear ? PST_ERROR_PATH_SPELLING : PST_ERROR_NONE;
}

enum pst_error_id request_read(struct exchange *x, const char *method, const char *version)
{
    struct pst_front *front = x->client->front;
    x->method = pst_arena_strdup(&x->arena, pst_str_of(method)); /* noted when libmicrohttpd's own is gone */
    x->is_head = pst_str_eq(x->method, PST_STR("HEAD"));
    x->http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    enum pst_error_id too_many = read_fields(x);
    x->request_id_str = pst_request_id_take(&front->ids, &x->fields, x->request_id);
    enum pst_error_id id = read_framing(x); /* first: it decides how a refusal is sent */
    if (too_many != PST_ERROR_NONE)
        return too_many;
    if (id != PST_ERROR_NONE)
        return id;
    if (x->target_too_long)
        return PST_ERROR_TARGET_TOO_LONG;
    if (!pst_request_method_forwards(x->method))
        return PST_ERROR_METHOD;
    id = pst_target_parse(x->raw_target, x->method, &x->target);
    if (id == PST_ERROR_NONE)
        id = find_route(x);
    if (id == PST_ERROR_NONE)
        id = pst_target_host(&x->target, &x->fields, x->http_1_0, &x->host);
    if (id != PST_ERROR_NONE)
        return id;
    if (front->stopping)
        return PST_ERROR_SHUTTING_DOWN;
    return x->client->over_limit ? PST_ERROR_TOO_MANY_CONNECTIONS : PST_ERROR_NONE;
}

/* The Speech SDK asks this before it connects, without a key, and takes the body of a 200 for its new URL: so
 * it is not for the container to answer, on whatever path. Any other status makes the SDK connect here. */
enum pst_error_id request_answered_here(const struct exchange *x)
{
    struct pst_query_param param;
    bool asked = x->target.has_query && !x->upgrade &&
                 pst_query_find(x->target.query, PST_STR("GenerateRedirectResponse"), &param);
    return asked ? PST_ERROR_NO_REDIRECT : PST_ERROR_NONE;
}

enum pst_error_id request_write_head(struct exchange *x)
{
    struct pst_front *front = x->client->front;
    const struct pst_origin *origin = pst_pool_origin(front->parts.pool);
    struct pst_str authority = origin != NULL ? pst_origin_authority(origin) : PST_STR("localhost");
    bool keep = front->parts.settings->keep_host && x->host.len > 0;
    struct pst_field added[CERTIFICATE_FIELDS_MAX];
    const struct pst_request_head head = {
        .added = added,
        .n_added = certificate_fields(x, added),
        .method = x->method,
        .target = &x->target,
        .fields = &x->forward,
        .framing = x->framing,
        .host = keep ? x->host : authority,
        .client_host = x->host,
        .client_address = pst_str_of(x->client->address_text),
        .client_proto = PST_STR("https"),
        .peer_trusted = x->client->trusted,
        .key_id = pst_str_of(x->key.id),
        .request_id = x->request_id_str,
        .upgrade = x->upgrade ? PST_STR("websocket") : PST_STR(""),
    };
    return pst_request_head_write(&head, &x->head);
}
