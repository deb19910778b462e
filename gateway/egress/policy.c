/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include "postern/base/num.h"

#include <string.h>

#define LABEL_MAX 63
#define NAME_MAX  253

/* Names of hosts as they are looked up (RFC 1123 section 2.1), in the letters of DNS: an international name
 * comes as "xn--...". The underscore is no host's. */
static bool is_label(struct pst_str label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.p[0] == '-' || label.p[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

static bool is_name(struct pst_str name)
{
    if (name.len == 0 || name.len > NAME_MAX)
        return false;
    for (;;) {
        struct pst_str rest, label = pst_str_cut(name, '.', &rest);
        if (!is_label(label))
            return false;
        if (rest.p == NULL)
            return true;
        name = rest;
    }
}

bool pst_egress_pattern_is_valid(struct pst_str pattern)
{
    if (pst_str_starts(pattern, PST_STR("*.")))
        pattern = pst_str_skip(pattern, 2);
    return is_name(pattern);
}

static bool is_address(struct pst_str host)
{
    struct pst_cidr ignored;
    return pst_str_find(host, '/') < 0 && pst_cidr_parse(host, &ignored) == 0;
}

/* Digits and dots that are no address would be one to some resolver ("127.1", "0x7f.1", "2130706433"). */
static bool is_odd_number(struct pst_str host)
{
    struct pst_str rest = host, label = host;
    while (rest.len > 0)
        label = pst_str_cut(rest, '.', &rest);
    bool digits = label.len > 0;
    for (size_t i = 0; i < label.len; i++)
        digits = digits && label.p[i] >= '0' && label.p[i] <= '9';
    return digits || pst_str_istarts(label, PST_STR("0x"));
}

static int bad(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return -PST_EPARSE;
}

int egress_target_parse(struct pst_str authority, char host[static PST_URL_HOST_SIZE], uint16_t *ret_port,
                        const char **ret_reason)
{
    struct pst_str name, port_text;
    uint64_t port;
    bool bracketed = pst_str_starts(authority, PST_STR("["));
    if (bracketed) {
        name = pst_str_cut(pst_str_skip(authority, 1), ']', &port_text);
        if (!pst_str_starts(port_text, PST_STR(":")))
            return bad(ret_reason, "what follows CONNECT is host:port");
        port_text = pst_str_skip(port_text, 1);
    } else {
        name = pst_str_cut(authority, ':', &port_text);
    }
    if (port_text.len == 0 || port_text.len > 5 || pst_num_u64(port_text, &port) < 0 || port == 0 ||
        port > 65535)
        return bad(ret_reason, "what follows CONNECT is host:port");
    if (!bracketed && pst_str_ends(name, PST_STR(".")))
        name.len--;
    if (bracketed != (pst_str_find(name, ':') >= 0))
        return bad(ret_reason, "an IPv6 address stands in brackets");
    if (!is_address(name) && (!is_name(name) || is_odd_number(name)))
        return bad(ret_reason, "the host is neither a name in the letters of DNS nor an address");
    for (size_t i = 0; i < name.len; i++)
        host[i] = pst_ascii_lower(name.p[i]);
    host[name.len] = '\0'; /* a name is shorter than the room */
    *ret_port = (uint16_t)port;
    return 0;
}

bool egress_matches(struct pst_str pattern, struct pst_str host)
{
    if (!pst_str_starts(pattern, PST_STR("*.")))
        return pst_str_ieq(pattern, host);
    struct pst_str suffix = pst_str_skip(pattern, 1);
    return host.len > suffix.len && pst_str_iends(host, suffix);
}

const char *egress_refusal(const struct pst_egress_options *options, const char *host, uint16_t port,
                           bool host_allowed)
{
    bool port_allowed = false;
    for (size_t i = 0; i < options->n_ports; i++)
        port_allowed = port_allowed || options->ports[i] == port;
    if (!port_allowed)
        return "this port is not one of egress_ports";
    for (size_t i = 0; i < options->n_allow; i++)
        host_allowed = host_allowed || egress_matches(pst_str_of(options->allow[i]), pst_str_of(host));
    return host_allowed ? NULL : "this host is not on the list egress_allow";
}

bool egress_is_billing(const char *host)
{
    return egress_matches(PST_STR("*.cognitive.microsoft.com"), pst_str_of(host)) ||
           egress_matches(PST_STR("*.cognitiveservices.azure.com"), pst_str_of(host));
}

/* What is not the internet: the IANA registries of special-purpose addresses (RFC 6890), multicast, and the
 * forms that carry an IPv4 address inside. */
static const struct {
    const char *network, *what;
} special[] = {
    {"0.0.0.0/8", "an address of this network"},
    {"10.0.0.0/8", "a private address"},
    {"100.64.0.0/10", "an address of a carrier's network"},
    {"127.0.0.0/8", "a loopback address"},
    {"169.254.0.0/16", "a link-local address (the cloud's metadata live there)"},
    {"172.16.0.0/12", "a private address"},
    {"192.0.0.0/24", "a reserved address"},
    {"192.0.2.0/24", "an address for documentation"},
    {"192.88.99.0/24", "a relay's address"},
    {"192.168.0.0/16", "a private address"},
    {"198.18.0.0/15", "an address for benchmarks"},
    {"198.51.100.0/24", "an address for documentation"},
    {"203.0.113.0/24", "an address for documentation"},
    {"224.0.0.0/4", "a multicast address"},
    {"240.0.0.0/4", "a reserved address"},
    {"::/96", "an address without a network"},
    {"64:ff9b::/96", "a translated IPv4 address"},
    {"64:ff9b:1::/48", "a translated IPv4 address"},
    {"100::/64", "an address that discards"},
    {"2001::/23", "a reserved address"},
    {"2001:db8::/32", "an address for documentation"},
    {"2002::/16", "a 6to4 address"},
    {"3fff::/20", "an address for documentation"},
    {"fc00::/7", "a private address"},
    {"fe80::/10", "a link-local address"},
    {"fec0::/10", "a site-local address"},
    {"ff00::/8", "a multicast address"},
};

const char *egress_address_refusal(const struct pst_egress_options *options, const uint8_t address[static 16])
{
    for (size_t i = 0; i < options->n_networks; i++) {
        if (pst_cidr_contains(&options->networks[i], address))
            return NULL;
    }
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        struct pst_cidr network;
        if (pst_cidr_parse(pst_str_of(special[i].network), &network) == 0 &&
            pst_cidr_contains(&network, address))
            return special[i].what;
    }
    return NULL;
}
