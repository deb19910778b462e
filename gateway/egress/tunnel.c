/* SPDX-License-Identifier: Apache-2.0 */
/* One tunnel, on a thread of its own. */
#include "internal.h"
#include "policy.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/crypto/hash.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* For what came with the CONNECT, some KiB at most, to go to the server. */
#define SEND_US 5000000

static void count(uint64_t *counter, struct pst_egress *egress)
{
    pthread_mutex_lock(&egress->lock);
    (*counter)++;
    pthread_mutex_unlock(&egress->lock);
}

static const char *status_text(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 405:
        return "Method Not Allowed";
    case 407:
        return "Proxy Authentication Required";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Bad Gateway";
    }
}

static bool send_all(int fd, const void *data, size_t len, uint64_t deadline_us)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        uint64_t now = pst_clock_mono_us();
        struct pollfd at = {.fd = fd, .events = POLLOUT};
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        } else if ((errno != EAGAIN && errno != EINTR) || now >= deadline_us ||
                   poll(&at, 1, (int)((deadline_us - now) / 1000 + 1)) < 0) {
            return false;
        }
    }
    return true;
}

static void answer_refusal(struct tunnel *t, unsigned status, const char *reason)
{
    char text[1200], body[600];
    int body_len = snprintf(body, sizeof(body), "Postern egress: %s.\n", reason);
    if (body_len < 0 || (size_t)body_len >= sizeof(body))
        body_len = (int)strlen(body);
    int len =
        snprintf(text, sizeof(text),
                 "HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%s%s"
                 "Connection: close\r\n\r\n%s",
                 status, status_text(status), body_len, status == 405 ? "Allow: CONNECT\r\n" : "",
                 status == 407 ? "Proxy-Authenticate: Basic realm=\"postern\"\r\n" : "", body);
    if (len > 0 && (size_t)len < sizeof(text))
        (void)send_all(t->client, text, (size_t)len, pst_clock_mono_us() + 1000000);
    /* What it still sends must not make the kernel reset the connection before the answer was read. */
    (void)shutdown(t->client, SHUT_WR);
    char ignored[4096];
    struct pollfd at = {.fd = t->client, .events = POLLIN};
    for (int i = 0; i < 20 && poll(&at, 1, 100) >= 0; i++) {
        if (at.revents != 0 && recv(t->client, ignored, sizeof(ignored), MSG_DONTWAIT) <= 0)
            break;
    }
}

/* By the rules: counted, logged, and told. */
static bool refuse(struct tunnel *t, unsigned status, const char *reason)
{
    count(&t->egress->stats.refused, t->egress);
    pst_warn("egress", "%s asks for %s: refused with %u: %s", t->peer,
             t->host[0] != '\0' ? t->host : "no host", status, reason);
    answer_refusal(t, status, reason);
    return false;
}

/* What the rules do not allow, in the mode that only observes. True: goes on. */
static bool forbid(struct tunnel *t, const char *reason)
{
    if (!t->egress->options.observe)
        return refuse(t, 403, reason);
    count(&t->egress->stats.refused, t->egress);
    pst_warn("egress", "%s asks for %s:%u: would be refused: %s", t->peer, t->host, (unsigned)t->port,
             reason);
    return true;
}

static bool fail(struct tunnel *t, unsigned status, const char *reason)
{
    count(&t->egress->stats.failed, t->egress);
    watch_note(t->egress, t->host, false);
    pst_warn("egress", "%s asks for %s:%u: cannot be reached: %s", t->peer, t->host, (unsigned)t->port,
             reason);
    answer_refusal(t, status, reason);
    return false;
}

static bool has_credentials(const struct tunnel *t, const struct connect_request *request)
{
    const char *wanted = t->egress->options.credentials;
    size_t len = strlen(wanted);
    return len == 0 ||
           (strlen(request->credentials) == len && pst_ct_equal(wanted, request->credentials, len));
}

static bool read_request(struct tunnel *t, struct connect_request *request, uint64_t deadline_us)
{
    const char *reason = "";
    unsigned status = connect_request_read(t->client, deadline_us, request, &reason);
    if (status != 0)
        return refuse(t, status, reason);
    bool allowed = has_credentials(t, request);
    explicit_bzero(request->credentials, sizeof(request->credentials));
    if (!allowed)
        return refuse(t, 407, "this proxy wants other credentials (Proxy-Authorization: Basic)");
    if (egress_target_parse(pst_str_of(request->authority), t->host, &t->port, &reason) < 0)
        return refuse(t, 400, reason);
    reason = egress_refusal(&t->egress->options, t->host, t->port, allow_file_has(t->egress, t->host));
    return reason == NULL || forbid(t, reason);
}

/* Only addresses that may be connected to stay in the list. */
static bool check_addresses(struct tunnel *t, struct pst_dial_addresses *addresses)
{
    const char *reason = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < addresses->n; i++) {
        uint8_t bytes[16];
        uint16_t port;
        pst_addr_to_v6((const struct sockaddr *)&addresses->at[i].sa, bytes, &port);
        const char *why = egress_address_refusal(&t->egress->options, bytes);
        if (why == NULL)
            addresses->at[kept++] = addresses->at[i];
        else
            reason = why;
    }
    if (kept > 0 || reason == NULL) {
        addresses->n = kept;
        return true;
    }
    char text[200];
    snprintf(text, sizeof(text), "the name leads to %s, which is not in egress_allow_networks", reason);
    return forbid(t, text);
}

static bool connect_directly(struct tunnel *t, uint64_t deadline_us)
{
    struct pst_dial_addresses addresses;
    struct pst_dial_why why = {""};
    int err = pst_dial_resolve(t->host, t->port, &t->egress->options.pins, deadline_us, &addresses, &why);
    if (err < 0)
        return fail(t, err == -PST_ETIMEOUT ? 504 : 502, why.text);
    if (!check_addresses(t, &addresses))
        return false;
    t->server = pst_dial_connect(&addresses, deadline_us, &why);
    return t->server >= 0 || fail(t, t->server == -PST_ETIMEOUT ? 504 : 502, why.text);
}

static bool connect_by_parent(struct tunnel *t, uint64_t deadline_us)
{
    struct pst_dial_why why = {""};
    t->server =
        pst_dial(t->host, t->port, &t->egress->options.parent, &t->egress->options.pins, deadline_us, &why);
    return t->server >= 0 || fail(t, t->server == -PST_ETIMEOUT ? 504 : 502, why.text);
}

static void learn_address(struct tunnel *t)
{
    struct pst_addr peer = {.len = sizeof(peer.sa)};
    if (getpeername(t->server, (struct sockaddr *)&peer.sa, &peer.len) == 0)
        pst_addr_format((const struct sockaddr *)&peer.sa, t->address, sizeof(t->address));
}

static bool name_fits(struct tunnel *t, const struct connect_request *request)
{
    if (t->egress->options.sni == PST_EGRESS_SNI_OFF || server_name_fits(t, request))
        return true;
    count(&t->egress->stats.refused, t->egress);
    return false;
}

static const char *end_text(enum pump_end end)
{
    static const char *const texts[] = {
        [PUMP_DONE] = "ended",
        [PUMP_RESET] = "broken off",
        [PUMP_IDLE] = "idle too long",
        [PUMP_TOO_LONG] = "too long",
        [PUMP_STOPPED] = "cut off by the stop",
    };
    return texts[end];
}

static void log_end(struct tunnel *t, const char *how)
{
    unsigned long long up = atomic_load(&t->up), down = atomic_load(&t->down);
    pst_info("egress", "tunnel of %s to %s:%u (%s): %llu bytes up, %llu down, %.3f s, %s", t->peer, t->host,
             (unsigned)t->port, t->address, up, down, (double)(pst_clock_mono_us() - t->start_us) / 1e6, how);
    watch_note(t->egress, t->host, up > 0 && down > 0);
}

static void carry(struct tunnel *t, const struct connect_request *request, uint64_t deadline_us)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    count(&t->egress->stats.opened, t->egress);
    learn_address(t);
    if (!send_all(t->client, established, sizeof(established) - 1, deadline_us)) {
        log_end(t, end_text(PUMP_RESET));
        return;
    }
    if (!name_fits(t, request)) {
        log_end(t, "cut off: not TLS with the host's name");
        return;
    }
    /* What came with the CONNECT goes to the server only now: its name may be in it. */
    if (!send_all(t->server, request->rest, request->rest_len, pst_clock_mono_us() + SEND_US)) {
        log_end(t, end_text(PUMP_RESET));
        return;
    }
    atomic_fetch_add(&t->up, request->rest_len);
    log_end(t, end_text(pump_run(t, t->start_us + t->egress->options.max_duration_us)));
}

/* Off the list before the descriptors are closed: whoever cuts tunnels off must not meet another's. */
static void leave(struct tunnel *t)
{
    struct pst_egress *egress = t->egress;
    pthread_mutex_lock(&egress->lock);
    pst_list_remove(&t->node);
    egress->stats.bytes_up += atomic_load(&t->up);
    egress->stats.bytes_down += atomic_load(&t->down);
    pst_fd_close(t->client);
    pst_fd_close(t->server);
    egress->stats.open--;
    pthread_cond_broadcast(&egress->ended);
    pthread_mutex_unlock(&egress->lock);
    free(t);
}

void *tunnel_run(void *arg)
{
    struct tunnel *t = arg;
    uint64_t deadline_us = t->start_us + t->egress->options.connect_timeout_us;
    struct connect_request *request = malloc(sizeof(*request));
    bool direct = t->egress->options.parent.host[0] == '\0';
    if (request != NULL && read_request(t, request, deadline_us) &&
        (direct ? connect_directly(t, deadline_us) : connect_by_parent(t, deadline_us)))
        carry(t, request, deadline_us);
    free(request);
    leave(t);
    return NULL;
}
