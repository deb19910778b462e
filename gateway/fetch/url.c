/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/fetch/url.h"

#include "postern/base/net.h"
#include "postern/base/num.h"
#include "postern/crypto/base64.h"
#include "postern/http/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define HTTP_PORT  80
#define HTTPS_PORT 443

static int bad(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return -PST_EPARSE;
}

static bool has_odd_bytes(struct pst_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return true;
    }
    return false;
}

/* host[:port] or [v6][:port] into its parts. */
static int split_authority(struct pst_str authority, uint16_t default_port, char *host, uint16_t *ret_port,
                           const char **ret_reason)
{
    struct pst_str name, rest = {NULL, 0};
    uint64_t port = default_port;
    if (!pst_authority_is_valid(authority))
        return bad(ret_reason, "host, host:port or [v6]:port is expected behind the \"//\"");
    bool v6 = authority.p[0] == '[';
    if (v6) {
        name = pst_str_cut(pst_str_skip(authority, 1), ']', &rest);
        rest = pst_str_skip(rest, 1);
    } else {
        name = pst_str_cut(authority, ':', &rest);
    }
    if (rest.len > 0 && (pst_num_u64(rest, &port) < 0 || port == 0 || port > 65535))
        return bad(ret_reason, "the port must be a number from 1 to 65535");
    if (!v6 && pst_str_ends(name, PST_STR(".")))
        name.len--;
    if (name.len == 0 || name.p[0] == '.' || pst_str_ends(name, PST_STR(".")) ||
        memmem(name.p, name.len, "..", 2) != NULL)
        return bad(ret_reason, "the host name is missing, or a part of it is");
    if (pst_str_copy(name, host, PST_URL_HOST_SIZE) < 0)
        return bad(ret_reason, "the host name is too long");
    struct in6_addr ignored;
    if (v6 && inet_pton(AF_INET6, host, &ignored) != 1)
        return bad(ret_reason, "what stands in brackets is no IPv6 address");
    *ret_port = (uint16_t)port;
    return 0;
}

static void write_authority(struct pst_url *url)
{
    bool v6 = strchr(url->host, ':') != NULL;
    bool plain = url->port == (url->https ? HTTPS_PORT : HTTP_PORT);
    char port[8] = "";
    if (!plain)
        snprintf(port, sizeof(port), ":%u", (unsigned)url->port);
    snprintf(url->authority, sizeof(url->authority), "%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "",
             port);
}

int pst_url_parse(struct pst_str text, struct pst_url *ret_url, const char **ret_reason)
{
    struct pst_url url = {.https = pst_str_istarts(text, PST_STR("https://"))};
    if (!url.https && !pst_str_istarts(text, PST_STR("http://")))
        return bad(ret_reason, "it must begin with https:// or http://");
    if (has_odd_bytes(text))
        return bad(ret_reason, "it holds blanks, control characters or bytes that are not ASCII");
    if (pst_str_find(text, '#') >= 0)
        return bad(ret_reason, "it holds a fragment (#)");
    struct pst_str rest = pst_str_skip(text, url.https ? 8 : 7);
    size_t end = 0;
    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    struct pst_str authority = {rest.p, end}, target = pst_str_skip(rest, end);
    if (pst_str_find(authority, '@') >= 0)
        return bad(ret_reason, "it holds user information (@)");
    int err = split_authority(authority, url.https ? HTTPS_PORT : HTTP_PORT, url.host, &url.port, ret_reason);
    if (err < 0)
        return err;
    bool no_path = target.len == 0 || target.p[0] == '?';
    if (target.len + (no_path ? 2 : 1) > sizeof(url.target))
        return bad(ret_reason, "its path is too long");
    snprintf(url.target, sizeof(url.target), "%s" PST_STR_FMT, no_path ? "/" : "", PST_STR_ARG(target));
    write_authority(&url);
    *ret_url = url;
    return 0;
}

int pst_proxy_set_credentials(struct pst_proxy *proxy, struct pst_str user_and_password)
{
    if (pst_str_find(user_and_password, ':') < 0)
        return -PST_EPARSE;
    if (PST_BASE64_SIZE(user_and_password.len) > sizeof(proxy->basic))
        return -PST_ELIMIT;
    pst_base64_encode(PST_BASE64, user_and_password.p, user_and_password.len, proxy->basic);
    return 0;
}

static int take_user(struct pst_str user, struct pst_proxy *proxy, const char **ret_reason)
{
    char plain[PST_PROXY_CREDENTIALS_SIZE];
    int len = pst_percent_decode(user, false, plain, sizeof(plain));
    int err = len < 0 ? len : pst_proxy_set_credentials(proxy, (struct pst_str){plain, (size_t)len});
    explicit_bzero(plain, sizeof(plain));
    return err < 0 ? bad(ret_reason, "user:password before the '@' cannot be read, or is too long") : 0;
}

int pst_proxy_parse(struct pst_str text, struct pst_proxy *ret_proxy, const char **ret_reason)
{
    struct pst_proxy proxy = {.port = HTTP_PORT};
    if (has_odd_bytes(text))
        return bad(ret_reason, "it holds blanks, control characters or bytes that are not ASCII");
    if (pst_str_istarts(text, PST_STR("http://")))
        text = pst_str_skip(text, 7);
    else if (memmem(text.p, text.len, "://", 3) != NULL)
        return bad(ret_reason, "only proxies spoken to over http:// are supported");
    if (pst_str_ends(text, PST_STR("/")))
        text.len--;
    const char *at = text.len > 0 ? memrchr(text.p, '@', text.len) : NULL;
    if (at != NULL) {
        int err = take_user((struct pst_str){text.p, (size_t)(at - text.p)}, &proxy, ret_reason);
        if (err < 0)
            return err;
        text = pst_str_skip(text, (size_t)(at - text.p) + 1);
    }
    int err = split_authority(text, HTTP_PORT, proxy.host, &proxy.port, ret_reason);
    if (err == 0)
        *ret_proxy = proxy;
    explicit_bzero(&proxy, sizeof(proxy));
    return err;
}

static bool entry_matches(struct pst_str entry, struct pst_str host, const uint8_t *address)
{
    struct pst_cidr network;
    if (pst_str_eq(entry, PST_STR("*")))
        return true;
    if (address != NULL)
        return pst_cidr_parse(entry, &network) == 0 && pst_cidr_contains(&network, address);
    if (pst_str_starts(entry, PST_STR("*.")))
        entry = pst_str_skip(entry, 2);
    else if (pst_str_starts(entry, PST_STR(".")))
        entry = pst_str_skip(entry, 1);
    if (entry.len == 0 || pst_str_ieq(entry, host))
        return entry.len > 0;
    return pst_str_iends(host, entry) && host.p[host.len - entry.len - 1] == '.';
}

bool pst_proxy_exempts(struct pst_str no_proxy, const char *host)
{
    struct pst_cidr own;
    bool literal = pst_cidr_parse(pst_str_of(host), &own) == 0;
    while (no_proxy.len > 0) {
        size_t n = 0;
        while (n < no_proxy.len && no_proxy.p[n] != ',' && no_proxy.p[n] != ' ' && no_proxy.p[n] != ';')
            n++;
        struct pst_str entry = {no_proxy.p, n};
        no_proxy = pst_str_skip(no_proxy, n + 1);
        if (entry.len > 0 && entry_matches(entry, pst_str_of(host), literal ? own.addr : NULL))
            return true;
    }
    return false;
}
