/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/target.h"

#include "postern/base/num.h"

#include "names.h"

/* The byte an escape at `i` stands for, or -1. */
static int escaped_byte(struct pst_str s, size_t i)
{
    if (s.len - i < 3)
        return -1;
    int high = http_hex_digit(s.p[i + 1]);
    int low = http_hex_digit(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Of a path: also that none stands for a NUL. */
static bool escapes_are_good(struct pst_str s, bool is_path)
{
    for (ptrdiff_t at; (at = pst_str_find(s, '%')) >= 0; s = pst_str_skip(s, (size_t)at + 3)) {
        int byte = escaped_byte(s, (size_t)at);
        if (byte < 0 || (byte == 0 && is_path))
            return false;
    }
    return true;
}

static bool port_is_valid(struct pst_str digits)
{
    uint64_t port;
    /* "host:" with nothing behind it is allowed by RFC 3986 section 3.2.3. */
    return digits.len == 0 || (digits.len <= 5 && pst_num_u64(digits, &port) == 0 && port <= 65535);
}

static bool ipv6_literal_is_valid(struct pst_str inside)
{
    for (size_t i = 0; i < inside.len; i++) {
        if (http_hex_digit(inside.p[i]) < 0 && inside.p[i] != ':' && inside.p[i] != '.')
            return false;
    }
    return inside.len >= 2;
}

bool pst_authority_is_valid(struct pst_str s)
{
    struct pst_str rest;
    if (s.len > 0 && s.p[0] == '[') {
        ptrdiff_t end = pst_str_find(s, ']');
        if (end < 0 || !ipv6_literal_is_valid((struct pst_str){s.p + 1, (size_t)end - 1}))
            return false;
        rest = pst_str_skip(s, (size_t)end + 1);
        return rest.len == 0 || (rest.p[0] == ':' && port_is_valid(pst_str_skip(rest, 1)));
    }
    struct pst_str host = pst_str_cut(s, ':', &rest);
    return host.len > 0 && http_all(host, HTTP_REG_NAME) && port_is_valid(rest);
}

/* Splits "path?query" and looks at both. */
static enum pst_error_id split_path(struct pst_str s, struct pst_target *target)
{
    target->path = pst_str_cut(s, '?', &target->query);
    target->has_query = target->query.p != NULL;
    if (pst_str_find(target->path, '\\') >= 0)
        return PST_ERROR_TARGET;
    target->query_is_loose = !escapes_are_good(target->query, false);
    return escapes_are_good(target->path, true) ? PST_ERROR_NONE : PST_ERROR_TARGET_ESCAPE;
}

/* Index of the first '/' or '?', or the length. */
static size_t authority_end(struct pst_str s)
{
    size_t i = 0;
    while (i < s.len && s.p[i] != '/' && s.p[i] != '?')
        i++;
    return i;
}

static enum pst_error_id parse_absolute(struct pst_str after_scheme, struct pst_str method,
                                        struct pst_target *target)
{
    size_t end = authority_end(after_scheme);
    target->form = PST_TARGET_ABSOLUTE;
    target->authority = (struct pst_str){after_scheme.p, end};
    if (!pst_authority_is_valid(target->authority))
        return PST_ERROR_TARGET_FORM;
    enum pst_error_id error = split_path(pst_str_skip(after_scheme, end), target);
    /* An empty path means "/", but for OPTIONS without a query the server as a whole
     * (RFC 9112 section 3.2.4). */
    if (target->path.len == 0)
        target->path =
            pst_str_eq(method, PST_STR("OPTIONS")) && !target->has_query ? PST_STR("*") : PST_STR("/");
    return error;
}

static enum pst_error_id parse_form(struct pst_str raw, struct pst_str method, struct pst_target *target)
{
    if (raw.p[0] == '/') {
        target->form = PST_TARGET_ORIGIN;
        return split_path(raw, target);
    }
    if (pst_str_istarts(raw, PST_STR("https://")))
        return parse_absolute(pst_str_skip(raw, 8), method, target);
    if (pst_str_istarts(raw, PST_STR("http://")))
        return parse_absolute(pst_str_skip(raw, 7), method, target);
    if (pst_str_eq(raw, PST_STR("*")) && pst_str_eq(method, PST_STR("OPTIONS"))) {
        target->form = PST_TARGET_ASTERISK;
        target->path = raw;
        return PST_ERROR_NONE;
    }
    return PST_ERROR_TARGET_FORM;
}

enum pst_error_id pst_target_parse(struct pst_str raw, struct pst_str method, struct pst_target *ret_target)
{
    struct pst_target target = {.authority = PST_STR("")};
    if (raw.len == 0)
        return PST_ERROR_TARGET_FORM;
    if (!http_all(raw, HTTP_TARGET))
        return PST_ERROR_TARGET;
    enum pst_error_id error = parse_form(raw, method, &target);
    if (error == PST_ERROR_NONE)
        *ret_target = target;
    return error;
}

enum pst_error_id pst_target_host(const struct pst_target *target, const struct pst_fields *fields,
                                  bool http_1_0, struct pst_str *ret_host)
{
    struct pst_str host = PST_STR("");
    const struct pst_field *field = pst_fields_find(fields, PST_STR("host"));
    if (field != NULL) {
        host = field->value;
        if (pst_fields_next(fields, PST_STR("host"), field) != NULL || !pst_authority_is_valid(host))
            return PST_ERROR_HOST;
    } else if (!http_1_0) {
        return PST_ERROR_HOST;
    }
    *ret_host = target->form == PST_TARGET_ABSOLUTE ? target->authority : host;
    return PST_ERROR_NONE;
}
