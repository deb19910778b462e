/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/location.h"

#include "postern/http/target.h"

#define HTTP  PST_STR("http")
#define HTTPS PST_STR("https")

/* How a program calls the machine it runs on. */
static const struct pst_str loopback[] = {PST_STR("localhost"), PST_STR("127.0.0.1"), PST_STR("[::1]"),
                                          PST_STR("0.0.0.0"), PST_STR("[::]")};

static const struct pst_str url_fields[] = {PST_STR("location"), PST_STR("content-location"),
                                            PST_STR("operation-location"), PST_STR("azure-asyncoperation")};

bool pst_location_is_field(struct pst_str name)
{
    for (size_t i = 0; i < sizeof(url_fields) / sizeof(url_fields[0]); i++) {
        if (name.len == url_fields[i].len && pst_str_ieq(name, url_fields[i]))
            return true;
    }
    return false;
}

/* The bytes in front of the first '/', '?' or '#'. */
static struct pst_str until_path(struct pst_str s)
{
    size_t n = 0;
    while (n < s.len && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#')
        n++;
    return (struct pst_str){s.p, n};
}

/* "host" and ":port" of host[:port]; the port is empty without one. */
static struct pst_str host_of(struct pst_str authority, struct pst_str *ret_port)
{
    size_t n = authority.len;
    while (n > 0 && authority.p[n - 1] >= '0' && authority.p[n - 1] <= '9')
        n--;
    bool has_port = n > 0 && authority.p[n - 1] == ':';
    *ret_port = has_port ? pst_str_skip(authority, n) : PST_STR("");
    return has_port ? (struct pst_str){authority.p, n - 1} : authority;
}

static bool same_port(struct pst_str a, struct pst_str b, struct pst_str usual)
{
    return pst_str_eq(a.len > 0 ? a : usual, b.len > 0 ? b : PST_STR("80"));
}

static bool same_authority(struct pst_str host, struct pst_str port, struct pst_str usual,
                           struct pst_str authority)
{
    struct pst_str own_port;
    struct pst_str own_host = host_of(authority, &own_port);
    return pst_str_ieq(host, own_host) && same_port(port, own_port, usual);
}

static bool is_container(struct pst_str authority, bool https, const struct pst_container_names *container)
{
    struct pst_str port, own_port;
    struct pst_str usual = https ? PST_STR("443") : PST_STR("80");
    struct pst_str host = host_of(authority, &port);
    if (pst_str_ieq(authority, container->authority) ||
        same_authority(host, port, usual, container->authority) ||
        same_authority(host, port, usual, container->upstream))
        return true;
    (void)host_of(container->upstream, &own_port);
    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        if (pst_str_ieq(host, loopback[i]) && same_port(port, own_port, usual))
            return true;
    }
    for (size_t i = 0; i < container->n_names; i++) {
        struct pst_str name_port;
        struct pst_str name = host_of(pst_str_of(container->names[i]), &name_port);
        if (pst_str_ieq(host, name) && (name_port.len == 0 || same_port(port, name_port, usual)))
            return true;
    }
    return false;
}

/* Takes "http:" or "https:" off `s`. */
static bool skip_scheme(struct pst_str *s, struct pst_str *ret_scheme)
{
    struct pst_str rest;
    struct pst_str scheme = pst_str_cut(*s, ':', &rest);
    if (!pst_str_ieq(scheme, HTTP) && !pst_str_ieq(scheme, HTTPS))
        return false;
    *ret_scheme = pst_str_ieq(scheme, HTTPS) ? HTTPS : HTTP;
    *s = rest;
    return true;
}

/* Visible ASCII that may stand in a path. */
static bool is_prefix(struct pst_str s)
{
    if (s.len < 2 || s.p[0] != '/' || s.p[1] == '/')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~' || memchr("\"#<>?\\^`{|}", s.p[i], 11) != NULL)
            return false;
    }
    return true;
}

static struct pst_str without_slashes(struct pst_str s)
{
    while (s.len > 0 && s.p[s.len - 1] == '/')
        s.len--;
    return s;
}

int pst_public_base_parse(struct pst_str text, struct pst_public_base *ret_base)
{
    struct pst_public_base base;
    if (!skip_scheme(&text, &base.scheme) || !pst_str_starts(text, PST_STR("//")))
        return -PST_EPARSE;
    text = pst_str_skip(text, 2);
    base.authority = until_path(text);
    base.prefix = without_slashes(pst_str_skip(text, base.authority.len));
    if (base.authority.len == 0 || !pst_authority_is_valid(base.authority) ||
        (base.prefix.len > 0 && !is_prefix(base.prefix)))
        return -PST_EPARSE;
    *ret_base = base;
    return 0;
}

static struct pst_str last_element(const struct pst_fields *fields, struct pst_str name)
{
    struct pst_str last = PST_STR(""), element;
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, name, field)) != NULL) {
        struct pst_str rest = field->value;
        while (pst_field_list_next(&rest, &element))
            last = element;
    }
    return last;
}

bool pst_public_base_of(const struct pst_fields *fields, struct pst_str host, bool peer_trusted,
                        struct pst_public_base *ret_base)
{
    struct pst_public_base base = {.scheme = HTTPS, .authority = host, .prefix = PST_STR("")};
    if (peer_trusted) {
        struct pst_str proto = last_element(fields, PST_STR("x-forwarded-proto"));
        struct pst_str told = last_element(fields, PST_STR("x-forwarded-host"));
        struct pst_str prefix = without_slashes(last_element(fields, PST_STR("x-forwarded-prefix")));
        if (pst_str_ieq(proto, HTTP))
            base.scheme = HTTP;
        if (told.len > 0 && pst_authority_is_valid(told))
            base.authority = told;
        if (is_prefix(prefix))
            base.prefix = prefix;
    }
    *ret_base = base;
    return base.authority.len > 0;
}

/* The part of the request's path that a relative reference stands behind (RFC 3986 section 5.2.3). */
static struct pst_str path_before(struct pst_str path, struct pst_str value)
{
    if (value.p[0] == '/')
        return PST_STR("");
    if (path.len == 0 || path.p[0] != '/')
        return PST_STR("/");
    while (value.p[0] != '?' && path.p[path.len - 1] != '/')
        path.len--;
    return path;
}

static void write_base(const struct pst_public_base *base, struct pst_buf *out)
{
    pst_buf_add_str(out, base->scheme);
    pst_buf_add_str(out, PST_STR("://"));
    pst_buf_add_str(out, base->authority);
    pst_buf_add_str(out, base->prefix);
}

bool pst_location_rewrite(struct pst_str value, const struct pst_container_names *container,
                          const struct pst_public_base *base, struct pst_str path, struct pst_buf *out)
{
    struct pst_str rest = value, scheme = HTTP;
    bool has_scheme = skip_scheme(&rest, &scheme);
    if (pst_str_starts(rest, PST_STR("//"))) {
        rest = pst_str_skip(rest, 2);
        struct pst_str authority = until_path(rest);
        if (!is_container(authority, pst_str_eq(scheme, HTTPS), container))
            return false;
        write_base(base, out);
        pst_buf_add_str(out, pst_str_skip(rest, authority.len));
        return true;
    }
    bool other_scheme = pst_str_find(until_path(value), ':') >= 0;
    if (has_scheme || other_scheme || value.len == 0 || value.p[0] == '#')
        return false;
    write_base(base, out);
    pst_buf_add_str(out, path_before(path, value));
    pst_buf_add_str(out, value);
    return true;
}
