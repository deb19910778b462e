/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/net.h"

#include "postern/base/fd.h"
#include "postern/base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#define V4_PREFIX_BITS 96

static void map_v4(const void *v4, uint8_t addr[static 16])
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    memcpy(addr, prefix, sizeof(prefix));
    memcpy(addr + sizeof(prefix), v4, 4);
}

/* 4, 6, or 0 when it is no literal address. */
static int parse_literal(struct pst_str text, uint8_t addr[static 16])
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    if (pst_str_find(text, '\0') >= 0 || pst_str_copy(text, copy, sizeof(copy)) < 0)
        return 0;
    if (inet_pton(AF_INET, copy, v4) == 1) {
        map_v4(v4, addr);
        return 4;
    }
    return inet_pton(AF_INET6, copy, addr) == 1 ? 6 : 0;
}

static bool has_bit(const uint8_t addr[static 16], unsigned bit)
{
    return (addr[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

int pst_cidr_parse(struct pst_str text, struct pst_cidr *ret_cidr)
{
    struct pst_cidr cidr;
    struct pst_str bits_text;
    int family = parse_literal(pst_str_cut(text, '/', &bits_text), cidr.addr);
    uint64_t bits = family == 4 ? 32 : 128;
    if (family == 0)
        return -PST_EPARSE;
    if (bits_text.p != NULL) {
        uint64_t given = 0;
        if (pst_num_u64(bits_text, &given) < 0 || given > bits)
            return -PST_EPARSE;
        bits = given;
    }
    cidr.bits = (uint8_t)(family == 4 ? bits + V4_PREFIX_BITS : bits);
    for (unsigned bit = cidr.bits; bit < 128; bit++) {
        if (has_bit(cidr.addr, bit))
            return -PST_EINVAL;
    }
    *ret_cidr = cidr;
    return 0;
}

bool pst_cidr_contains(const struct pst_cidr *cidr, const uint8_t addr[static 16])
{
    size_t whole = cidr->bits / 8;
    if (memcmp(cidr->addr, addr, whole) != 0)
        return false;
    unsigned rest = cidr->bits % 8;
    return rest == 0 || ((cidr->addr[whole] ^ addr[whole]) >> (8 - rest)) == 0;
}

static int split_host_port(struct pst_str text, struct pst_str *ret_host, uint16_t *ret_port)
{
    size_t colon = text.len;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    uint64_t port = 0;
    if (colon == 0 || pst_num_u64(pst_str_skip(text, colon), &port) < 0 || port > UINT16_MAX)
        return -PST_EPARSE;
    struct pst_str host = {text.p, colon - 1};
    bool bracketed = pst_str_starts(host, PST_STR("[")) && pst_str_ends(host, PST_STR("]"));
    if (bracketed)
        host = (struct pst_str){host.p + 1, host.len - 2};
    else if (pst_str_find(host, ':') >= 0)
        return -PST_EPARSE; /* IPv6 without brackets: where would the port begin? */
    *ret_host = host;
    *ret_port = (uint16_t)port;
    return bracketed ? 6 : 4;
}

int pst_addr_parse(struct pst_str text, struct pst_addr *ret_addr)
{
    struct pst_str host;
    uint16_t port = 0;
    uint8_t bytes[16] = {0};
    int family = split_host_port(text, &host, &port);
    if (family < 0)
        return family;
    if (host.len == 0 && family == 4)
        map_v4(&(struct in_addr){htonl(INADDR_ANY)}, bytes);
    else if (parse_literal(host, bytes) != family)
        return -PST_EPARSE;
    struct pst_addr addr = {0};
    if (family == 4) {
        struct sockaddr_in *sin = (void *)&addr.sa;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(port);
        memcpy(&sin->sin_addr, bytes + 12, 4);
        addr.len = sizeof(*sin);
    } else {
        struct sockaddr_in6 *sin6 = (void *)&addr.sa;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(port);
        memcpy(&sin6->sin6_addr, bytes, 16);
        addr.len = sizeof(*sin6);
    }
    *ret_addr = addr;
    return 0;
}

void pst_addr_to_v6(const struct sockaddr *sa, uint8_t addr[static 16], uint16_t *ret_port)
{
    memset(addr, 0, 16);
    *ret_port = 0;
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *sin = (const void *)sa;
        map_v4(&sin->sin_addr, addr);
        *ret_port = ntohs(sin->sin_port);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *sin6 = (const void *)sa;
        memcpy(addr, &sin6->sin6_addr, 16);
        *ret_port = ntohs(sin6->sin6_port);
    }
}

void pst_addr_format_host(const struct sockaddr *sa, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "unknown";
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, host, sizeof(host));
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, host, sizeof(host));
    pst_str_clip(pst_str_of(host), text, size);
}

void pst_addr_format_v6(const uint8_t addr[static 16], char *text, size_t size)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    char host[INET6_ADDRSTRLEN] = "unknown";
    if (memcmp(addr, mapped, sizeof(mapped)) == 0)
        inet_ntop(AF_INET, addr + sizeof(mapped), host, sizeof(host));
    else
        inet_ntop(AF_INET6, addr, host, sizeof(host));
    pst_str_clip(pst_str_of(host), text, size);
}

void pst_addr_format(const struct sockaddr *sa, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t ignored[16];
    uint16_t port;
    pst_addr_format_host(sa, host, sizeof(host));
    pst_addr_to_v6(sa, ignored, &port);
    snprintf(text, size, sa->sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

int pst_addr_bind_error(const struct pst_addr *addr)
{
    int one = 1;
    PST_FD fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (addr->sa.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return bind(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0 ? errno : 0;
}
