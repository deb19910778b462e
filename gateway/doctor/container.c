/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/fetch/fetch.h"
#include "postern/upstream/api_status.h"
#include "postern/upstream/origin.h"

#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ASK_MS  4000
#define PORT_MS 2000

static int ask(struct visit *visit, const struct pst_upstream *upstream, const char *path,
               struct pst_fetch_answer *ret_answer, struct pst_fetch_why *ret_why)
{
    char url[PST_ORIGIN_AUTHORITY_SIZE + 64];
    uint64_t now = pst_clock_mono_us(), until = visit_until(visit, ASK_MS);
    const struct pst_dial_pins pins = {visit->options->pins, visit->options->n_pins};
    const struct pst_fetch_options options = {.timeout_ms = until > now ? (until - now) / 1000 + 1 : 1,
                                              .max_bytes = 65536,
                                              .allow_http = true,
                                              .pins = &pins};
    snprintf(url, sizeof(url), "http://%s%s", upstream->authority, path);
    return pst_fetch_get(url, &options, ret_answer, ret_why);
}

static const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static void tell_billing(struct visit *visit, const json_t *status)
{
    const char *says = json_text(status, "apiStatus"), *message = json_text(status, "apiStatusMessage");
    static const enum pst_doctor_status grades[] = {[PST_API_SERVES] = PST_DOCTOR_OK,
                                                    [PST_API_UNSURE] = PST_DOCTOR_WARNING,
                                                    [PST_API_REFUSES] = PST_DOCTOR_FAILED};
    const struct pst_api_status *known = pst_api_status_find(pst_str_of(says));
    if (known != NULL) {
        visit_note(visit, CHECK_BILLING, grades[known->grade], known->todo, "%s: %s (\"%.200s\")", says,
                   known->meaning, message);
        return;
    }
    if (says[0] == '\0')
        visit_note(visit, CHECK_BILLING, PST_DOCTOR_SKIPPED, NULL,
                   "its /status has no apiStatus: not an Azure AI container");
    else
        visit_note(visit, CHECK_BILLING, PST_DOCTOR_WARNING, "See the container's log.",
                   "%.64s: an unknown state (\"%.200s\")", says, message);
}

/* The name and, where it says one, the version. */
static void tell_container(struct visit *visit, const char *authority, const struct pst_fetch_answer *answer,
                           const json_t *status)
{
    const char *service = json_text(status, "service"), *version = json_text(status, "version");
    if (version[0] == '\0')
        version = json_text(status, "apiVersion");
    visit_note(visit, CHECK_CONTAINER, PST_DOCTOR_OK, NULL, "%s responds%s%.100s%s%.60s%s%s", authority,
               service[0] != '\0' ? ": " : "", service, version[0] != '\0' ? ", version " : "", version,
               answer->version[0] != '\0' ? ", by " : "", answer->version);
}

static void look_at_ready(struct visit *visit, const struct pst_upstream *upstream)
{
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    if (ask(visit, upstream, "/ready", &answer, &why) < 0) {
        visit_note(visit, CHECK_READY, PST_DOCTOR_WARNING, "Wait; then see the container's log.",
                   "no response to /ready: %s", why.text);
        return;
    }
    if (answer.status == 200)
        visit_note(visit, CHECK_READY, PST_DOCTOR_OK, NULL, "/ready reports that it can take queries");
    else if (answer.status == 404)
        visit_note(visit, CHECK_READY, PST_DOCTOR_SKIPPED, NULL, "it has no /ready");
    else
        visit_note(
            visit, CHECK_READY, PST_DOCTOR_WARNING,
            "Wait: models take minutes to load. If it stays so, see the container's log and its limits of "
            "memory and CPU.",
            "/ready responds with %u: it is still loading", answer.status);
    pst_fetch_answer_done(&answer);
}

static void skip_rest(struct visit *visit, const char *why)
{
    visit_note(visit, CHECK_READY, PST_DOCTOR_SKIPPED, NULL, "%s", why);
    visit_note(visit, CHECK_BILLING, PST_DOCTOR_SKIPPED, NULL, "%s", why);
}

static void look_at_http(struct visit *visit, const struct pst_upstream *upstream)
{
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    int err = ask(visit, upstream, "/status", &answer, &why);
    if (err < 0) {
        visit_note(visit, CHECK_CONTAINER, PST_DOCTOR_FAILED,
                   err == -PST_EPROTO
                       ? "Check that `upstream` names the container's HTTP port."
                       : "Check that the container runs (kubectl get pod, its log: Eula, Billing and ApiKey "
                         "must be given), and that `upstream` names its address and port.",
                   "%s", why.text);
        skip_rest(visit, "the container does not respond");
        return;
    }
    struct pst_str body = pst_buf_str(&answer.body);
    json_t *status = body.len > 0 ? json_loadb(body.p, body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    tell_container(visit, upstream->authority, &answer, status);
    look_at_ready(visit, upstream);
    tell_billing(visit, status);
    json_decref(status);
    pst_fetch_answer_done(&answer);
}

static void look_at_socket(struct visit *visit, const char *path)
{
    struct pst_addr at = {.len = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = (struct sockaddr_un *)&at.sa;
    un->sun_family = AF_UNIX;
    pst_str_clip(pst_str_of(path), un->sun_path, sizeof(un->sun_path));
    int fd = pst_dial_address(&at, visit_until(visit, ASK_MS));
    if (fd < 0)
        visit_note(visit, CHECK_CONTAINER, PST_DOCTOR_FAILED,
                   "Check that the container runs and shares this socket with the gateway (one volume, the "
                   "same user).",
                   "unix:%s: %s", path, pst_strerror(fd));
    else
        visit_note(visit, CHECK_CONTAINER, PST_DOCTOR_OK, NULL, "unix:%s accepts connections", path);
    pst_fd_close(fd);
    skip_rest(visit, "not checked over a Unix socket");
}

/* The setting `upstream`, or false after saying that it is wrong. */
static bool get_upstream(struct visit *visit, const char *check, struct pst_upstream *ret)
{
    const char *reason;
    if (!pst_setting_is_bad(visit->settings, "upstream") &&
        pst_upstream_parse(pst_str_of(visit->settings->upstream), ret, &reason) == 0)
        return true;
    visit_note(visit, check, PST_DOCTOR_SKIPPED, NULL, "the setting upstream is invalid");
    return false;
}

void check_container(struct visit *visit)
{
    struct pst_upstream upstream;
    if (!get_upstream(visit, CHECK_CONTAINER, &upstream))
        skip_rest(visit, "the setting upstream is invalid");
    else if (upstream.is_unix)
        look_at_socket(visit, upstream.path);
    else
        look_at_http(visit, &upstream);
}

/* What the container answers there to one who has no key: its status, or 0. */
static unsigned ask_address(struct visit *visit, const char *authority)
{
    char url[PST_ADDR_TEXT_SIZE + 32];
    uint64_t now = pst_clock_mono_us(), until = visit_until(visit, PORT_MS);
    struct pst_fetch_answer answer;
    struct pst_fetch_why why;
    const struct pst_fetch_options options = {
        .timeout_ms = until > now ? (until - now) / 1000 + 1 : 1, .max_bytes = 65536, .allow_http = true};
    snprintf(url, sizeof(url), "http://%s/status", authority);
    if (pst_fetch_get(url, &options, &answer, &why) < 0)
        return 0;
    pst_fetch_answer_done(&answer);
    return answer.status;
}

/* Tries the port on each of this pod's addresses that others can reach; lists those that answer. */
static size_t try_addresses(struct visit *visit, uint16_t port, char *open, size_t size)
{
    struct ifaddrs *all = NULL;
    size_t tried = 0, used = 0;
    if (getifaddrs(&all) < 0)
        return 0;
    for (const struct ifaddrs *it = all; it != NULL; it = it->ifa_next) {
        struct pst_addr at = {.len = sizeof(struct sockaddr_in)};
        if (it->ifa_addr == NULL || (it->ifa_flags & IFF_LOOPBACK) != 0 || (it->ifa_flags & IFF_UP) == 0)
            continue;
        if (it->ifa_addr->sa_family == AF_INET6 &&
            !IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)it->ifa_addr)->sin6_addr))
            at.len = sizeof(struct sockaddr_in6);
        else if (it->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&at.sa, it->ifa_addr, at.len);
        if (at.sa.ss_family == AF_INET)
            ((struct sockaddr_in *)&at.sa)->sin_port = htons(port);
        else
            ((struct sockaddr_in6 *)&at.sa)->sin6_port = htons(port);
        tried++;
        int fd = pst_dial_address(&at, visit_until(visit, PORT_MS));
        if (fd < 0)
            continue;
        pst_fd_close(fd);
        char text[PST_ADDR_TEXT_SIZE];
        pst_addr_format((const struct sockaddr *)&at.sa, text, sizeof(text));
        unsigned status = ask_address(visit, text);
        if (used < size)
            used += (size_t)snprintf(open + used, size - used, status > 0 ? "%s%s (GET /status: %u)" : "%s%s",
                                     used > 0 ? ", " : "", text, status);
    }
    freeifaddrs(all);
    return tried;
}

void check_container_port(struct visit *visit)
{
    struct pst_upstream upstream;
    char open[512] = "";
    if (!get_upstream(visit, CHECK_OPEN, &upstream))
        return;
    if (upstream.is_unix) {
        visit_note(visit, CHECK_OPEN, PST_DOCTOR_OK, NULL,
                   "a Unix socket cannot be reached from the network");
        return;
    }
    size_t tried = try_addresses(visit, upstream.port, open, sizeof(open));
    if (open[0] != '\0')
        visit_note(
            visit, CHECK_OPEN, PST_DOCTOR_WARNING,
            "Let a NetworkPolicy admit only the gateway's port to the pod; whether one does cannot be seen "
            "from "
            "inside. With Docker do not publish the container's port. Some images can be bound to 127.0.0.1 "
            "(Kestrel: ASPNETCORE_URLS).",
            "the container's port answers on %s too, without a key: whoever reaches that address goes past "
            "the "
            "gateway",
            open);
    else if (tried == 0)
        visit_note(visit, CHECK_OPEN, PST_DOCTOR_OK, NULL, "this machine has loopback addresses only");
    else
        visit_note(visit, CHECK_OPEN, PST_DOCTOR_OK, NULL,
                   "port %u is not reachable on the %zu other address%s of this pod", (unsigned)upstream.port,
                   tried, tried == 1 ? "" : "es");
}
