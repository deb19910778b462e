/* SPDX-License-Identifier: Apache-2.0 */
/* The request's head: what libmicrohttpd parsed is looked at a second time, the key is found and checked, and
 * the head for the container is written. */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/http/forwarded.h"

#include <microhttpd.h>
#include <string.h>

struct collect {
    struct pst_fields *fields;
    bool full;
};

static enum MHD_Result collect_field(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                     const char *value, size_t value_len)
{
    (void)kind;
    struct collect *collect = arg;
    struct pst_str v = {value, value != NULL ? value_len : 0};
    collect->full = pst_fields_add(collect->fields, (struct pst_str){name, name_len}, v) < 0;
    return collect->full ? MHD_NO : MHD_YES;
}

static enum pst_error_id read_fields(struct exchange *x)
{
    size_t max = x->client->front->parts.settings->max_fields;
    struct pst_field *storage = pst_arena_alloc(&x->arena, max * sizeof(*storage));
    if (storage == NULL)
        return PST_ERROR_INTERNAL;
    pst_fields_init(&x->fields, storage, max);
    struct collect collect = {.fields = &x->fields};
    MHD_get_connection_values_n(x->client->mhd, MHD_HEADER_KIND, collect_field, &collect);
    return collect.full ? PST_ERROR_HEAD_TOO_LARGE : PST_ERROR_NONE;
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

/* Exact, on the bytes as they came: another spelling of an open path needs a key, and is the container's to
 * read. */
static bool path_is_open(const struct exchange *x)
{
    const struct pst_front_settings *settings = x->client->front->parts.settings;
    for (size_t i = 0; i < settings->n_open_paths; i++) {
        if (pst_str_eq(settings->open_paths[i], x->target.path))
            return true;
    }
    return false;
}

/* Is it permitted to the key that was found? By the client's address, behind whatever trusted proxies. */
static enum pst_error_id check_permitted(struct exchange *x)
{
    const struct pst_front *front = x->client->front;
    const struct pst_front_settings *settings = front->parts.settings;
    uint8_t address[16];
    if (!x->key.has_policy)
        return PST_ERROR_NONE;
    pst_forwarded_client(&x->fields, x->client->address, settings->trusted_proxies,
                         settings->n_trusted_proxies, address);
    enum pst_key_verdict verdict = pst_keyring_permits(front->parts.keyring, front->parts.reader, &x->key,
                                                       x->method, x->target.path, address);
    if (verdict == PST_KEY_OK)
        return PST_ERROR_NONE;
    pst_debug("auth", "request %s from %s refused: key %s, %s", x->request_id, x->client->address_text,
              x->key.id, pst_key_verdict_text(verdict));
    return verdict == PST_KEY_SCOPE      ? PST_ERROR_KEY_SCOPE
           : verdict == PST_KEY_SPELLING ? PST_ERROR_KEY_SPELLING
           : verdict == PST_KEY_NETWORK  ? PST_ERROR_KEY_NETWORK
                                         : PST_ERROR_KEY_WRONG;
}

/* What is longer than any key may be a token. */
static enum pst_error_id check_token(struct exchange *x)
{
    enum pst_error_id id = bearer_check(x);
    return id == PST_ERROR_NONE ? check_permitted(x) : id;
}

static enum pst_error_id check_key(struct exchange *x, struct pst_str presented)
{
    struct pst_front *front = x->client->front;
    enum pst_key_verdict verdict = pst_keyring_check(front->parts.keyring, front->parts.reader, presented,
                                                     pst_loop_real_us(front->parts.loop), &x->key);
    if (verdict == PST_KEY_OK)
        return check_permitted(x);
    /* The client is told no more than that the key is wrong; the operator is. */
    pst_debug("auth", "request %s from %s refused: key %s is %s", x->request_id, x->client->address_text,
              x->key.id[0] != '\0' ? x->key.id : "(not known)", pst_key_verdict_text(verdict));
    return PST_ERROR_KEY_WRONG;
}

static enum pst_error_id judge(struct exchange *x, const struct pst_credential *credential)
{
    switch (credential->result) {
    case PST_CREDENTIAL_CONFLICT:
        return PST_ERROR_KEY_CONFLICT;
    case PST_CREDENTIAL_ONE:
        if (credential->too_long)
            return path_is_open(x) ? PST_ERROR_NONE : check_token(x);
        break;
    case PST_CREDENTIAL_EMPTY:
        return path_is_open(x) ? PST_ERROR_NONE : PST_ERROR_KEY_WRONG;
    case PST_CREDENTIAL_NONE:
        return path_is_open(x) ? PST_ERROR_NONE : PST_ERROR_KEY_MISSING;
    }
    enum pst_error_id id = check_key(x, pst_secret_str(&credential->value));
    return path_is_open(x) ? PST_ERROR_NONE : id;
}

/* What goes on is everything but the credentials. */
static enum pst_error_id leave_credentials_out(struct exchange *x)
{
    const struct pst_key_sources *sources = &x->client->front->parts.settings->key_sources;
    struct pst_field *storage = pst_arena_alloc(&x->arena, x->fields.n * sizeof(*storage));
    if (storage == NULL && x->fields.n > 0)
        return PST_ERROR_INTERNAL;
    pst_fields_init(&x->forward, storage, x->fields.n);
    PST_FIELDS_EACH(field, &x->fields)
    {
        if (!pst_credential_is_field(sources, field) &&
            pst_fields_add(&x->forward, field->name, field->value) < 0)
            return PST_ERROR_INTERNAL;
    }
    if (sources->query_len == 0 || !x->target.has_query)
        return PST_ERROR_NONE;
    struct pst_str name = {sources->query, sources->query_len};
    return pst_target_remove_params(&x->target, &name, 1, &x->arena) < 0 ? PST_ERROR_INTERNAL
                                                                         : PST_ERROR_NONE;
}

enum pst_error_id request_authenticate(struct exchange *x)
{
    const struct pst_key_sources *sources = &x->client->front->parts.settings->key_sources;
    struct pst_credential credential;
    pst_credential_find(sources, &x->fields, x->target.query, &credential);
    enum pst_error_id id = judge(x, &credential);
    pst_credential_done(&credential);
    return id == PST_ERROR_NONE ? leave_credentials_out(x) : id;
}

enum pst_error_id request_write_head(struct exchange *x)
{
    struct pst_front *front = x->client->front;
    const struct pst_origin *origin = pst_pool_origin(front->parts.pool);
    struct pst_str authority = origin != NULL ? pst_origin_authority(origin) : PST_STR("localhost");
    bool keep = front->parts.settings->keep_host && x->host.len > 0;
    const struct pst_request_head head = {
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
