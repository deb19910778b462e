/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/exchange/routes.h"

#include "postern/http/path.h"

#include <stdlib.h>
#include <string.h>

struct pst_routes {
    struct pst_route rest;
    size_t n;
    struct pst_route rules[];
};

/* The values in the order of their enum. */
static const char *const credentials[] = {"any", "key", "certificate", "both", NULL};
static const char *const modes[] = {"off", "optional", "required", NULL};
static const char *const refusals[] = {"auto", "http", "close", NULL};

static const struct {
    struct pst_str name; /* with its "=" */
    const char *const *values;
} options[] = {
    {PST_STR("credentials="), credentials},
    {PST_STR("client_certificate="), modes},
    {PST_STR("websocket_refusal="), refusals},
};
enum { OPTION_CREDENTIALS, OPTION_CERTIFICATE, OPTION_REFUSAL };

static int value_of(const char *const *values, struct pst_str text)
{
    for (int i = 0; values[i] != NULL; i++) {
        if (pst_str_eq(text, pst_str_of(values[i])))
            return i;
    }
    return -1;
}

static void set_option(struct pst_route *route, size_t option, int value)
{
    switch (option) {
    case OPTION_CREDENTIALS:
        route->credentials = (enum pst_front_credentials)value;
        break;
    case OPTION_CERTIFICATE:
        route->certificate = (enum pst_certificate_mode)value;
        break;
    default:
        route->websocket_refusal = (enum pst_websocket_refusal)value;
        break;
    }
}

static int parse_option(struct pst_str word, struct pst_route *ret, struct pst_why *why)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (!pst_str_starts(word, options[i].name))
            continue;
        int value = value_of(options[i].values, pst_str_skip(word, options[i].name.len));
        if (value >= 0) {
            set_option(ret, i, value);
            return 0;
        }
        const char *const *v = options[i].values;
        return pst_why_set(why, -PST_EPARSE, NULL, "\"" PST_STR_FMT "\": it is one of %s, %s, %s%s%s",
                           PST_STR_ARG(word), v[0], v[1], v[2], v[3] != NULL ? ", " : "",
                           v[3] != NULL ? v[3] : "");
    }
    return pst_why_set(why, -PST_EPARSE, NULL,
                       "\"" PST_STR_FMT
                       "\" is not valid; use credentials=, client_certificate= or websocket_refusal=",
                       PST_STR_ARG(word));
}

static bool is_prefix(struct pst_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.p[i] <= ' ' || path.p[i] > '~' || strchr("?#%*", path.p[i]) != NULL)
            return false;
    }
    return pst_path_is_plain(path);
}

static int parse_rule(struct pst_str item, struct pst_route *ret, struct pst_why *why)
{
    struct pst_str rest;
    ret->path = pst_str_cut(item, ' ', &rest);
    if (!is_prefix(ret->path))
        return pst_why_set(
            why, -PST_EPARSE, NULL,
            "\"" PST_STR_FMT
            "\" is not a path; write one like /speech, for it and everything below it, without "
            "\"//\", dot segments, ';', '%%', '*', '?' and '#'",
            PST_STR_ARG(ret->path));
    if (ret->path.p[ret->path.len - 1] == '/')
        ret->path.len--;
    rest = pst_str_trim(rest);
    if (rest.len == 0)
        return pst_why_set(why, -PST_EPARSE, NULL,
                           "the route has no options; write credentials=, "
                           "client_certificate= or websocket_refusal=");
    while (rest.len > 0) {
        struct pst_str word = pst_str_cut(rest, ' ', &rest);
        int err = word.len > 0 ? parse_option(word, ret, why) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

int pst_routes_parse(char *const *items, size_t n, const struct pst_route *rest, struct pst_routes **ret,
                     struct pst_why *why)
{
    struct pst_routes *routes = calloc(1, sizeof(*routes) + n * sizeof(routes->rules[0]));
    if (routes == NULL)
        return pst_why_set(why, -PST_ENOMEM, NULL, "out of memory");
    routes->rest = *rest;
    routes->rest.number = 0;
    for (; routes->n < n; routes->n++) {
        struct pst_route *rule = &routes->rules[routes->n];
        *rule = *rest;
        rule->number = routes->n + 1;
        int err = parse_rule(pst_str_trim(pst_str_of(items[routes->n])), rule, why);
        if (err < 0) {
            free(routes);
            return err;
        }
    }
    *ret = routes;
    return 0;
}

void pst_routes_free(struct pst_routes *routes)
{
    free(routes);
}

const struct pst_route *pst_routes_find(const struct pst_routes *routes, struct pst_str path,
                                        bool *ret_unclear)
{
    *ret_unclear = routes->n > 0 && !pst_path_is_plain(path);
    for (size_t i = 0; i < routes->n && !*ret_unclear; i++) {
        if (pst_path_reads_below(path, routes->rules[i].path))
            return &routes->rules[i];
    }
    return &routes->rest;
}

size_t pst_routes_count(const struct pst_routes *routes)
{
    return routes->n;
}

const struct pst_route *pst_routes_at(const struct pst_routes *routes, size_t number)
{
    return number > 0 ? &routes->rules[number - 1] : &routes->rest;
}

static bool needs(const struct pst_route *route)
{
    return route->certificate == PST_CERTIFICATE_REQUIRED ||
           route->credentials >= PST_CREDENTIALS_CERTIFICATE;
}

bool pst_routes_need_certificates(const struct pst_routes *routes)
{
    bool need = needs(&routes->rest);
    for (size_t i = 0; i < routes->n; i++)
        need = need || needs(&routes->rules[i]);
    return need;
}
