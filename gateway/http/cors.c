/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/cors.h"

#define ANY PST_STR("*")

static struct pst_str scheme_of(struct pst_str origin)
{
    static const struct pst_str schemes[] = {PST_STR("https://"), PST_STR("http://")};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (pst_str_starts(origin, schemes[i]))
            return schemes[i];
    }
    return PST_STR("");
}

static bool is_port(struct pst_str port, struct pst_str scheme)
{
    if (port.len == 0 || port.len > 5 || port.p[0] == '0')
        return false;
    for (size_t i = 0; i < port.len; i++) {
        if (port.p[i] < '0' || port.p[i] > '9')
            return false;
    }
    return !pst_str_eq(port, pst_str_eq(scheme, PST_STR("https://")) ? PST_STR("443") : PST_STR("80"));
}

static bool is_host(struct pst_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        if (!fits)
            return false;
    }
    return host.len > 0 && host.p[0] != '.';
}

/* "[::1]", whole. */
static bool is_ipv6(struct pst_str host)
{
    if (host.len < 4 || host.p[0] != '[' || host.p[host.len - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < host.len; i++) {
        char c = host.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.'))
            return false;
    }
    return true;
}

int pst_cors_origin_check(struct pst_str pattern)
{
    if (pst_str_eq(pattern, ANY))
        return 0;
    struct pst_str scheme = scheme_of(pattern), host = pst_str_skip(pattern, scheme.len);
    if (scheme.len == 0)
        return -PST_EPARSE;
    if (pst_str_starts(host, PST_STR("*.")))
        host = pst_str_skip(host, 2);
    size_t n = host.len;
    while (n > 0 && host.p[n - 1] != ':' && host.p[n - 1] != ']')
        n--;
    if (n > 0 && host.p[n - 1] == ':') {
        if (!is_port(pst_str_skip(host, n), scheme))
            return -PST_EPARSE;
        host.len = n - 1;
    }
    return is_host(host) || is_ipv6(host) ? 0 : -PST_EPARSE;
}

static bool fits(struct pst_str pattern, struct pst_str origin)
{
    if (pst_str_eq(pattern, ANY) || pst_str_eq(pattern, origin))
        return true;
    struct pst_str scheme = scheme_of(pattern), below = pst_str_skip(pattern, scheme.len);
    if (!pst_str_starts(below, PST_STR("*.")) || !pst_str_starts(origin, scheme))
        return false;
    struct pst_str host = pst_str_skip(origin, scheme.len);
    below = pst_str_skip(below, 1); /* ".domain" */
    if (host.len <= below.len || !pst_str_ends(host, below))
        return false;
    host.len -= below.len;
    return is_host(host) && host.p[host.len - 1] != '.';
}

bool pst_cors_allows(const struct pst_cors *cors, struct pst_str origin)
{
    for (size_t i = 0; i < cors->n_origins; i++) {
        if (fits(cors->origins[i], origin))
            return true;
    }
    return false;
}

bool pst_cors_is_preflight(struct pst_str method, const struct pst_fields *fields)
{
    return pst_str_eq(method, PST_STR("OPTIONS")) && pst_fields_find(fields, PST_STR("origin")) != NULL &&
           pst_fields_find(fields, PST_STR("access-control-request-method")) != NULL;
}

bool pst_cors_is_field(struct pst_str name)
{
    return pst_str_istarts(name, PST_STR("access-control-"));
}

static bool takes_all(const struct pst_cors *cors)
{
    for (size_t i = 0; i < cors->n_origins; i++) {
        if (pst_str_eq(cors->origins[i], ANY))
            return !cors->credentials; /* "*" means no page when credentials are sent (Fetch standard) */
    }
    return false;
}

size_t pst_cors_fields(const struct pst_cors *cors, struct pst_str origin,
                       struct pst_field ret[static PST_CORS_FIELDS_MAX])
{
    size_t n = 0;
    bool all = takes_all(cors);
    /* Also without an Origin: a cache must not show this answer to a page that may read it. */
    if (pst_cors_is_on(cors) && !all)
        ret[n++] = (struct pst_field){PST_STR("Vary"), PST_STR("Origin")};
    if (origin.len == 0)
        return n;
    ret[n++] = (struct pst_field){PST_STR("Access-Control-Allow-Origin"), all ? ANY : origin};
    if (cors->credentials)
        ret[n++] = (struct pst_field){PST_STR("Access-Control-Allow-Credentials"), PST_STR("true")};
    if (cors->expose.len > 0)
        ret[n++] = (struct pst_field){PST_STR("Access-Control-Expose-Headers"), cors->expose};
    return n;
}

/* A list of tokens, as browsers write it. */
static bool is_list_of_tokens(struct pst_str list)
{
    struct pst_str element;
    while (pst_field_list_next(&list, &element)) {
        if (!pst_http_is_token(element))
            return false;
    }
    return true;
}

size_t pst_cors_preflight_fields(const struct pst_cors *cors, const struct pst_fields *request,
                                 struct pst_field ret[static PST_CORS_PREFLIGHT_FIELDS_MAX])
{
    size_t n = 0;
    struct pst_str asked = pst_fields_value(request, PST_STR("access-control-request-headers"));
    struct pst_str headers = cors->headers.len > 0 ? cors->headers : asked;
    ret[n++] = (struct pst_field){PST_STR("Access-Control-Allow-Methods"), cors->methods};
    if (headers.len > 0 && is_list_of_tokens(headers))
        ret[n++] = (struct pst_field){PST_STR("Access-Control-Allow-Headers"), headers};
    ret[n++] = (struct pst_field){PST_STR("Access-Control-Max-Age"), cors->max_age};
    if (cors->headers.len == 0)
        ret[n++] = (struct pst_field){PST_STR("Vary"), PST_STR("Access-Control-Request-Headers")};
    return n;
}
