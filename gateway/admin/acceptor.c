/* SPDX-License-Identifier: Apache-2.0 */
#include "acceptor.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* While no more may be open: the rest waits in the kernel's queue. */
#define FULL_MS 20
/* When accept() says that descriptors or memory are at their end. */
#define PAUSE_MS 100
/* And that is logged again after this long. */
#define COMPLAINT_US 10000000

/* False when it is over. */
static bool pause_for(const struct admin_acceptor *acceptor, int ms)
{
    struct pollfd at = {.fd = acceptor->stop_fd, .events = POLLIN};
    return poll(&at, 1, ms) <= 0;
}

static bool is_full(const struct admin_acceptor *acceptor)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(acceptor->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info != NULL && info->num_connections >= acceptor->max_connections;
}

static void complain(const struct admin_acceptor *acceptor, int errno_value, uint64_t *next_us)
{
    uint64_t now_us = pst_clock_mono_us();
    if (now_us < *next_us)
        return;
    *next_us = now_us + COMPLAINT_US;
    pst_warn("admin", "%s: cannot accept connections: %s; the limit of open files is the usual cause",
             acceptor->place, strerror(errno_value));
}

/* One that waits. False when there is no room for it now. */
static bool take(const struct admin_acceptor *acceptor, uint64_t *next_complaint_us)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(acceptor->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) { /* libmicrohttpd closes it, also when it does not take it */
        (void)MHD_add_connection(acceptor->daemon, fd, (const struct sockaddr *)&peer, len);
        return true;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return true;
    complain(acceptor, errno, next_complaint_us);
    return false;
}

static void *run(void *arg)
{
    const struct admin_acceptor *acceptor = arg;
    struct pollfd at[2] = {{.fd = acceptor->stop_fd, .events = POLLIN},
                           {.fd = acceptor->listen_fd, .events = POLLIN}};
    uint64_t next_complaint_us = 0;
    bool more = true;
    while (more) {
        if (poll(at, 2, -1) < 0)
            continue;
        if (at[0].revents != 0)
            break;
        if (is_full(acceptor))
            more = pause_for(acceptor, FULL_MS);
        else if (!take(acceptor, &next_complaint_us))
            more = pause_for(acceptor, PAUSE_MS);
    }
    return NULL;
}

int admin_acceptor_start(struct admin_acceptor *acceptor, struct MHD_Daemon *daemon, int listen_fd,
                         unsigned max_connections, const char *place)
{
    *acceptor = (struct admin_acceptor){
        .daemon = daemon, .place = place, .listen_fd = listen_fd, .max_connections = max_connections};
    acceptor->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->stop_fd >= 0 && pthread_create(&acceptor->thread, NULL, run, acceptor) == 0) {
        (void)pthread_setname_np(acceptor->thread, "admin-accept");
        return 0;
    }
    acceptor->stop_fd = pst_fd_close(acceptor->stop_fd);
    return -PST_EIO;
}

void admin_acceptor_stop(struct admin_acceptor *acceptor)
{
    if (acceptor->stop_fd < 0)
        return;
    (void)eventfd_write(acceptor->stop_fd, 1);
    pthread_join(acceptor->thread, NULL);
    acceptor->stop_fd = pst_fd_close(acceptor->stop_fd);
}
