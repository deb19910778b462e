/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: one per worker and address, sharing the port (SO_REUSEPORT), so that the kernel spreads
 * connections and workers share no queue. */
#include "internal.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 1024

static int set_options(int fd, int family, bool share_port)
{
    int one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
        return -1;
    if (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
        return -1;
    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return 0;
}

static int bind_one(const struct pst_addr *addr, bool share_port)
{
    int family = addr->sa.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (set_options(fd, family, share_port) < 0 ||
        bind(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0)
        return pst_fd_close(fd);
    return fd;
}

/* With SO_REUSEPORT a second gateway on the same port would get half of the connections without a word; a
 * plain bind before finds it out. */
static bool somebody_listens(const struct pst_addr *addr)
{
    PST_FD fd = bind_one(addr, false);
    return fd < 0 && errno == EADDRINUSE;
}

static void set_port(struct pst_addr *addr, uint16_t port)
{
    if (addr->sa.ss_family == AF_INET)
        ((struct sockaddr_in *)&addr->sa)->sin_port = htons(port);
    else if (addr->sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&addr->sa)->sin6_port = htons(port);
}

static void learn_port(int fd, struct pst_addr *addr, struct bound *bound)
{
    struct pst_addr real = {.len = sizeof(real.sa)};
    uint8_t ignored[16];
    if (getsockname(fd, (struct sockaddr *)&real.sa, &real.len) < 0)
        return;
    pst_addr_to_v6((const struct sockaddr *)&real.sa, ignored, &bound->port);
    set_port(addr, bound->port);
    pst_addr_format((const struct sockaddr *)&real.sa, bound->text, sizeof(bound->text));
}

static int bind_address(struct pst_addr addr, unsigned n_workers, struct bound *bound)
{
    pst_addr_format((const struct sockaddr *)&addr.sa, bound->text, sizeof(bound->text));
    if (somebody_listens(&addr)) {
        errno = EADDRINUSE;
        return -PST_EBUSY;
    }
    for (unsigned i = 0; i < n_workers; i++) {
        bound->fds[i] = bind_one(&addr, true);
        if (bound->fds[i] >= 0 && listen(bound->fds[i], BACKLOG) < 0)
            bound->fds[i] = pst_fd_close(bound->fds[i]);
        if (bound->fds[i] < 0) {
            int saved_errno = errno;
            while (i-- > 0)
                pst_fd_close(bound->fds[i]);
            errno = saved_errno;
            return pst_err_from_errno(saved_errno);
        }
        if (i == 0)
            learn_port(bound->fds[0], &addr, bound);
    }
    return 0;
}

/* A machine without IPv6 still serves IPv4 when nobody asked for IPv6 by name. */
static bool may_skip(const struct pst_settings *settings, const struct pst_addr *addr, int errno_value)
{
    return settings->listen_is_default && addr->sa.ss_family == AF_INET6 &&
           (errno_value == EAFNOSUPPORT || errno_value == EADDRNOTAVAIL);
}

int listen_all(const struct pst_settings *settings, unsigned n_workers, struct bounds *bounds)
{
    bounds->n = 0;
    for (size_t i = 0; i < settings->n_listen && bounds->n < MAX_LISTENERS; i++) {
        struct bound *bound = &bounds->at[bounds->n];
        int err = bind_address(settings->listen[i], n_workers, bound);
        if (err == 0) {
            bound->certificate = pst_certificate_mode_of(settings, &settings->listen[i]);
            bounds->n++;
            continue;
        }
        int errno_value = errno;
        if (may_skip(settings, &settings->listen[i], errno_value)) {
            pst_warn("server", "not listening on %s: this machine has no IPv6", bound->text);
            continue;
        }
        pst_error("server", "cannot listen on %s: %s%s", bound->text, strerror(errno_value),
                  errno_value == EADDRINUSE ? "; another process uses this port, choose another `listen`"
                                            : "");
        listen_close(bounds, n_workers);
        return err;
    }
    return bounds->n > 0 ? 0 : -PST_EINVAL;
}

void listen_close(struct bounds *bounds, unsigned n_workers)
{
    for (size_t i = 0; i < bounds->n; i++) {
        for (unsigned w = 0; w < n_workers; w++)
            bounds->at[i].fds[w] = pst_fd_close(bounds->at[i].fds[w]);
    }
    bounds->n = 0;
}
