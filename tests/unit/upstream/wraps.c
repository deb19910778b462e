/* SPDX-License-Identifier: Apache-2.0 */
#include "wraps.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The linker's names for the wrapped function and the real one. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);

struct wrap_counts wrap_counts;
unsigned wrap_fail_at;

static bool fails(void)
{
    wrap_counts.allocations++;
    return wrap_fail_at > 0 && --wrap_fail_at == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
    wrap_counts.recv_calls++;
    return __real_recv(fd, buf, len, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    wrap_counts.sendmsg_calls++;
    return __real_sendmsg(fd, message, flags);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    wrap_counts.epoll_ctl_calls++;
    return __real_epoll_ctl(epoll_fd, op, fd, event);
}
