/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/demo/demo.h"

#include "postern/base/fd.h"
#include "postern/base/list.h"
#include "postern/base/log.h"

#include "conn.h"
#include "lexicon.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection's struct is about 20 KiB and lives on its thread's stack. */
#define THREAD_STACK_BYTES (256 * 1024)

struct pst_demo {
    int listen_fd;
    int stop_fd; /* an eventfd that becomes and stays readable when the container stops */
    pthread_t acceptor;
    pthread_attr_t attr; /* of connection threads: detached, small stack */
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* n_active became 0 */
    /* Under the mutex. */
    struct pst_list guests;
    unsigned n_active;
};

/* One connection's thread. */
struct guest {
    struct pst_list node;
    struct pst_demo *demo;
    int fd;
};

static void guest_leave(struct guest *guest)
{
    struct pst_demo *demo = guest->demo;
    pthread_mutex_lock(&demo->mutex);
    pst_list_remove(&guest->node);
    pst_fd_close(guest->fd);
    free(guest);
    if (--demo->n_active == 0)
        pthread_cond_signal(&demo->idle);
    pthread_mutex_unlock(&demo->mutex);
}

static void *guest_main(void *arg)
{
    struct guest *guest = arg;
    demo_conn_serve(guest->fd, guest->demo->stop_fd);
    guest_leave(guest);
    return NULL;
}

static void prepare_socket(int fd)
{
    /* A peer that takes nothing for a minute has left. */
    struct timeval limit = {.tv_sec = 60};
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* Takes over the descriptor. */
static void guest_enter(struct pst_demo *demo, int fd)
{
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        pst_fd_close(fd);
        return;
    }
    *guest = (struct guest){.demo = demo, .fd = fd};
    prepare_socket(fd);
    pthread_mutex_lock(&demo->mutex);
    bool room = demo->n_active < PST_DEMO_CONNECTIONS_MAX;
    pst_list_init(&guest->node);
    if (room)
        pst_list_push_back(&demo->guests, &guest->node);
    demo->n_active++; /* guest_leave() counts it down again */
    pthread_mutex_unlock(&demo->mutex);
    pthread_t thread;
    if (!room || pthread_create(&thread, &demo->attr, guest_main, guest) != 0) {
        pst_warn("demo", "no room for another connection to the sample container");
        guest_leave(guest);
    }
}

static void *acceptor_main(void *arg)
{
    struct pst_demo *demo = arg;
    struct pollfd fds[2] = {{.fd = demo->listen_fd, .events = POLLIN},
                            {.fd = demo->stop_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents)
            return NULL;
        int fd = accept4(demo->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            guest_enter(demo, fd);
        else
            poll(NULL, 0, 10); /* out of descriptors, say: do not spin */
    }
}

static int listen_loopback(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return pst_fd_close(fd);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

static void demo_free(struct pst_demo *demo)
{
    pst_fd_close(demo->listen_fd);
    pst_fd_close(demo->stop_fd);
    pthread_attr_destroy(&demo->attr);
    pthread_cond_destroy(&demo->idle);
    pthread_mutex_destroy(&demo->mutex);
    demo_lexicon_drop();
    free(demo);
}

/* Its threads take no signals: those are the main thread's. */
static int start_acceptor(struct pst_demo *demo)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&demo->acceptor, NULL, acceptor_main, demo);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? 0 : -PST_EIO;
}

int pst_demo_start(struct pst_demo **ret, uint16_t *ret_port)
{
    if (demo_lexicon_build() < 0)
        return -PST_ENOMEM;
    struct pst_demo *demo = calloc(1, sizeof *demo);
    if (!demo)
        return -PST_ENOMEM;
    pst_list_init(&demo->guests);
    pthread_mutex_init(&demo->mutex, NULL);
    pthread_cond_init(&demo->idle, NULL);
    pthread_attr_init(&demo->attr);
    pthread_attr_setdetachstate(&demo->attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&demo->attr, THREAD_STACK_BYTES);
    uint16_t port = 0;
    demo->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    demo->listen_fd = listen_loopback(&port);
    if (demo->stop_fd < 0 || demo->listen_fd < 0 || start_acceptor(demo) < 0) {
        demo_free(demo);
        return -PST_EIO;
    }
    *ret = demo;
    *ret_port = port;
    return 0;
}

void pst_demo_stop(struct pst_demo *demo)
{
    if (!demo)
        return;
    (void)eventfd_write(demo->stop_fd, 1);
    pthread_join(demo->acceptor, NULL);
    pthread_mutex_lock(&demo->mutex);
    PST_LIST_EACH(it, &demo->guests)
    shutdown(PST_CONTAINER(it, struct guest, node)->fd, SHUT_RDWR); /* wakes what blocks in send() */
    while (demo->n_active)
        pthread_cond_wait(&demo->idle, &demo->mutex);
    pthread_mutex_unlock(&demo->mutex);
    demo_free(demo);
}
