/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/upstream/origin.h"

#include "postern/base/num.h"
#include "postern/http/target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define DEFAULT_PORT 80

struct address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } at;
};

struct pst_origin {
    atomic_uint refs;
    char authority[PST_ORIGIN_AUTHORITY_SIZE];
    size_t n_addresses;
    struct address addresses[PST_ORIGIN_ADDRESSES_MAX];
};

static int bad(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return -PST_EPARSE;
}

static int parse_unix(struct pst_str path, struct pst_upstream *upstream, const char **ret_reason)
{
    if (path.len == 0 || path.p[0] != '/')
        return bad(ret_reason, "a path that begins with '/' must follow unix:");
    if (memchr(path.p, '\0', path.len) != NULL ||
        pst_str_copy(path, upstream->path, sizeof(upstream->path)) < 0)
        return bad(ret_reason, "the path of a socket may have at most 107 bytes");
    upstream->is_unix = true;
    pst_str_copy(PST_STR("localhost"), upstream->authority, sizeof(upstream->authority));
    return 0;
}

/* Splits host and port; the authority was found valid before. */
static int split_authority(struct pst_str authority, struct pst_upstream *upstream, const char **ret_reason)
{
    struct pst_str rest;
    struct pst_str host;
    uint64_t port = DEFAULT_PORT;
    if (authority.p[0] == '[') {
        host = pst_str_cut(pst_str_skip(authority, 1), ']', &rest);
        rest = pst_str_skip(rest, 1);
    } else {
        host = pst_str_cut(authority, ':', &rest);
    }
    if (rest.len > 0 && (pst_num_u64(rest, &port) < 0 || port == 0))
        return bad(ret_reason, "the port must be a number from 1 to 65535");
    if (pst_str_copy(host, upstream->host, sizeof(upstream->host)) < 0)
        return bad(ret_reason, "the host name is too long");
    upstream->port = (uint16_t)port;
    /* Without "host:" and its empty port. */
    if (authority.p[authority.len - 1] == ':')
        authority.len--;
    pst_str_clip(authority, upstream->authority, sizeof(upstream->authority));
    return 0;
}

int pst_upstream_parse(struct pst_str text, struct pst_upstream *ret_upstream, const char **ret_reason)
{
    struct pst_upstream upstream = {.is_unix = false};
    int err;
    if (pst_str_starts(text, PST_STR("unix:"))) {
        err = parse_unix(pst_str_skip(text, 5), &upstream, ret_reason);
    } else if (pst_str_istarts(text, PST_STR("http://"))) {
        struct pst_str path;
        struct pst_str authority = pst_str_cut(pst_str_skip(text, 7), '/', &path);
        if (path.len > 0)
            return bad(ret_reason, "a path behind the host is not supported");
        if (!pst_authority_is_valid(authority))
            return bad(ret_reason, "http://host, http://host:port or http://[v6]:port is expected");
        err = split_authority(authority, &upstream, ret_reason);
    } else if (pst_str_istarts(text, PST_STR("https://"))) {
        return bad(ret_reason,
                   "https to the container is not supported; it is reached inside the pod, over http");
    } else {
        return bad(ret_reason, "http://host:port or unix:/path is expected");
    }
    if (err == 0)
        *ret_upstream = upstream;
    return err;
}

static struct pst_origin *new_origin(struct pst_str authority)
{
    struct pst_origin *origin = calloc(1, sizeof(*origin));
    if (origin == NULL)
        return NULL;
    atomic_init(&origin->refs, 1);
    pst_str_clip(authority, origin->authority, sizeof(origin->authority));
    return origin;
}

static bool add_address(struct pst_origin *origin, const struct sockaddr *at, socklen_t len)
{
    struct address *address = &origin->addresses[origin->n_addresses];
    if (origin->n_addresses == PST_ORIGIN_ADDRESSES_MAX || len > sizeof(address->at))
        return false;
    memcpy(&address->at, at, len);
    address->len = len;
    origin->n_addresses++;
    return true;
}

int pst_origin_new(struct pst_str authority, const struct sockaddr *const *addresses,
                   const socklen_t *lengths, size_t n, struct pst_origin **ret_origin)
{
    if (n == 0 || authority.len >= PST_ORIGIN_AUTHORITY_SIZE)
        return -PST_EINVAL;
    struct pst_origin *origin = new_origin(authority);
    if (origin == NULL)
        return -PST_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!add_address(origin, addresses[i], lengths[i])) {
            free(origin);
            return -PST_EINVAL;
        }
    }
    *ret_origin = origin;
    return 0;
}

static void add_unix(struct pst_origin *origin, const char *path)
{
    struct address *address = &origin->addresses[origin->n_addresses++];
    address->at.un.sun_family = AF_UNIX;
    size_t len = pst_str_clip(pst_str_of(path), address->at.un.sun_path, sizeof(address->at.un.sun_path));
    address->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
}

static int from_resolver(int code)
{
    switch (code) {
    case EAI_AGAIN:
        return -PST_EAGAIN;
    case EAI_MEMORY:
        return -PST_ENOMEM;
    default:
        return -PST_ENOENT;
    }
}

static int resolve_name(struct pst_origin *origin, const struct pst_upstream *upstream)
{
    char port[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    snprintf(port, sizeof(port), "%u", (unsigned)upstream->port);
    int code = getaddrinfo(upstream->host, port, &hints, &list);
    if (code != 0)
        return from_resolver(code);
    for (struct addrinfo *it = list; it != NULL; it = it->ai_next)
        (void)add_address(origin, it->ai_addr,
                          it->ai_addrlen); /* what is too many or too long is not tried */
    freeaddrinfo(list);
    return origin->n_addresses > 0 ? 0 : -PST_ENOENT;
}

int pst_origin_resolve(const struct pst_upstream *upstream, struct pst_origin **ret_origin)
{
    struct pst_origin *origin = new_origin(pst_str_of(upstream->authority));
    if (origin == NULL)
        return -PST_ENOMEM;
    int err = 0;
    if (upstream->is_unix)
        add_unix(origin, upstream->path);
    else
        err = resolve_name(origin, upstream);
    if (err < 0) {
        free(origin);
        return err;
    }
    *ret_origin = origin;
    return 0;
}

struct pst_origin *pst_origin_ref(struct pst_origin *origin)
{
    atomic_fetch_add_explicit(&origin->refs, 1, memory_order_relaxed);
    return origin;
}

void pst_origin_unref(struct pst_origin *origin)
{
    if (origin != NULL && atomic_fetch_sub_explicit(&origin->refs, 1, memory_order_acq_rel) == 1)
        free(origin);
}

bool pst_origin_same(const struct pst_origin *a, const struct pst_origin *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->n_addresses != b->n_addresses || strcmp(a->authority, b->authority) != 0)
        return false;
    for (size_t i = 0; i < a->n_addresses; i++) {
        if (a->addresses[i].len != b->addresses[i].len ||
            memcmp(&a->addresses[i].at, &b->addresses[i].at, a->addresses[i].len) != 0)
            return false;
    }
    return true;
}

struct pst_str pst_origin_authority(const struct pst_origin *origin)
{
    return pst_str_of(origin->authority);
}

size_t pst_origin_n_addresses(const struct pst_origin *origin)
{
    return origin->n_addresses;
}

const struct sockaddr *pst_origin_address(const struct pst_origin *origin, size_t index, socklen_t *ret_len)
{
    *ret_len = origin->addresses[index].len;
    return &origin->addresses[index].at.any;
}

size_t pst_origin_address_text(const struct pst_origin *origin, size_t index,
                               char text[static PST_ORIGIN_TEXT_SIZE])
{
    const struct address *address = &origin->addresses[index];
    char host[INET6_ADDRSTRLEN];
    int len;
    if (address->at.any.sa_family == AF_UNIX) {
        len = snprintf(text, PST_ORIGIN_TEXT_SIZE, "unix:%s", address->at.un.sun_path);
    } else if (address->at.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->at.in6.sin6_addr, host, sizeof(host));
        len =
            snprintf(text, PST_ORIGIN_TEXT_SIZE, "[%s]:%u", host, (unsigned)ntohs(address->at.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address->at.in.sin_addr, host, sizeof(host));
        len = snprintf(text, PST_ORIGIN_TEXT_SIZE, "%s:%u", host, (unsigned)ntohs(address->at.in.sin_port));
    }
    return (size_t)len;
}
