/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness of virtual sockets, without the kernel. libmicrohttpd puts its connections into an epoll set,
 * takes them out when they are suspended and puts them back when they go on; all of that concerns eventfds of
 * ours whose readiness we alone decide. So libmicrohttpd.a's calls of epoll_ctl() and epoll_wait() are
 * renamed when it is built (tools/deps) and end here: three system calls fewer a request, a sixth of its CPU
 * time (docs/performance.md).
 *
 * As with a real edge-triggered set: a socket that is put in is reported once as readable and writable, and
 * again after each wake. One set per front, used on one thread at a time: virtual_epoll_use() before anything
 * that calls libmicrohttpd. */
#ifndef POSTERN_PROXY_VIRTUAL_EPOLL_H
#define POSTERN_PROXY_VIRTUAL_EPOLL_H

#include <stdbool.h>
#include <stddef.h>

struct virtual_socket;

struct virtual_epoll {
    struct virtual_socket *at; /* by descriptor */
    size_t cap;
    int first, last; /* the queue of those to report, -1: empty */
};

void virtual_epoll_init(struct virtual_epoll *set);
void virtual_epoll_done(struct virtual_epoll *set);
/* This thread's libmicrohttpd calls concern this set from now on. */
void virtual_epoll_use(struct virtual_epoll *set);
/* There is something to read on the socket, or room to write. */
void virtual_epoll_wake(struct virtual_epoll *set, int fd);

#endif
