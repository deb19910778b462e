/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/forwarded.h"

#include <string.h>

/* The last hops of the list, the oldest overwritten first. */
struct hops {
    struct pst_str at[PST_FORWARDED_HOPS_MAX];
    size_t n; /* ever added */
};

bool pst_forwarded_is_trusted(const struct pst_cidr *trusted, size_t n_trusted, const uint8_t addr[static 16])
{
    for (size_t i = 0; i < n_trusted; i++) {
        if (pst_cidr_contains(&trusted[i], addr))
            return true;
    }
    return false;
}

static void gather_x_forwarded_for(const struct pst_fields *fields, struct hops *hops)
{
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, PST_STR("x-forwarded-for"), field)) != NULL) {
        struct pst_str rest = field->value;
        struct pst_str element;
        while (pst_field_list_next(&rest, &element))
            hops->at[hops->n++ % PST_FORWARDED_HOPS_MAX] = element;
    }
}

static struct pst_str unquote(struct pst_str s)
{
    if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        return (struct pst_str){s.p + 1, s.len - 2};
    return s;
}

/* The value of "for" in an element `for=…;by=…;proto=…`; empty when there is none. Addresses contain no ';',
 * so quoted ones need no care here. */
static struct pst_str for_of(struct pst_str element)
{
    while (element.len > 0) {
        struct pst_str value;
        struct pst_str name = pst_str_cut(pst_str_cut(element, ';', &element), '=', &value);
        if (pst_str_ieq(pst_str_trim(name), PST_STR("for")))
            return unquote(pst_str_trim(value));
    }
    return PST_STR("");
}

static void gather_forwarded(const struct pst_fields *fields, struct hops *hops)
{
    const struct pst_field *field = NULL;
    while ((field = pst_fields_next(fields, PST_STR("forwarded"), field)) != NULL) {
        struct pst_str rest = field->value;
        struct pst_str element;
        while (pst_field_list_next(&rest, &element))
            hops->at[hops->n++ % PST_FORWARDED_HOPS_MAX] = for_of(element);
    }
}

/* An address with or without a port: "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80". */
static bool parse_hop(struct pst_str text, uint8_t ret_addr[static 16])
{
    struct pst_cidr cidr;
    struct pst_str rest;
    if (text.len > 0 && text.p[0] == '[') {
        ptrdiff_t end = pst_str_find(text, ']');
        if (end < 0)
            return false;
        text = (struct pst_str){text.p + 1, (size_t)end - 1};
    } else {
        struct pst_str host = pst_str_cut(text, ':', &rest);
        if (pst_str_find(rest, ':') < 0)
            text = host;
    }
    /* Of networks only single addresses are meant here. */
    if (pst_str_find(text, '/') >= 0 || pst_cidr_parse(text, &cidr) < 0)
        return false;
    memcpy(ret_addr, cidr.addr, 16);
    return true;
}

bool pst_forwarded_client(const struct pst_fields *fields, const uint8_t peer[static 16],
                          const struct pst_cidr *trusted, size_t n_trusted, uint8_t ret_client[static 16])
{
    struct hops hops;
    uint8_t addr[16];
    memcpy(ret_client, peer, 16);
    if (!pst_forwarded_is_trusted(trusted, n_trusted, peer))
        return false;
    hops.n = 0;
    gather_x_forwarded_for(fields, &hops);
    if (hops.n == 0)
        gather_forwarded(fields, &hops);
    size_t n_kept = hops.n < PST_FORWARDED_HOPS_MAX ? hops.n : PST_FORWARDED_HOPS_MAX;
    for (size_t i = 1; i <= n_kept; i++) {
        if (!parse_hop(hops.at[(hops.n - i) % PST_FORWARDED_HOPS_MAX], addr))
            break;
        memcpy(ret_client, addr, 16);
        if (!pst_forwarded_is_trusted(trusted, n_trusted, addr))
            break;
    }
    return true;
}
