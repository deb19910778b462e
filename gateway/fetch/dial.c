/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/fetch/dial.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/http/answer.h"
#include "private.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* A proxy's answer to CONNECT, its fields included; beyond it is no proxy. */
#define TUNNEL_ANSWER_MAX 16384

int fetch_wait(int fd, short events, uint64_t deadline_us)
{
    struct pollfd at = {.fd = fd, .events = events};
    for (;;) {
        uint64_t now = pst_clock_mono_us();
        if (now >= deadline_us)
            return -PST_ETIMEOUT;
        uint64_t ms = (deadline_us - now) / 1000 + 1;
        int n = poll(&at, 1, (int)(ms < 60000 ? ms : 60000));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return pst_err_from_errno(errno);
    }
}

int fetch_send(int fd, const void *data, size_t len, uint64_t deadline_us)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -PST_ERESET;
        int err = n < 0 ? fetch_wait(fd, POLLOUT, deadline_us) : 0;
        if (err < 0)
            return err;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

ssize_t fetch_receive(int fd, void *data, size_t len, uint64_t deadline_us)
{
    for (;;) {
        ssize_t n = recv(fd, data, len, MSG_DONTWAIT);
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR)
            return -PST_ERESET;
        int err = fetch_wait(fd, POLLIN, deadline_us);
        if (err < 0)
            return err;
    }
}

/* The proxy's answer: its status, or an error. */
static int read_tunnel_answer(int fd, struct pst_answer_parser *parser, uint64_t deadline_us,
                              struct pst_dial_why *ret_why)
{
    char data[TUNNEL_ANSWER_MAX];
    size_t have = 0;
    pst_answer_begin(parser, 0);
    while (pst_answer_state(parser) == PST_ANSWER_HEAD) {
        ssize_t n = have < sizeof(data) ? fetch_receive(fd, data + have, sizeof(data) - have, deadline_us)
                                        : -PST_ELIMIT;
        if (n <= 0) {
            snprintf(ret_why->text, sizeof(ret_why->text), "the proxy %s",
                     n == -PST_ETIMEOUT ? "did not answer in time"
                                        : "closed the connection without an answer");
            return n == 0 ? -PST_ERESET : (int)n;
        }
        ssize_t taken = pst_answer_feed_head(parser, data + have, (size_t)n);
        have += (size_t)n;
        if (taken < 0 || pst_answer_head(parser) == NULL)
            continue;
        /* A 2xx is no message with a body: the tunnel begins. A TLS server does not speak first. */
        unsigned status = pst_answer_head(parser)->status;
        if (status / 100 == 2 && taken < n)
            break;
        return (int)status;
    }
    snprintf(ret_why->text, sizeof(ret_why->text), "the proxy's answer is not HTTP");
    return -PST_EPROTO;
}

static const char *what_to_do(unsigned status)
{
    switch (status) {
    case 407:
        return "it wants credentials, or others than those given";
    case 403:
    case 405:
        return "it does not allow this host";
    case 502:
    case 503:
    case 504:
        return "it could not reach the host";
    default:
        return "see its log";
    }
}

int pst_dial_tunnel(int fd, const struct pst_proxy *proxy, const char *host, uint16_t port,
                    uint64_t deadline_us, unsigned *ret_status, struct pst_dial_why *ret_why)
{
    char request[2 * PST_URL_HOST_SIZE + PST_PROXY_CREDENTIALS_SIZE + 128];
    char authority[PST_URL_HOST_SIZE + 16];
    snprintf(authority, sizeof(authority), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
             (unsigned)port);
    int len = snprintf(request, sizeof(request), "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n", authority,
                       authority, proxy->basic[0] != '\0' ? "Proxy-Authorization: Basic " : "", proxy->basic,
                       proxy->basic[0] != '\0' ? "\r\n" : "");
    struct pst_answer_parser *parser = NULL;
    int err = pst_answer_parser_new(&parser);
    if (err == 0)
        err = fetch_send(fd, request, (size_t)len, deadline_us);
    explicit_bzero(request, sizeof(request));
    if (err < 0)
        snprintf(ret_why->text, sizeof(ret_why->text), "the proxy does not take the request: %s",
                 pst_strerror(err));
    int status = err < 0 ? err : read_tunnel_answer(fd, parser, deadline_us, ret_why);
    pst_answer_parser_free(parser);
    if (status < 0)
        return status;
    *ret_status = (unsigned)status;
    if (status / 100 == 2)
        return 0;
    snprintf(ret_why->text, sizeof(ret_why->text), "the proxy %.200s:%u answers CONNECT %.200s with %d: %s",
             proxy->host, (unsigned)proxy->port, authority, status, what_to_do((unsigned)status));
    return -PST_EACCES;
}

int pst_dial(const char *host, uint16_t port, const struct pst_proxy *proxy, const struct pst_dial_pins *pins,
             uint64_t deadline_us, struct pst_dial_why *ret_why)
{
    struct pst_dial_addresses addresses;
    bool tunnelled = proxy != NULL && proxy->host[0] != '\0';
    int fd = pst_dial_resolve(tunnelled ? proxy->host : host, tunnelled ? proxy->port : port, pins,
                              deadline_us, &addresses, ret_why);
    if (fd == 0)
        fd = pst_dial_connect(&addresses, deadline_us, ret_why);
    if (fd < 0 || !tunnelled)
        return fd;
    unsigned status = 0;
    int err = pst_dial_tunnel(fd, proxy, host, port, deadline_us, &status, ret_why);
    if (err == 0)
        return fd;
    pst_fd_close(fd);
    return err;
}
