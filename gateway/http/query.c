/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a query: found by decoded name, taken out without touching the rest. */
#include "postern/http/target.h"

#include "names.h"

/* Takes one character off the front: its byte, -1 at the end, -PST_EPARSE for a bad escape. */
static int next_byte(struct pst_str *rest, bool plus)
{
    if (rest->len == 0)
        return -1;
    unsigned char c = (unsigned char)rest->p[0];
    size_t used = 1;
    int byte = c == '+' && plus ? ' ' : c;
    if (c == '%') {
        int high = rest->len >= 3 ? http_hex_digit(rest->p[1]) : -1;
        int low = rest->len >= 3 ? http_hex_digit(rest->p[2]) : -1;
        if (high < 0 || low < 0)
            return -PST_EPARSE;
        byte = high * 16 + low;
        used = 3;
    }
    *rest = pst_str_skip(*rest, used);
    return byte;
}

int pst_percent_decode(struct pst_str encoded, bool plus, char *dst, size_t dst_size)
{
    size_t n = 0;
    while (encoded.len > 0) {
        int byte = next_byte(&encoded, plus);
        if (byte < 0)
            return -PST_EPARSE;
        if (n + 1 >= dst_size)
            return -PST_ELIMIT;
        dst[n++] = (char)byte;
    }
    if (n >= dst_size)
        return -PST_ELIMIT;
    dst[n] = '\0';
    return (int)n;
}

bool pst_query_name_is(struct pst_str encoded, struct pst_str plain)
{
    for (size_t i = 0; i < plain.len; i++) {
        int byte = next_byte(&encoded, false);
        if (byte < 0 || pst_ascii_lower((char)byte) != pst_ascii_lower(plain.p[i]))
            return false;
    }
    return encoded.len == 0;
}

bool pst_query_next(struct pst_str *rest, struct pst_query_param *ret_param)
{
    if (rest->len == 0)
        return false;
    struct pst_query_param param;
    param.whole = pst_str_cut(*rest, '&', rest);
    param.name = pst_str_cut(param.whole, '=', &param.value);
    *ret_param = param;
    return true;
}

bool pst_query_find(struct pst_str query, struct pst_str plain_name, struct pst_query_param *ret_param)
{
    struct pst_query_param param;
    while (pst_query_next(&query, &param)) {
        if (pst_query_name_is(param.name, plain_name)) {
            *ret_param = param;
            return true;
        }
    }
    return false;
}

static bool is_any_of(struct pst_str encoded, const struct pst_str *plain_names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (pst_query_name_is(encoded, plain_names[i]))
            return true;
    }
    return false;
}

static size_t count_params(struct pst_str query, const struct pst_str *plain_names, size_t n)
{
    size_t count = 0;
    struct pst_query_param param;
    while (pst_query_next(&query, &param))
        count += is_any_of(param.name, plain_names, n);
    return count;
}

/* Walks by offsets, not with pst_query_next(): empty parameters ("a&&b&") must survive as they are. */
static size_t copy_others(struct pst_str query, const struct pst_str *plain_names, size_t n, char *out)
{
    size_t len = 0;
    bool first = true;
    for (bool more = true; more;) {
        struct pst_str rest;
        struct pst_str whole = pst_str_cut(query, '&', &rest);
        struct pst_str value;
        more = rest.p != NULL;
        query = rest;
        if (is_any_of(pst_str_cut(whole, '=', &value), plain_names, n))
            continue;
        if (!first)
            out[len++] = '&';
        first = false;
        if (whole.len > 0)
            memcpy(out + len, whole.p, whole.len);
        len += whole.len;
    }
    return len;
}

int pst_target_remove_params(struct pst_target *target, const struct pst_str *plain_names, size_t n,
                             struct pst_arena *arena)
{
    size_t count = count_params(target->query, plain_names, n);
    if (count == 0)
        return 0;
    char *out = pst_arena_alloc(arena, target->query.len);
    if (out == NULL)
        return -PST_ENOMEM;
    target->query = (struct pst_str){out, copy_others(target->query, plain_names, n, out)};
    target->has_query = target->query.len > 0;
    return (int)count;
}
