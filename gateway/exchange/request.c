/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "certificate.h"
#include "postern/http/forwarded.h"
#include "postern/http/request_head.h"

/* The codec has no say in what is too large. */
static enum pst_error_id check_size(const struct exchange *x)
{
    uint64_t max = x->all->parts.settings->max_body_bytes;
    const struct pst_framing *framing = &x->request.framing;
    bool too_large = max > 0 && framing->kind == PST_BODY_LENGTH && framing->length > max;
    if (too_large)
        return PST_ERROR_BODY_TOO_LARGE;
    return x->request.target_too_long ? PST_ERROR_TARGET_TOO_LONG : PST_ERROR_NONE;
}

enum pst_error_id request_read(struct exchange *x, const struct pst_stream_request *read)
{
    struct request *request = &x->request;
    request->began = true;
    request->method = pst_arena_strdup(&x->arena, read->method); /* noted when the codec's is gone */
    request->is_head = pst_str_eq(request->method, PST_STR("HEAD"));
    request->http_1_0 = read->http_1_0;
    request->fields = read->fields;
    request->framing = read->framing;
    request->has_body = read->has_body;
    request->id_str = pst_request_id_take(&x->all->ids, &request->fields, request->id);
    enum pst_error_id id = read->malformed;
    if (id == PST_ERROR_NONE)
        id = check_size(x);
    if (id == PST_ERROR_NONE && !pst_request_method_forwards(request->method))
        id = PST_ERROR_METHOD;
    if (id == PST_ERROR_NONE)
        id = pst_target_parse(request->raw_target, request->method, &request->target);
    return id;
}

void request_client_address(const struct exchange *x, uint8_t address[static 16])
{
    const struct pst_front_settings *settings = x->all->parts.settings;
    pst_forwarded_client(&x->request.fields, x->stream->peer->address, settings->trusted_proxies,
                         settings->n_trusted_proxies, address);
}

enum pst_error_id request_leave_credentials_out(struct exchange *x)
{
    const struct pst_key_sources *sources = &x->all->parts.settings->key_sources;
    struct pst_field *storage = pst_arena_alloc(&x->arena, x->request.fields.n * sizeof(*storage));
    if (storage == NULL && x->request.fields.n > 0)
        return PST_ERROR_INTERNAL;
    pst_fields_init(&x->request.forward, storage, x->request.fields.n);
    PST_FIELDS_EACH(field, &x->request.fields)
    {
        if (!pst_credential_is_field(sources, field) &&
            pst_fields_add(&x->request.forward, field->name, field->value) < 0)
            return PST_ERROR_INTERNAL;
    }
    struct pst_str names[PST_CREDENTIAL_QUERY_NAMES_MAX];
    size_t n = pst_credential_query_names(sources, x->identity.query_counts, names);
    if (n == 0 || !x->request.target.has_query)
        return PST_ERROR_NONE;
    return pst_target_remove_params(&x->request.target, names, n, &x->arena) < 0 ? PST_ERROR_INTERNAL
                                                                                 : PST_ERROR_NONE;
}

enum pst_error_id request_write_head(struct exchange *x)
{
    struct pst_exchanges *all = x->all;
    const struct pst_origin *origin = pst_pool_origin(all->parts.pool);
    struct pst_str authority = origin != NULL ? pst_origin_authority(origin) : PST_STR("localhost");
    bool keep = all->parts.settings->keep_host && x->request.host.len > 0;
    struct pst_field added[CERTIFICATE_FIELDS_MAX];
    const struct pst_request_head head = {
        .added = added,
        .n_added = certificate_fields(x, added),
        .method = x->request.method,
        .target = &x->request.target,
        .fields = &x->request.forward,
        .framing = x->request.framing,
        .host = keep ? x->request.host : authority,
        .client_host = x->request.host,
        .client_address = pst_str_of(x->stream->peer->address_text),
        .client_proto = PST_STR("https"),
        .peer_trusted = x->stream->peer->trusted,
        .key_id = pst_str_of(x->identity.key.id),
        .request_id = x->request.id_str,
        .upgrade = x->request.upgrade ? PST_STR("websocket") : PST_STR(""),
    };
    return pst_request_head_write(&head, &x->attempt.head);
}
