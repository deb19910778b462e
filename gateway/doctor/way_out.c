/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a billing endpoint, step by step: name, connection, TLS, and whether it is the real one at the
 * other end. A step that fails is named; those behind it are skipped. With a proxy configured the way through
 * it counts, and the direct one is looked at for comparison. */
#include "private.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/fetch/fetch.h"
#include "postern/http/answer.h"
#include "postern/tls/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A way gets the whole time of the check, or half of it when there are two. */
#define WAY_MS  10000
#define HALF_MS 5500

struct way {
    struct visit *visit;
    const struct pst_url *url;
    const struct pst_proxy *proxy; /* an empty host: directly */
    uint64_t until_us;
    char label[2 * PST_URL_HOST_SIZE + 48]; /* "westus.api…:443 through proxy:3128" */
    struct pst_dial_addresses addresses;    /* of the host, or of the proxy */
    struct pst_tls_roots *roots;
    struct pst_tls_inspection known; /* of --known-roots */
    struct pst_tls_peer peer, again; /* what two connections saw */
};

static bool proxied(const struct way *way)
{
    return way->proxy->host[0] != '\0';
}

/* A share (percent) of the time that is left. */
static uint64_t share(const struct way *way, unsigned percent)
{
    uint64_t now = pst_clock_mono_us();
    return way->until_us > now ? now + (way->until_us - now) * percent / 100 : now;
}

static void skip_after(struct way *way, const char *check)
{
    static const char *const steps[] = {CHECK_NAME, CHECK_CONNECT, CHECK_TLS, CHECK_CHAIN};
    bool behind = false;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (behind)
            visit_note(way->visit, steps[i], PST_DOCTOR_SKIPPED, NULL, "%s: not reached", way->label);
        behind |= strcmp(steps[i], check) == 0;
    }
}

static bool find_name(struct way *way)
{
    const struct pst_dial_pins pins = {way->visit->options->pins, way->visit->options->n_pins};
    const char *host = proxied(way) ? way->proxy->host : way->url->host;
    uint16_t port = proxied(way) ? way->proxy->port : way->url->port;
    struct pst_dial_why why;
    char list[PST_ADDR_TEXT_SIZE * 4] = "";
    if (pst_dial_resolve(host, port, &pins, share(way, 50), &way->addresses, &why) < 0) {
        visit_note(way->visit, CHECK_NAME, PST_DOCTOR_FAILED,
                   proxied(way)
                       ? "Correct the proxy's name, or add it to the pod's DNS."
                       : "Check the pod's DNS: /etc/resolv.conf, a NetworkPolicy that blocks port 53, a "
                         "firewall's list of names. Then check the spelling of the endpoint.",
                   "%s", why.text);
        skip_after(way, CHECK_NAME);
        return false;
    }
    for (size_t i = 0, used = 0; i < way->addresses.n && used < sizeof(list); i++) {
        char text[PST_ADDR_TEXT_SIZE];
        pst_addr_format_host((const struct sockaddr *)&way->addresses.at[i].sa, text, sizeof(text));
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", text);
    }
    visit_note(way->visit, CHECK_NAME, PST_DOCTOR_OK, NULL, "%s is %s", host, list);
    return true;
}

/* Tries each address; names those that do not answer. Returns how many do. */
static size_t try_each(struct way *way, char *dead, size_t size)
{
    size_t alive = 0, used = 0;
    for (size_t i = 0; i < way->addresses.n; i++) {
        uint64_t now = pst_clock_mono_us(), all = share(way, 60);
        int fd = pst_dial_address(&way->addresses.at[i], now + (all - now) / (way->addresses.n - i));
        if (fd >= 0) {
            pst_fd_close(fd);
            alive++;
            continue;
        }
        char text[PST_ADDR_TEXT_SIZE];
        pst_addr_format((const struct sockaddr *)&way->addresses.at[i].sa, text, sizeof(text));
        if (used < size)
            used += (size_t)snprintf(dead + used, size - used, "%s%s: %s", used > 0 ? "; " : "", text,
                                     fd == -PST_ETIMEOUT ? "no response" : pst_strerror(fd));
    }
    return alive;
}

/* A connection all the way to the endpoint, or an error with its sentence. */
static int reach(struct way *way, struct pst_dial_why *why)
{
    unsigned status = 0;
    int fd = pst_dial_connect(&way->addresses, share(way, 60), why);
    if (fd < 0 || !proxied(way))
        return fd;
    int err = pst_dial_tunnel(fd, way->proxy, way->url->host, way->url->port, share(way, 80), &status, why);
    if (err < 0)
        pst_fd_close(fd);
    return err < 0 ? err : fd;
}

static const char *blocked_todo(const struct way *way, int err)
{
    if (proxied(way) && err == -PST_EACCES)
        return "Let the proxy allow CONNECT to *.cognitive.microsoft.com and *.cognitiveservices.azure.com "
               "on port 443; "
               "give its credentials in the URL or as HTTP_PROXY_CREDS.";
    if (proxied(way))
        return "Check that the proxy runs and that the pod can reach it.";
    return "Open TCP port 443 to *.cognitive.microsoft.com and *.cognitiveservices.azure.com in the firewall "
           "and in the "
           "pod's NetworkPolicy; or name the proxy to use (HTTPS_PROXY, --proxy).";
}

/* A descriptor, or < 0 after telling why not. */
static int connect_out(struct way *way)
{
    char dead[512] = "";
    struct pst_dial_why why;
    size_t alive = try_each(way, dead, sizeof(dead));
    int fd = alive > 0 ? reach(way, &why) : -PST_EREFUSED;
    if (fd < 0) {
        visit_note(way->visit, CHECK_CONNECT, PST_DOCTOR_FAILED, blocked_todo(way, fd), "%s: %s", way->label,
                   alive > 0 ? why.text : dead);
        skip_after(way, CHECK_CONNECT);
    } else if (dead[0] != '\0') {
        visit_note(way->visit, CHECK_CONNECT, PST_DOCTOR_WARNING,
                   "Some connections will be slow or fail: allow all of its addresses, IPv6 too, "
                   "or let the "
                   "name have none there.",
                   "%s: %zu of %zu addresses accept connections (%s)", way->label, alive, way->addresses.n,
                   dead);
    } else {
        visit_note(way->visit, CHECK_CONNECT, PST_DOCTOR_OK, NULL, "%s: %s", way->label,
                   proxied(way) ? "the proxy opens a tunnel" : "every address accepts connections");
    }
    return fd;
}

/* Takes the descriptor. The client, or NULL. */
static struct pst_tls_client *secure(struct way *way, int fd, struct pst_tls_peer *peer,
                                     struct pst_tls_why *why)
{
    struct pst_tls_client *client = NULL;
    struct pst_dial_why dial_why;
    struct pst_tls_client_options options = {
        .server_name = way->url->host, .roots = way->roots, .deadline_us = way->until_us, .look_only = true};
    int err = pst_tls_client_open(fd, &options, &client, peer, why);
    if (err != -PST_EAGAIN)
        return err == 0 ? client : NULL;
    options.tls12_pkcs1 = true;
    fd = reach(way, &dial_why);
    return fd >= 0 && pst_tls_client_open(fd, &options, &client, peer, why) == 0 ? client : NULL;
}

static bool look_at_tls(struct way *way, int fd)
{
    struct pst_tls_why why;
    struct pst_tls_client *client = secure(way, fd, &way->peer, &why);
    pst_tls_client_close(client);
    if (client == NULL) {
        visit_note(way->visit, CHECK_TLS, PST_DOCTOR_FAILED,
                   "A firewall that filters by server name breaks connections like this, and so does a proxy "
                   "that expects "
                   "to inspect TLS: have the endpoint exempted.",
                   "%s: %s", way->label, why.text);
        skip_after(way, CHECK_TLS);
        return false;
    }
    /* Whom to trust is the next step's. */
    struct pst_tls_peer *rest = malloc(sizeof(*rest));
    if (rest == NULL)
        return false;
    *rest = way->peer;
    rest->faults &= ~(unsigned)PST_TLS_FAULT_UNTRUSTED;
    pst_tls_peer_describe(rest, way->url->host, &why);
    free(rest);
    if (why.text[0] == '\0')
        visit_note(way->visit, CHECK_TLS, PST_DOCTOR_OK, NULL, "%s: %s, %s", way->label, way->peer.version,
                   way->peer.cipher);
    else
        visit_note(
            way->visit, CHECK_TLS, PST_DOCTOR_FAILED,
            (way->peer.faults & (PST_TLS_FAULT_EXPIRED | PST_TLS_FAULT_EARLY)) != 0
                ? "Compare this machine's clock with another one first. If it is right, something other than "
                  "the "
                  "endpoint responds here."
                : "Something other than the endpoint responds here: check what its name resolves to.",
            "%s: %s", way->label, why.text);
    return true;
}

static const struct pst_tls_certificate *top_of(const struct pst_tls_peer *peer)
{
    return peer->n_chain > 0 ? &peer->chain[peer->n_chain - 1] : NULL;
}

static bool is_known(const struct way *way, const struct pst_tls_peer *peer)
{
    const struct pst_tls_certificate *top = top_of(peer);
    if (top == NULL || (peer->faults & PST_TLS_FAULT_UNTRUSTED) != 0)
        return false;
    bool known = doctor_knows_root(top->key_sha256);
    for (size_t i = 0; i < way->known.n; i++)
        known |= memcmp(way->known.chain[i].key_sha256, top->key_sha256, sizeof(top->key_sha256)) == 0;
    return known;
}

/* An intermediate of the cloud's own that was not sent along: no inspection, which always signs by its own
 * CA. */
static bool lacks_public_intermediate(const struct pst_tls_peer *peer)
{
    const struct pst_tls_certificate *top = top_of(peer);
    return top != NULL && (peer->faults & PST_TLS_FAULT_UNTRUSTED) != 0 && !top->self_issued &&
           (strstr(top->issuer, "O=Microsoft Corporation") != NULL ||
            strstr(top->issuer, "O=DigiCert Inc") != NULL);
}

static void tell_inspected(struct way *way, const struct pst_tls_peer *peer)
{
    const struct pst_tls_certificate *top = top_of(peer);
    bool trusted = (peer->faults & PST_TLS_FAULT_UNTRUSTED) == 0;
    visit_note(
        way->visit, CHECK_CHAIN, PST_DOCTOR_FAILED,
        "Have *.cognitive.microsoft.com and *.cognitiveservices.azure.com exempted from TLS inspection in "
        "the "
        "firewall or proxy: behind one the container stops serving. If Azure has moved to a root newer than "
        "this "
        "version (Microsoft: \"Azure Certificate Authority details\"), name its file with --known-roots.",
        "%s: TLS is inspected on the path (deep packet inspection): the certificate is issued by "
        "\"%.250s\"%s"
        "\"%.250s\", %s",
        way->label, peer->n_chain > 0 ? peer->chain[0].issuer : "nobody",
        trusted || (top != NULL && top->self_issued) ? " and its chain ends in " : ", its chain needs ",
        top == NULL                   ? "nothing"
        : top->self_issued || trusted ? top->subject
                                      : top->issuer,
        trusted ? "a root that is trusted here, but none that Azure uses"
                : "which no public root has signed");
}

static void judge_chain(struct way *way, bool seen_again)
{
    bool same = !seen_again || memcmp(way->peer.chain[0].key_sha256, way->again.chain[0].key_sha256, 32) == 0;
    const struct pst_tls_certificate *top = top_of(&way->peer);
    if (lacks_public_intermediate(&way->peer))
        visit_note(
            way->visit, CHECK_CHAIN, PST_DOCTOR_FAILED,
            "The endpoint itself does not do that: look for a proxy or load balancer of your own between "
            "here and it.",
            "%s: the server does not send the intermediate certificate \"%s\"", way->label, top->issuer);
    else if (!is_known(way, &way->peer))
        tell_inspected(way, &way->peer);
    else if (!same && !is_known(way, &way->again))
        tell_inspected(way, &way->again);
    else if (!same)
        visit_note(way->visit, CHECK_CHAIN, PST_DOCTOR_WARNING,
                   "Run the doctor again: while the endpoint renews its certificate this may be seen for "
                   "minutes. If it "
                   "stays, ask the network team about TLS inspection.",
                   "%s: two connections were shown two different keys, both under roots that Azure uses",
                   way->label);
    else
        visit_note(way->visit, CHECK_CHAIN, PST_DOCTOR_OK, NULL,
                   "%s: issued by \"%.250s\", under \"%.250s\"; TLS is not "
                   "inspected on the path",
                   way->label, way->peer.chain[0].issuer, top->subject);
}

/* Asks for nothing in particular: what the server says of the time. */
static void ask_date(struct way *way, struct pst_tls_client *client)
{
    char data[8192];
    struct pst_answer_parser *parser = NULL;
    int64_t date;
    int len = snprintf(data, sizeof(data),
                       "HEAD / HTTP/1.1\r\nHost: %s\r\nUser-Agent: postern\r\nConnection: close\r\n\r\n",
                       way->url->authority);
    if (pst_answer_parser_new(&parser) < 0)
        return;
    pst_answer_begin(parser, PST_ANSWER_TO_HEAD);
    ssize_t n = pst_tls_client_write(client, data, (size_t)len);
    while (n >= 0 && pst_answer_state(parser) == PST_ANSWER_HEAD) {
        n = pst_tls_client_read(client, data, sizeof(data));
        if (n <= 0 || pst_answer_feed_head(parser, data, (size_t)n) < 0)
            break;
    }
    const struct pst_answer *head = pst_answer_head(parser);
    if (head != NULL && pst_http_date_parse(pst_fields_value(&head->fields, PST_STR("date")), &date) == 0) {
        way->visit->has_clock_difference = true;
        way->visit->clock_difference_us = date - pst_clock_real_us();
    }
    pst_answer_parser_free(parser);
}

/* A second connection: an inspecting middlebox often makes a key for each. */
static bool look_again(struct way *way)
{
    struct pst_dial_why dial_why;
    struct pst_tls_why why;
    int fd = reach(way, &dial_why);
    struct pst_tls_client *client = fd >= 0 ? secure(way, fd, &way->again, &why) : NULL;
    /* Nothing is sent to a server that is not the real one. */
    if (client != NULL && way->again.faults == 0 && is_known(way, &way->again))
        ask_date(way, client);
    pst_tls_client_close(client);
    return client != NULL;
}

static bool load_roots(struct way *way)
{
    const struct pst_doctor_options *options = way->visit->options;
    struct pst_tls_why why;
    bool given = options->known_roots != NULL && options->known_roots[0] != '\0';
    int err = pst_tls_roots_load(options->ca_file, &way->roots, &why);
    if (err == 0 && given)
        err = pst_tls_roots_add(way->roots, options->known_roots, &why);
    if (err == 0 && given)
        err = pst_tls_inspect_bundle(options->known_roots, &way->known, &why);
    if (err < 0) {
        visit_note(way->visit, CHECK_TLS, PST_DOCTOR_FAILED,
                   "Install the package ca-certificates, or name a file of roots with --ca-file.", "%s",
                   why.text);
        skip_after(way, CHECK_TLS);
    }
    return err == 0;
}

static void walk(struct visit *visit, const struct pst_url *url, const struct pst_proxy *proxy, uint64_t ms)
{
    struct way *way = calloc(1, sizeof(*way));
    if (way == NULL)
        return;
    way->visit = visit;
    way->url = url;
    way->proxy = proxy;
    way->until_us = visit_until(visit, ms);
    snprintf(way->label, sizeof(way->label), "%s%s%s", url->authority,
             proxied(way) ? " through the proxy " : "", proxy->host);
    int fd = find_name(way) ? connect_out(way) : -1;
    if (fd >= 0 && !load_roots(way))
        pst_fd_close(fd);
    else if (fd >= 0 && look_at_tls(way, fd))
        judge_chain(way, look_again(way));
    pst_tls_roots_free(way->roots);
    free(way);
}

/* The direct way beside a proxy: what is blocked there is blocked on purpose. */
static void compare_directly(struct visit *visit, const struct pst_url *url)
{
    static const struct pst_proxy none = {.host = ""};
    struct visit *direct = calloc(1, sizeof(*direct));
    if (direct == NULL)
        return;
    direct->options = visit->options;
    direct->settings = visit->settings;
    direct->deadline_us = visit->deadline_us;
    walk(direct, url, &none, HALF_MS);
    const struct pst_doctor_result *worst = NULL;
    for (size_t i = 0; i < direct->n_notes; i++) {
        if (worst == NULL || direct->notes[i].status > worst->status)
            worst = &direct->notes[i];
    }
    if (worst != NULL && worst->status == PST_DOCTOR_FAILED && strcmp(worst->check, CHECK_CHAIN) == 0)
        visit_note(visit, CHECK_CHAIN, PST_DOCTOR_WARNING,
                   "This matters for a container without the proxy in its own environment (HTTPS_PROXY).",
                   "directly, without the proxy: %s", worst->seen);
    else if (worst != NULL && worst->status == PST_DOCTOR_FAILED)
        visit_note(visit, CHECK_CONNECT, PST_DOCTOR_SKIPPED, NULL,
                   "not reachable directly, without the proxy, as is usual behind one (%s)", worst->seen);
    else
        visit_note(visit, CHECK_CONNECT, PST_DOCTOR_OK, NULL, "%s: the direct path is open and genuine, too",
                   url->authority);
    free(direct);
}

/* The proxy for this host; its host is empty without one. False after telling that it cannot be used. */
static bool choose_proxy(struct visit *visit, const struct pst_url *url, struct pst_proxy *ret)
{
    const struct pst_doctor_options *options = visit->options;
    const char *reason = "";
    *ret = (struct pst_proxy){.host = ""};
    if (options->proxy == NULL || options->proxy[0] == '\0' ||
        pst_proxy_exempts(pst_str_of(options->no_proxy), url->host))
        return true;
    int err = pst_proxy_parse(pst_str_of(options->proxy), ret, &reason);
    if (err == 0 && options->proxy_credentials != NULL && options->proxy_credentials[0] != '\0' &&
        pst_proxy_set_credentials(ret, pst_str_of(options->proxy_credentials)) < 0) {
        reason = "its credentials must be user:password";
        err = -PST_EPARSE;
    }
    if (err < 0)
        visit_note(visit, CHECK_CONNECT, PST_DOCTOR_FAILED,
                   "Write it as http://host:port or http://user:password@host:port.",
                   "the proxy cannot be used: %s", reason);
    return err == 0;
}

void check_way_out(struct visit *visit)
{
    const struct pst_doctor_options *options = visit->options;
    struct pst_url url;
    struct pst_proxy proxy;
    const char *reason = "it must begin with https://";
    if (options->n_billing == 0) {
        visit_note(visit, CHECK_NAME, PST_DOCTOR_SKIPPED, NULL,
                   "no billing endpoint is known: name it with --billing URL (the container's Billing)");
        return;
    }
    const char *endpoint = options->billing[visit->subject];
    if (pst_url_parse(pst_str_of(endpoint), &url, &reason) < 0 || !url.https) {
        visit_note(
            visit, CHECK_NAME, PST_DOCTOR_FAILED,
            "Give the resource's endpoint as the portal shows it: https://NAME.cognitiveservices.azure.com/.",
            "the billing endpoint \"%.200s\" cannot be used: %s", endpoint, reason);
        return;
    }
    if (!choose_proxy(visit, &url, &proxy))
        return;
    bool two = proxy.host[0] != '\0';
    walk(visit, &url, &proxy, two ? HALF_MS : WAY_MS);
    if (two)
        compare_directly(visit, &url);
    explicit_bzero(&proxy, sizeof(proxy));
}
