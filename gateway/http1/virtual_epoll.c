/* SPDX-License-Identifier: Apache-2.0 */
#include "virtual_epoll.h"

#include "postern/base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct virtual_socket {
    void *arg;   /* libmicrohttpd's */
    bool in_set; /* between ADD and DEL */
    bool queued;
    int next; /* in the queue, -1: last */
    int next_free;
};

static _Thread_local struct virtual_epoll *current;

/* What libmicrohttpd calls; the names are given to tools/deps. */
int pst_virtual_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int pst_virtual_epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout);
int pst_virtual_fcntl(int fd, int command, long arg);
int pst_virtual_shutdown(int fd, int how);
int pst_virtual_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int pst_virtual_close(int fd);

void virtual_epoll_init(struct virtual_epoll *set)
{
    *set = (struct virtual_epoll){.first = -1, .last = -1, .free = -1};
}

void virtual_epoll_done(struct virtual_epoll *set)
{
    free(set->at);
    virtual_epoll_init(set);
    if (current == set)
        current = NULL;
}

void virtual_epoll_use(struct virtual_epoll *set)
{
    current = set;
}

static bool make_room(struct virtual_epoll *set)
{
    if (set->n_made < set->cap)
        return true;
    size_t cap = set->cap > 0 ? 2 * set->cap : 256;
    struct virtual_socket *at = realloc(set->at, cap * sizeof(*at));
    if (at == NULL)
        return false;
    set->at = at;
    set->cap = cap;
    return true;
}

int virtual_socket_open(struct virtual_epoll *set)
{
    int i = set->free;
    if (i >= 0) {
        set->free = set->at[i].next_free; /* it may still be in the queue from its last life */
        return VIRTUAL_SOCKET_FIRST + i;
    }
    if (!make_room(set))
        return -PST_ENOMEM;
    i = (int)set->n_made++;
    set->at[i] = (struct virtual_socket){.next = -1};
    return VIRTUAL_SOCKET_FIRST + i;
}

/* The number's place, or -1 when it is none of the set's. */
static int place_of(const struct virtual_epoll *set, int fd)
{
    int i = fd - VIRTUAL_SOCKET_FIRST;
    return set != NULL && fd >= VIRTUAL_SOCKET_FIRST && (size_t)i < set->n_made ? i : -1;
}

void virtual_socket_close(struct virtual_epoll *set, int fd)
{
    int i = place_of(set, fd);
    if (i < 0)
        return;
    set->at[i].in_set = false;
    set->at[i].next_free = set->free;
    set->free = i;
}

static void queue(struct virtual_epoll *set, int i)
{
    struct virtual_socket *socket = &set->at[i];
    if (socket->queued)
        return;
    socket->queued = true;
    socket->next = -1;
    if (set->last >= 0)
        set->at[set->last].next = i;
    else
        set->first = i;
    set->last = i;
}

void virtual_epoll_wake(struct virtual_epoll *set, int fd)
{
    int i = place_of(set, fd);
    if (i >= 0 && set->at[i].in_set)
        queue(set, i);
}

int pst_virtual_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    (void)epoll_fd;
    struct virtual_epoll *set = current;
    int i = place_of(set, fd);
    if (i < 0) {
        errno = EBADF;
        return -1;
    }
    set->at[i].in_set = op != EPOLL_CTL_DEL;
    if (op == EPOLL_CTL_DEL)
        return 0;
    set->at[i].arg = event->data.ptr;
    queue(set, i);
    return 0;
}

int pst_virtual_epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout)
{
    (void)epoll_fd, (void)timeout; /* it is never asked to wait: libmicrohttpd runs when we say so */
    struct virtual_epoll *set = current;
    int n = 0;
    while (set != NULL && n < max_events && set->first >= 0) {
        struct virtual_socket *socket = &set->at[set->first];
        set->first = socket->next;
        if (set->first < 0)
            set->last = -1;
        socket->queued = false;
        if (!socket->in_set) /* taken out since */
            continue;
        events[n].data.ptr = socket->arg;
        events[n++].events = EPOLLIN | EPOLLOUT;
    }
    return n;
}

/* Non-blocking and closed on exec they are by nature. (A command's argument is a number in all of
 * libmicrohttpd's calls.) */
int pst_virtual_fcntl(int fd, int command, long arg)
{
    return fd >= VIRTUAL_SOCKET_FIRST ? 0 : fcntl(fd, command, arg);
}

/* It corks and pushes around each answer; sealing once at the end of a turn does the same. */
int pst_virtual_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return fd >= VIRTUAL_SOCKET_FIRST ? 0 : setsockopt(fd, level, name, value, len);
}

int pst_virtual_shutdown(int fd, int how)
{
    return fd >= VIRTUAL_SOCKET_FIRST ? 0 : shutdown(fd, how);
}

int pst_virtual_close(int fd)
{
    if (fd < VIRTUAL_SOCKET_FIRST)
        return close(fd);
    virtual_socket_close(current, fd);
    return 0;
}
