/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual sockets, without the kernel: numbers that libmicrohttpd takes for descriptors, and whose readiness
 * we alone decide, because TLS and TCP are ours. It puts its connections into an epoll set, takes them out
 * when they are suspended and puts them back when they go on; at the end it shuts and closes them. So
 * libmicrohttpd.a's calls of epoll_ctl(), epoll_wait(), fcntl(), setsockopt(), shutdown() and close() are
 * renamed when it is built (tools/deps) and end here: seven system calls fewer a request, a fifth of its CPU
 * time, eight fewer and one descriptor less a connection (docs/performance.md). What is no number of ours
 * goes on to the kernel.
 *
 * As with a real edge-triggered set: a socket that is put in is reported once as readable and writable, and
 * again after each wake. One set per front, used on one thread at a time: virtual_epoll_use() before anything
 * that calls libmicrohttpd. */
#ifndef POSTERN_HTTP1_VIRTUAL_EPOLL_H
#define POSTERN_HTTP1_VIRTUAL_EPOLL_H

#include <stdbool.h>
#include <stddef.h>

/* Above every descriptor the kernel gives out (fs.nr_open is at most 2^30). */
#define VIRTUAL_SOCKET_FIRST (1 << 30)

struct virtual_socket;

struct virtual_epoll {
    struct virtual_socket *at; /* by number, from VIRTUAL_SOCKET_FIRST */
    size_t cap;
    int first, last; /* the queue of those to report, -1: empty */
    int free;        /* numbers to be used again, -1: none */
    size_t n_made;
};

void virtual_epoll_init(struct virtual_epoll *set);
void virtual_epoll_done(struct virtual_epoll *set);
/* This thread's libmicrohttpd calls concern this set from now on. */
void virtual_epoll_use(struct virtual_epoll *set);
/* A new one, or -PST_ENOMEM. libmicrohttpd closes it once it has it. */
int virtual_socket_open(struct virtual_epoll *set);
void virtual_socket_close(struct virtual_epoll *set, int fd);
/* There is something to read on the socket, or room to write. */
void virtual_epoll_wake(struct virtual_epoll *set, int fd);

#endif
