/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/log.h"
#include "postern/base/num.h"

#define US_PER_MS 1000

static int add_key_sources(const struct pst_settings *settings, struct pst_key_sources *sources)
{
    pst_key_sources_init(sources);
    for (size_t i = 0; i < settings->n_key_sources; i++) {
        int err = pst_key_sources_add(sources, pst_str_of(settings->key_sources[i]));
        if (err < 0) {
            pst_error("server",
                      "key_sources: \"%s\" is not valid; write a header name or "
                      "\"Authorization: Scheme\"",
                      settings->key_sources[i]);
            return err;
        }
    }
    int err = pst_key_sources_set_query(sources, pst_str_of(settings->key_query_parameter));
    if (err < 0)
        pst_error("server", "key_query_parameter: \"%s\" is not a valid parameter name",
                  settings->key_query_parameter);
    return err;
}

static const struct pst_str *slices(struct pst_server *server, char *const *items, size_t n)
{
    struct pst_str *list = pst_arena_alloc(&server->texts, (n + 1) * sizeof(*list));
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = pst_str_of(items[i]);
    return list;
}

static int add_open_paths(struct pst_server *server)
{
    const struct pst_settings *settings = server->settings;
    server->front.n_open_paths = settings->n_open_paths;
    server->front.open_paths = slices(server, settings->open_paths, settings->n_open_paths);
    return server->front.open_paths != NULL ? 0 : -PST_ENOMEM;
}

/* "a, b" */
static struct pst_str join(struct pst_server *server, char *const *items, size_t n)
{
    struct pst_buf text;
    pst_buf_init(&text, 65536);
    for (size_t i = 0; i < n; i++)
        pst_buf_printf(&text, "%s%s", i > 0 ? ", " : "", items[i]);
    struct pst_str joined = pst_arena_strdup(&server->texts, pst_buf_str(&text));
    pst_buf_done(&text);
    return joined;
}

static int set_cors(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    char age[PST_U64_TEXT_MAX];
    struct pst_cors *cors = &server->front.cors;
    for (size_t i = 0; i < s->n_cors_allow_origins; i++) {
        if (pst_cors_origin_check(pst_str_of(s->cors_allow_origins[i])) == 0)
            continue;
        pst_error("server",
                  "cors_allow_origins: \"%s\" is not an origin; use https://host[:port], "
                  "https://*.domain or *, in lower case and without a path",
                  s->cors_allow_origins[i]);
        return -PST_EINVAL;
    }
    cors->n_origins = s->n_cors_allow_origins;
    cors->origins = slices(server, s->cors_allow_origins, s->n_cors_allow_origins);
    cors->methods = join(server, s->cors_allow_methods, s->n_cors_allow_methods);
    cors->headers = join(server, s->cors_allow_headers, s->n_cors_allow_headers);
    cors->expose = join(server, s->cors_expose_headers, s->n_cors_expose_headers);
    cors->max_age = pst_arena_strdup(&server->texts,
                                     (struct pst_str){age, pst_u64_format(s->cors_max_age_ms / 1000, age)});
    cors->credentials = s->cors_allow_credentials == PST_SETTING_ON;
    bool whole = cors->origins != NULL && cors->methods.p != NULL && cors->headers.p != NULL &&
                 cors->expose.p != NULL && cors->max_age.p != NULL;
    return whole ? 0 : -PST_ENOMEM;
}

static int set_routes(struct pst_server *server)
{
    struct pst_why why = {.text = ""};
    int err = pst_routes_of_settings(server->settings, &server->routes, &why);
    if (err < 0)
        pst_error("server", PST_ROUTES_SETTING ": %s", why.text);
    server->front.routes = server->routes;
    return err;
}

static int set_public_base(struct pst_server *server)
{
    const char *text = server->settings->public_url;
    if (text[0] == '\0')
        return 0;
    int err = pst_public_base_parse(pst_str_of(text), &server->front.public_base);
    if (err < 0)
        pst_error("server", "public_url: \"%s\" is not https://host[:port][/prefix]", text);
    return err;
}

/* Never more than with a key. */
static uint64_t keyless_max_body_bytes(const struct pst_settings *s)
{
    bool less = s->max_body_size_bytes > 0 && s->max_body_size_bytes < s->keyless_max_body_size_bytes;
    return less ? s->max_body_size_bytes : s->keyless_max_body_size_bytes;
}

int front_settings_make(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    server->front = (struct pst_front_settings){
        .trusted_proxies = s->trusted_proxies,
        .n_trusted_proxies = s->n_trusted_proxies,
        .region = pst_str_of(s->region),
        .upstream_names = s->upstream_names,
        .n_upstream_names = s->n_upstream_names,
        .flat_errors = s->error_shape == 1,
        .keys_off = s->key_authentication == PST_SETTING_OFF,
        .forward_certificate = s->client_certificate_forward == PST_SETTING_ON,
        .keep_host = s->host_header == PST_HOST_KEEP,
        .handshake_timeout_us = s->tls_handshake_timeout_ms * US_PER_MS,
        .head_timeout_us = s->client_head_timeout_ms * US_PER_MS,
        .idle_timeout_us = s->client_idle_timeout_ms * US_PER_MS,
        .send_timeout_us = s->client_send_timeout_ms * US_PER_MS,
        .min_rate_bytes = s->client_min_rate_bytes,
        .min_rate_grace_us = s->client_min_rate_grace_ms * US_PER_MS,
        .first_byte_timeout_us = s->upstream_first_byte_timeout_ms * US_PER_MS,
        .read_timeout_us = s->upstream_read_timeout_ms * US_PER_MS,
        .max_head_bytes = s->max_head_size_bytes,
        .max_target_bytes = s->max_target_size_bytes,
        .max_fields = s->max_headers,
        .max_body_bytes = s->max_body_size_bytes,
        .keyless_max_body_bytes = keyless_max_body_bytes(s),
        .keyless_body_timeout_us = s->keyless_body_timeout_ms * US_PER_MS,
        .max_connections = s->max_connections,
        .max_handshakes = s->tls_max_handshakes,
        .max_websockets = s->max_websockets,
        .websocket_idle_us = s->websocket_idle_timeout_ms * US_PER_MS,
        .websocket_max_us = s->websocket_max_duration_ms * US_PER_MS,
        .websocket_note_us = s->websocket_usage_interval_ms * US_PER_MS,
    };
    int err = add_key_sources(s, &server->front.key_sources);
    if (err == 0)
        err = set_public_base(server);
    if (err == 0)
        err = set_cors(server);
    if (err == 0)
        err = set_routes(server);
    return err < 0 ? err : add_open_paths(server);
}
