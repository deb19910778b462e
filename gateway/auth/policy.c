/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include "postern/base/net.h"
#include "postern/http/path.h"

#include <jansson.h>
#include <string.h>

/* The block: head, networks, scopes {methods, length, prefix}. Byte by byte: nothing in it is aligned. */
struct head {
    uint8_t closed;
    uint8_t n_networks;
    uint8_t n_scopes;
};

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
#define N_METHODS  (sizeof(methods) / sizeof(methods[0]))
#define ANY_METHOD 0x80u
#define GET_BIT    0x01u
#define HEAD_BIT   0x02u /* whoever may GET may HEAD (RFC 9110 section 9.3.2) */

/* Compiling */

static unsigned method_bit(struct pst_str name)
{
    for (size_t i = 0; i < N_METHODS; i++) {
        if (pst_str_eq(name, pst_str_of(methods[i])))
            return 1u << i;
    }
    return 0;
}

static struct pst_str json_text(const json_t *value)
{
    return json_is_string(value) ? (struct pst_str){json_string_value(value), json_string_length(value)}
                                 : (struct pst_str){NULL, 0};
}

/* A list of at most `max` elements, or NULL after filling `why`. */
static json_t *load_list(struct pst_str text, const char *field, size_t max, struct pst_why *why)
{
    json_error_t error;
    json_t *list = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_array(list))
        pst_why_set(why, -PST_EINVAL, field, "%s is a JSON list%s%s", field, list == NULL ? ": " : "",
                    list == NULL ? error.text : "");
    else if (json_array_size(list) > max)
        pst_why_set(why, -PST_EINVAL, field, "%s has %zu elements; at most %zu are allowed", field,
                    json_array_size(list), max);
    else
        return list;
    json_decref(list);
    return NULL;
}

static int add_network(const json_t *element, struct pst_buf *out, struct pst_why *why)
{
    struct pst_cidr cidr;
    struct pst_str text = json_text(element);
    int err = text.p != NULL ? pst_cidr_parse(text, &cidr) : -PST_EPARSE;
    if (err == -PST_EINVAL)
        return pst_why_set(why, -PST_EINVAL, "networks",
                           "the network \"" PST_STR_FMT "\" has bits set after its prefix; write the "
                           "network's first address",
                           PST_STR_ARG(text));
    if (err < 0)
        return pst_why_set(why, -PST_EINVAL, "networks",
                           "\"" PST_STR_FMT
                           "\" is not a network; use 10.0.0.0/8, fd00::/8 or a single address",
                           (int)(text.len < 64 ? text.len : 64), text.p != NULL ? text.p : "");
    err = pst_buf_add(out, cidr.addr, sizeof(cidr.addr));
    return err < 0 ? err : pst_buf_add(out, &cidr.bits, 1);
}

static int read_methods(const json_t *list, unsigned *ret, struct pst_why *why)
{
    *ret = ANY_METHOD;
    if (list == NULL)
        return 0;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return pst_why_set(why, -PST_EINVAL, "scopes",
                           "methods must list at least one method; leave it out to allow all methods");
    *ret = 0;
    size_t i;
    const json_t *name;
    json_array_foreach(list, i, name)
    {
        unsigned bit = method_bit(json_text(name));
        if (bit == 0)
            return pst_why_set(
                why, -PST_EINVAL, "scopes",
                "a scope's methods must be among GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        *ret |= bit == GET_BIT ? GET_BIT | HEAD_BIT : bit;
    }
    return 0;
}

static bool is_prefix_text(struct pst_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.p[i];
        if (c <= ' ' || c > '~' || c == '?' || c == '#')
            return false;
    }
    return pst_path_is_plain(path);
}

static int add_scope(const json_t *element, struct pst_buf *out, struct pst_why *why)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)element, name, value)
    {
        if (strcmp(name, "path") != 0 && strcmp(name, "methods") != 0)
            return pst_why_set(why, -PST_EINVAL, "scopes",
                               "a scope has the members \"path\" and \"methods\", not \"%.40s\"", name);
    }
    struct pst_str path = json_text(json_object_get(element, "path"));
    unsigned bits;
    int err = read_methods(json_object_get(element, "methods"), &bits, why);
    if (err < 0)
        return err;
    if (path.len > PST_POLICY_PREFIX_MAX || !is_prefix_text(path))
        return pst_why_set(
            why, -PST_EINVAL, "scopes",
            "a scope's path is a prefix like \"/language\": it begins with '/', has at most %d "
            "characters, no \"//\", no dot segments, no '?', '#', ';', '\\', and none of %%23, %%25, %%2F, "
            "%%3B, %%3F, %%5C and control characters",
            PST_POLICY_PREFIX_MAX);
    if (path.p[path.len - 1] == '/')
        path.len--; /* "/a/" permits what "/a" does; "/" everything */
    const uint8_t fixed[3] = {(uint8_t)bits, (uint8_t)(path.len >> 8), (uint8_t)path.len};
    err = pst_buf_add(out, fixed, sizeof(fixed));
    return err < 0 ? err : pst_buf_add(out, path.p, path.len);
}

typedef int add_fn(const json_t *element, struct pst_buf *out, struct pst_why *why);

/* Appends each element; *ret_n is how many there were. */
static int add_list(struct pst_str text, const char *field, size_t max, add_fn *add, struct pst_buf *out,
                    uint8_t *ret_n, struct pst_why *why)
{
    *ret_n = 0;
    if (text.len == 0)
        return 0;
    json_t *list = load_list(text, field, max, why);
    if (list == NULL)
        return -PST_EINVAL;
    int err = 0;
    for (size_t i = 0; err == 0 && i < json_array_size(list); i++)
        err = add(json_array_get(list, i), out, why);
    *ret_n = (uint8_t)json_array_size(list);
    json_decref(list);
    return err;
}

int pst_policy_compile(struct pst_str scopes, struct pst_str networks, struct pst_buf *out,
                       struct pst_why *why)
{
    struct head head = {0};
    if (scopes.len == 0 && networks.len == 0)
        return 0;
    struct pst_buf rules;
    pst_buf_init(&rules, PST_POLICY_BYTES_MAX);
    int err =
        add_list(networks, "networks", PST_POLICY_NETWORKS_MAX, add_network, &rules, &head.n_networks, why);
    if (err == 0)
        err = add_list(scopes, "scopes", PST_POLICY_SCOPES_MAX, add_scope, &rules, &head.n_scopes, why);
    if (err == 0 && (head.n_networks > 0 || head.n_scopes > 0)) {
        err = pst_buf_add(out, &head, sizeof(head));
        if (err == 0)
            err = pst_buf_add_str(out, pst_buf_str(&rules));
    }
    pst_buf_done(&rules);
    return err;
}

int pst_policy_compile_closed(struct pst_buf *out)
{
    const struct head head = {.closed = 1};
    return pst_buf_add(out, &head, sizeof(head));
}

/* Judging */

static bool in_network(const uint8_t *at, unsigned n, const uint8_t address[static 16])
{
    for (; n > 0; n--, at += 17) {
        struct pst_cidr cidr;
        memcpy(cidr.addr, at, sizeof(cidr.addr));
        cidr.bits = at[16];
        if (pst_cidr_contains(&cidr, address))
            return true;
    }
    return false;
}

static bool in_scope(const uint8_t *at, unsigned n, unsigned method, struct pst_str path)
{
    for (; n > 0; n--) {
        unsigned bits = at[0];
        struct pst_str prefix = {(const char *)at + 3, (size_t)at[1] << 8 | at[2]};
        if ((bits == ANY_METHOD || (bits & method) != 0) && pst_path_is_spelled_below(path, prefix))
            return true;
        at += 3 + prefix.len;
    }
    return false;
}

enum pst_key_verdict pst_policy_judge(const uint8_t *block, size_t len, struct pst_str method,
                                      struct pst_str path, const uint8_t address[static 16])
{
    struct head head;
    if (len < sizeof(head))
        return PST_KEY_SCOPE;
    memcpy(&head, block, sizeof(head));
    const uint8_t *networks = block + sizeof(head);
    if (head.closed)
        return PST_KEY_SCOPE;
    if (head.n_networks > 0 && !in_network(networks, head.n_networks, address))
        return PST_KEY_NETWORK;
    if (head.n_scopes == 0)
        return PST_KEY_OK;
    if (!pst_path_is_plain(path))
        return PST_KEY_SPELLING;
    return in_scope(networks + (size_t)head.n_networks * 17, head.n_scopes, method_bit(method), path)
               ? PST_KEY_OK
               : PST_KEY_SCOPE;
}
