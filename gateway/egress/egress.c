/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/egress/egress.h"

#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 128
/* When accept() says that descriptors or memory are at their end; and that is logged again after so long. */
#define ACCEPT_PAUSE_MS 50
#define COMPLAINT_US    10000000
#define STACK_BYTES     (256 * 1024) /* two ClientHellos, and what the resolver wants */

/* Accepting */

static bool has_room(struct pst_egress *egress)
{
    pthread_mutex_lock(&egress->lock);
    bool room = egress->stats.open < egress->options.max_tunnels;
    pthread_mutex_unlock(&egress->lock);
    return room;
}

static void turn_away(int fd, const char *peer)
{
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n"
        "Content-Length: 53\r\nConnection: close\r\n\r\n"
        "Postern egress: too many tunnels (egress_max_tunnels)";
    pst_warn("egress", "%s refused: too many tunnels (egress_max_tunnels)", peer);
    (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    pst_fd_close(fd);
}

static bool start_thread(struct tunnel *t)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool started = pthread_create(&thread, &attr, tunnel_run, t) == 0;
    pthread_attr_destroy(&attr);
    return started;
}

static void take(struct pst_egress *egress, int fd, const struct sockaddr *peer)
{
    int one = 1;
    struct tunnel *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        pst_fd_close(fd);
        return;
    }
    *t = (struct tunnel){.egress = egress, .client = fd, .server = -1, .start_us = pst_clock_mono_us()};
    pst_addr_format(peer, t->peer, sizeof(t->peer));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (!has_room(egress)) {
        turn_away(fd, t->peer);
        free(t);
        return;
    }
    pthread_mutex_lock(&egress->lock);
    pst_list_push_back(&egress->tunnels, &t->node);
    egress->stats.open++;
    pthread_mutex_unlock(&egress->lock);
    if (start_thread(t))
        return;
    pthread_mutex_lock(&egress->lock);
    pst_list_remove(&t->node);
    egress->stats.open--;
    pthread_mutex_unlock(&egress->lock);
    turn_away(fd, t->peer);
    free(t);
}

/* Descriptors, or memory, come back when tunnels end. */
static void rest_without_descriptors(const struct pst_egress *egress, int errno_value, uint64_t *complain_us)
{
    struct pollfd stop = {.fd = egress->stop_pipe[0], .events = POLLIN};
    uint64_t now_us = pst_clock_mono_us();
    if (now_us >= *complain_us) {
        *complain_us = now_us + COMPLAINT_US;
        pst_warn("egress", "cannot accept connections: %s; the limit of open files is the usual cause",
                 strerror(errno_value));
    }
    (void)poll(&stop, 1, ACCEPT_PAUSE_MS);
}

static void *accept_run(void *arg)
{
    struct pst_egress *egress = arg;
    uint64_t complain_us = 0;
    struct pollfd at[EGRESS_LISTENERS_MAX + 1] = {{.fd = egress->stop_pipe[0], .events = POLLIN}};
    for (size_t i = 0; i < egress->n_listeners; i++)
        at[i + 1] = (struct pollfd){.fd = egress->listeners[i], .events = POLLIN};
    while (poll(at, egress->n_listeners + 1, -1) >= 0 || errno == EINTR) {
        if (at[0].revents != 0)
            break;
        for (size_t i = 1; i <= egress->n_listeners; i++) {
            struct sockaddr_storage peer;
            socklen_t len = sizeof(peer);
            int fd = at[i].revents != 0
                         ? accept4(at[i].fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK)
                         : -1;
            if (fd >= 0)
                take(egress, fd, (struct sockaddr *)&peer);
            else if (at[i].revents != 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                rest_without_descriptors(egress, errno, &complain_us);
        }
    }
    return NULL;
}

/* Start and stop */

static int listen_at(struct pst_egress *egress, const struct pst_addr *addr)
{
    int one = 1;
    char text[PST_ADDR_TEXT_SIZE];
    pst_addr_format((const struct sockaddr *)&addr->sa, text, sizeof(text));
    int fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
              bind(fd, (const struct sockaddr *)&addr->sa, addr->len) == 0 && listen(fd, BACKLOG) == 0;
    if (!ok) {
        int error = errno;
        pst_error("egress", "cannot listen on %s (egress_listen): %s", text, strerror(error));
        pst_fd_close(fd);
        return error == EADDRINUSE ? -PST_EBUSY : -PST_EIO;
    }
    egress->listeners[egress->n_listeners++] = fd;
    pst_info("egress", "egress proxy on %s%s", text, egress->options.observe ? ", observing only" : "");
    return 0;
}

static int start_all(struct pst_egress *egress)
{
    int err = allow_file_open(egress);
    if (err == 0)
        err = pipe2(egress->stop_pipe, O_CLOEXEC | O_NONBLOCK) == 0 ? 0 : -PST_EIO;
    for (size_t i = 0; err == 0 && i < egress->options.n_listen; i++)
        err = egress->n_listeners < EGRESS_LISTENERS_MAX ? listen_at(egress, &egress->options.listen[i])
                                                         : -PST_EINVAL;
    if (err == 0)
        err = watch_start(egress);
    if (err == 0)
        egress->accepting = pthread_create(&egress->acceptor, NULL, accept_run, egress) == 0;
    return err == 0 && !egress->accepting ? -PST_EIO : err;
}

int pst_egress_start(const struct pst_egress_options *options, struct pst_egress **ret)
{
    struct pst_egress *egress = calloc(1, sizeof(*egress));
    if (egress == NULL)
        return -PST_ENOMEM;
    egress->options = *options;
    egress->stop_pipe[0] = egress->stop_pipe[1] = -1;
    egress->started_us = pst_clock_real_us();
    pst_list_init(&egress->tunnels);
    pthread_mutex_init(&egress->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&egress->ended, &attr);
    pthread_condattr_destroy(&attr);
    int err = start_all(egress);
    if (err < 0) {
        pst_egress_stop(egress, 0);
        return err;
    }
    *ret = egress;
    return 0;
}

/* Under the lock. */
static void wait_for_tunnels(struct pst_egress *egress, uint64_t until_us)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    int rc = 0;
    while (egress->stats.open > 0 && rc == 0)
        rc = pthread_cond_timedwait(&egress->ended, &egress->lock, &until);
}

/* Those that pump see the pipe; those that read a head or wait for an answer see their socket shut. */
static void cut_tunnels(struct pst_egress *egress)
{
    (void)!write(egress->stop_pipe[1], "", 1);
    PST_LIST_EACH(node, &egress->tunnels)
    (void)shutdown(PST_CONTAINER(node, struct tunnel, node)->client, SHUT_RDWR);
}

static void close_all(struct pst_egress *egress)
{
    for (size_t i = 0; i < egress->n_listeners; i++)
        egress->listeners[i] = pst_fd_close(egress->listeners[i]);
    egress->n_listeners = 0;
}

void pst_egress_stop(struct pst_egress *egress, uint64_t wait_us)
{
    if (egress == NULL)
        return;
    pst_ticker_stop(&egress->watch);
    pthread_mutex_lock(&egress->lock);
    wait_for_tunnels(egress, pst_clock_mono_us() + wait_us);
    cut_tunnels(egress);
    pthread_mutex_unlock(&egress->lock);
    if (egress->accepting)
        pthread_join(egress->acceptor, NULL);
    pthread_mutex_lock(&egress->lock);
    cut_tunnels(egress);           /* whom the acceptor took in between */
    while (egress->stats.open > 0) /* a connection that is being made ends with its time limit */
        pthread_cond_wait(&egress->ended, &egress->lock);
    pthread_mutex_unlock(&egress->lock);
    close_all(egress);
    allow_file_close(egress);
    pst_fd_close(egress->stop_pipe[0]);
    pst_fd_close(egress->stop_pipe[1]);
    pthread_cond_destroy(&egress->ended);
    pthread_mutex_destroy(&egress->lock);
    explicit_bzero(&egress->options, sizeof(egress->options));
    free(egress);
}

void pst_egress_stats(struct pst_egress *egress, struct pst_egress_stats *ret)
{
    pthread_mutex_lock(&egress->lock);
    *ret = egress->stats;
    PST_LIST_EACH(node, &egress->tunnels)
    {
        struct tunnel *t = PST_CONTAINER(node, struct tunnel, node);
        ret->bytes_up += atomic_load(&t->up);
        ret->bytes_down += atomic_load(&t->down);
    }
    pthread_mutex_unlock(&egress->lock);
}
