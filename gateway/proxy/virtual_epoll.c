/* SPDX-License-Identifier: Apache-2.0 */
#include "virtual_epoll.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct virtual_socket {
    void *arg;   /* libmicrohttpd's */
    bool in_set; /* between ADD and DEL */
    bool queued;
    int next; /* in the queue, -1: last */
};

static _Thread_local struct virtual_epoll *current;

/* What libmicrohttpd calls; the names are given to tools/deps. */
int pst_virtual_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int pst_virtual_epoll_wait(int epoll_fd, struct epoll_event *events, int max_events, int timeout);

void virtual_epoll_init(struct virtual_epoll *set)
{
    *set = (struct virtual_epoll){.first = -1, .last = -1};
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

static bool make_room(struct virtual_epoll *set, int fd)
{
    size_t cap = set->cap > 0 ? set->cap : 256;
    while (cap <= (size_t)fd)
        cap *= 2;
    if (cap == set->cap)
        return true;
    struct virtual_socket *at = realloc(set->at, cap * sizeof(*at));
    if (at == NULL)
        return false;
    for (size_t i = set->cap; i < cap; i++)
        at[i] = (struct virtual_socket){.next = -1};
    set->at = at;
    set->cap = cap;
    return true;
}

static void queue(struct virtual_epoll *set, int fd)
{
    struct virtual_socket *socket = &set->at[fd];
    if (socket->queued)
        return;
    socket->queued = true;
    socket->next = -1;
    if (set->last >= 0)
        set->at[set->last].next = fd;
    else
        set->first = fd;
    set->last = fd;
}

void virtual_epoll_wake(struct virtual_epoll *set, int fd)
{
    if ((size_t)fd < set->cap && set->at[fd].in_set)
        queue(set, fd);
}

int pst_virtual_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    (void)epoll_fd;
    struct virtual_epoll *set = current;
    if (set == NULL || fd < 0 || !make_room(set, fd)) {
        errno = set == NULL || fd < 0 ? EBADF : ENOMEM;
        return -1;
    }
    set->at[fd].in_set = op != EPOLL_CTL_DEL;
    if (op == EPOLL_CTL_DEL)
        return 0;
    set->at[fd].arg = event->data.ptr;
    queue(set, fd);
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
