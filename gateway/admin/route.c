/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations, and what all of them have in common: unknown parameters are refused, a body is
 * one JSON object. */
#include "assets.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>

static admin_names no_query = {NULL};
static admin_names list_query = {"id",           "state", "text",  "name",   "tag", "expires_before",
                                 "unused_since", "sort",  "limit", "cursor", NULL};
static admin_names audit_query = {"from", "to", "action", "target", "actor", "limit", "cursor", NULL};
static admin_names usage_query = {"by",     "from",  "to",    "key",    "route",
                                  "status", "error", "limit", "format", NULL};

static admin_names requests_query = {"from",  "to",    "key",    "route", "status",
                                     "error", "limit", "cursor", NULL};

#define VIEWER  ADMIN_NEEDS_VIEWER
#define ADMIN   ADMIN_NEEDS_ADMIN
#define NOTHING ADMIN_NEEDS_NOTHING
#define BODY    ADMIN_TAKES_BODY
#define USAGE   ADMIN_READS_USAGE

static const struct admin_route routes[] = {
    {"GET", "/metrics", no_query, 0, VIEWER, admin_metrics_get},
    {"GET", "/admin/v1/openapi.json", no_query, 0, VIEWER, admin_openapi_get},
    {"GET", "/admin/v1/status", no_query, 0, VIEWER, admin_status_get},
    {"GET", "/admin/v1/settings", no_query, 0, VIEWER, admin_settings_get},
    {"GET", "/admin/v1/usage", usage_query, USAGE, VIEWER, admin_usage_get},
    {"GET", "/admin/v1/requests", requests_query, USAGE, VIEWER, admin_requests_list},
    {"GET", "/admin/v1/audit", audit_query, 0, VIEWER, admin_audit_list},
    {"GET", "/admin/v1/keys", list_query, 0, VIEWER, admin_keys_list},
    {"POST", "/admin/v1/keys", no_query, BODY, ADMIN, admin_keys_create},
    {"POST", "/admin/v1/keys/import", no_query, BODY, ADMIN, admin_keys_import},
    {"GET", "/admin/v1/keys/{}", no_query, 0, VIEWER, admin_key_get},
    {"PATCH", "/admin/v1/keys/{}", no_query, BODY, ADMIN, admin_key_change},
    {"DELETE", "/admin/v1/keys/{}", no_query, 0, ADMIN, admin_key_delete},
    {"POST", "/admin/v1/keys/{}/rotate", no_query, BODY, ADMIN, admin_key_rotate},
    {"DELETE", "/admin/v1/keys/{}/secrets/{}", no_query, 0, ADMIN, admin_key_revoke},
    {"POST", "/admin/v1/session", no_query, BODY, NOTHING, admin_session_open_route},
    {"GET", "/admin/v1/session", no_query, 0, VIEWER, admin_session_get},
    {"DELETE", "/admin/v1/session", no_query, 0, VIEWER, admin_session_close_route},
    {"POST", "/admin/v1/session/confirm", no_query, BODY, VIEWER, admin_session_confirm_route},
    {"GET", "/admin/v1/sessions", no_query, 0, ADMIN, admin_sessions_list},
    {"DELETE", "/admin/v1/sessions/{}", no_query, 0, ADMIN, admin_sessions_end},
    {"GET", "/admin/v1/tokens", no_query, 0, ADMIN, admin_tokens_list_route},
    {"POST", "/admin/v1/tokens", no_query, BODY, ADMIN, admin_tokens_create},
    {"DELETE", "/admin/v1/tokens/{}", no_query, 0, ADMIN, admin_tokens_revoke_route},
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

static bool matches(const char *pattern, const char *path, struct pst_str params[ADMIN_PARAMS_MAX])
{
    struct pst_str p = pst_str_of(pattern), s = pst_str_of(path);
    size_t n = 0;
    while (p.len > 0 && s.len > 0) {
        struct pst_str want = pst_str_cut(p, '/', &p), is = pst_str_cut(s, '/', &s);
        if (pst_str_eq(want, PST_STR("{}")) && is.len > 0)
            params[n++] = is;
        else if (!pst_str_eq(want, is))
            return false;
    }
    return p.len == 0 && s.len == 0 && path[strlen(path) - 1] != '/';
}

/* "GET, HEAD, POST" is "GET, HEAD or POST" in a sentence. */
static void fail_method(struct admin_request *r)
{
    const char *last = strrchr(r->allow, ',');
    int first = last != NULL ? (int)(last - r->allow) : 0;
    admin_fail(r, 405, "MethodNotAllowed", "Method not allowed; use %.*s%s%s.", first, r->allow,
               last != NULL ? " or " : "", last != NULL ? last + 2 : r->allow);
}

/* Literal paths come before patterns that fit them too. NULL: the answer has been made. */
static const struct admin_route *find(struct admin_request *r, const char *path)
{
    const char *pattern = NULL;
    size_t len = 0;
    for (size_t i = 0; i < N_ROUTES; i++) {
        if (pattern != NULL ? strcmp(routes[i].pattern, pattern) != 0
                            : !matches(routes[i].pattern, path, r->params))
            continue;
        pattern = routes[i].pattern;
        const char *method = routes[i].method;
        bool get = strcmp(method, "GET") == 0;
        if (strcmp(method, r->method) == 0 || (get && strcmp(r->method, "HEAD") == 0))
            return &routes[i];
        snprintf(r->allow + len, sizeof(r->allow) - len, "%s%s", len > 0 ? ", " : "",
                 get ? "GET, HEAD" : method);
        len = strlen(r->allow);
    }
    if (pattern == NULL) {
        admin_fail(r, 404, "NotFound", "No such endpoint; see /admin/v1/openapi.json.");
        return NULL;
    }
    fail_method(r);
    return NULL;
}

struct query_check {
    struct admin_request *r;
    const char *const *allowed;
};

static enum MHD_Result check_parameter(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                       const char *value, size_t value_size)
{
    struct query_check *check = arg;
    struct admin_request *r = check->r;
    (void)kind;
    const char *const *at = check->allowed;
    while (*at != NULL && (strcmp(*at, name) != 0 || strlen(name) != name_size))
        at++;
    if (*at == NULL)
        admin_fail(r, 400, "BadParameter", "Unknown query parameter \"%.64s\".", name);
    else if (value == NULL)
        admin_fail(r, 400, "BadParameter", "The query parameter %s needs a value.", name);
    else if (strlen(value) != value_size)
        admin_fail(r, 400, "BadParameter", "The query parameter %s contains a NUL character.", name);
    else if (admin_query(r, name) != value)
        admin_fail(r, 400, "BadParameter", "The query parameter %s is given twice.", name);
    return admin_failed(r) ? MHD_NO : MHD_YES;
}

/* What jansson objects to that is more than a slip of syntax. */
static const char *what_is_wrong(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "A field is given twice";
    case json_error_null_character:
        return "A text contains a NUL character";
    case json_error_numeric_overflow:
        return "A number is too large";
    case json_error_stack_overflow:
        return "The JSON is nested too deeply";
    default:
        return "Invalid JSON";
    }
}

static void read_body(struct admin_request *r)
{
    const char *type = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Type");
    struct pst_str kind = pst_str_of(type), rest;
    kind = pst_str_trim(pst_str_cut(kind, ';', &rest));
    if (!pst_str_ieq(kind, PST_STR("application/json"))) {
        admin_fail(r, 415, "UnsupportedMediaType",
                   "Send the body as JSON, with Content-Type: application/json.");
        return;
    }
    json_error_t error;
    struct pst_str text = pst_buf_str(&r->body);
    if (text.len == 0) {
        admin_fail(r, 400, "BadJson", "The body is empty; send a JSON object.");
        return;
    }
    r->input = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (r->input == NULL)
        admin_fail(r, 400, "BadJson", "%s at line %d, column %d.", what_is_wrong(&error), error.line,
                   error.column);
    else if (!json_is_object(r->input))
        admin_fail(r, 400, "BadJson", "The body must be a JSON object.");
}

void admin_admit(struct admin_request *r, const char *path)
{
    admin_head_check(r);
    if (!admin_failed(r))
        path = admin_head_path(r, path);
    /* Whoever may not ask anything at all learns nothing of what there is. */
    if (!admin_failed(r))
        admin_caller_check(r, ADMIN_NEEDS_NOTHING);
    if (admin_failed(r) || admin_asset_answer(r, path))
        return;
    r->route = find(r, path);
    if (r->route != NULL && r->route->needs != ADMIN_NEEDS_NOTHING)
        admin_caller_check(r, r->route->needs);
}

void admin_read(struct admin_request *r)
{
    struct query_check check = {r, r->route->query};
    MHD_get_connection_values_n(r->connection, MHD_GET_ARGUMENT_KIND, check_parameter, &check);
    if (!admin_failed(r) && (r->route->what & ADMIN_TAKES_BODY) != 0)
        read_body(r);
}

void admin_handle(struct admin_request *r)
{
    /* While the body came, the token may have been revoked, and the session's place be another's by now. */
    if (r->route->needs != ADMIN_NEEDS_NOTHING)
        admin_caller_check(r, r->route->needs);
    if (admin_failed(r))
        return;
    admin_audit_actor(r);
    r->route->handle(r);
}
