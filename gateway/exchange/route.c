/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for: what holds on the path, and what is for Postern to respond to. */
#include "cors.h"
#include "phases.h"
#include "postern/http/path.h"
#include "request.h"

/* What holds on the path must not depend on who reads it. */
static enum pst_error_id find_route(struct exchange *x)
{
    bool unclear;
    x->route = pst_routes_find(x->all->parts.settings->routes, x->request.target.path, &unclear);
    return unclear ? PST_ERROR_PATH_SPELLING : PST_ERROR_NONE;
}

/* An open path that ends with a star: what is below it, but not itself. */
static bool is_in_tree(struct pst_str path, struct pst_str open)
{
    struct pst_str top = {open.p, open.len - 2};
    return pst_path_is_spelled_below(path, top) && path.len > top.len && pst_path_is_plain(path);
}

/* In the setting's own spelling only: any other needs a key, and is the container's to read. */
static bool path_is_open(const struct exchange *x)
{
    const struct pst_front_settings *settings = x->all->parts.settings;
    for (size_t i = 0; i < settings->n_open_paths; i++) {
        struct pst_str open = settings->open_paths[i];
        bool tree = pst_str_ends(open, PST_STR("/*"));
        if (tree ? is_in_tree(x->request.target.path, open) : pst_str_eq(open, x->request.target.path))
            return true;
    }
    return false;
}

/* The Speech SDK asks this before it connects, without a key, and takes the body of a 200 for its new URL: so
 * it is not for the container to answer, on whatever path. Any other status makes the SDK connect here. */
static bool asks_for_redirect(const struct exchange *x)
{
    struct pst_query_param param;
    const struct pst_target *target = &x->request.target;
    return target->has_query && pst_query_find(target->query, PST_STR("GenerateRedirectResponse"), &param);
}

/* Whether the request asks for a WebSocket, and what is wrong with that. */
static enum pst_error_id look_for_upgrade(struct exchange *x)
{
    struct request *request = &x->request;
    switch (pst_websocket_asked(&request->fields, request->method, request->http_1_0, request->framing)) {
    case PST_WEBSOCKET_NOT_ASKED:
        return PST_ERROR_NONE;
    case PST_WEBSOCKET_MALFORMED:
        return PST_ERROR_WEBSOCKET;
    case PST_WEBSOCKET_VERSION_UNKNOWN:
        return PST_ERROR_WEBSOCKET_VERSION;
    case PST_WEBSOCKET_ASKED:
        break;
    }
    /* A client sends nothing before the 101 (RFC 6455 section 4.1): to refuse it is one way less to smuggle.
     */
    if (x->stream->ops->has_more(x->stream))
        return PST_ERROR_WEBSOCKET;
    request->upgrade = true;
    pst_websocket_accept(pst_fields_value(&request->fields, PST_STR("sec-websocket-key")), request->accept);
    return PST_ERROR_NONE;
}

static const struct {
    struct pst_str method, path;
    enum local local;
} own[] = {
    {PST_STR("POST"), PST_STR("/sts/v1.0/issueToken"), LOCAL_ISSUE_TOKEN},
    {PST_STR("POST"), PST_STR("/issueToken"), LOCAL_ISSUE_TOKEN},
    {PST_STR("GET"), PST_STR("/sts/v1.0/keys"), LOCAL_TOKEN_KEYS},
};

/* Paths of the cloud's token service are written in several ways. */
static enum local find_local(const struct exchange *x)
{
    if (cors_asks(x))
        return LOCAL_PREFLIGHT;
    if (x->all->parts.sts == NULL || x->request.upgrade)
        return LOCAL_NONE;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (pst_str_eq(x->request.method, own[i].method) &&
            pst_path_reads_as(x->request.target.path, own[i].path))
            return own[i].local;
    }
    return LOCAL_NONE;
}

static enum pst_error_id look(struct exchange *x)
{
    struct request *request = &x->request;
    enum pst_error_id id = find_route(x);
    if (id == PST_ERROR_NONE)
        id = pst_target_host(&request->target, &request->fields, request->http_1_0, &request->host);
    if (id != PST_ERROR_NONE)
        return id;
    if (x->all->stopping)
        return PST_ERROR_SHUTTING_DOWN;
    if (x->stream->peer->over_limit)
        return PST_ERROR_TOO_MANY_CONNECTIONS;
    if (asks_for_redirect(x))
        return PST_ERROR_NO_REDIRECT;
    return look_for_upgrade(x);
}

enum pst_step phase_route(struct exchange *x, enum pst_error_id *ret_error)
{
    *ret_error = look(x);
    if (*ret_error != PST_ERROR_NONE)
        return PST_RESPOND;
    x->request.local = find_local(x);
    x->identity.open = path_is_open(x) || cors_leaves(x);
    return PST_NEXT;
}
