/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/loop/loop.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "wheel.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Events taken per epoll_wait: enough that 64 busy clients and their upstream connections are one turn. */
#define MAX_EVENTS 256
#define MAX_POSTS  256
/* Work that defers or posts itself for ever must not keep a loop from being freed. */
#define MAX_DRAIN_ROUNDS 1000

struct post {
    void (*fn)(void *arg);
    void *arg;
};

/* What other threads may touch: only with `mutex` held. */
struct mailbox {
    pthread_mutex_t mutex;
    struct post posts[MAX_POSTS];
    size_t n;
};

struct pst_loop {
    int epoll_fd;
    int wake_fd;
    struct pst_watch wake_watch;
    uint64_t now_us;
    int64_t real_us;
    struct epoll_event events[MAX_EVENTS];
    int n_events;
    int at_event;
    struct pst_list deferred;
    struct wheel wheel;
    void (*before_sleep)(void *arg);
    void (*after_sleep)(void *arg);
    void *sleep_arg;
    struct mailbox mailbox;
};

static void read_clocks(struct pst_loop *loop)
{
    loop->now_us = pst_clock_mono_us();
    loop->real_us = pst_clock_real_us();
}

static bool run_posts(struct pst_loop *loop)
{
    struct post posts[MAX_POSTS];
    pthread_mutex_lock(&loop->mailbox.mutex);
    size_t n = loop->mailbox.n;
    for (size_t i = 0; i < n; i++)
        posts[i] = loop->mailbox.posts[i];
    loop->mailbox.n = 0;
    pthread_mutex_unlock(&loop->mailbox.mutex);
    for (size_t i = 0; i < n; i++)
        posts[i].fn(posts[i].arg);
    return n > 0;
}

static void on_wake(struct pst_watch *watch, uint32_t events, void *arg)
{
    (void)events;
    uint64_t count;
    (void)!read(watch->fd, &count, sizeof(count));
    run_posts(arg);
}

int pst_loop_new(struct pst_loop **ret_loop)
{
    struct pst_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return -PST_ENOMEM;
    pthread_mutex_init(&loop->mailbox.mutex, NULL);
    pst_list_init(&loop->deferred);
    read_clocks(loop);
    wheel_init(&loop->wheel, loop->now_us);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pst_watch_init(&loop->wake_watch, on_wake, loop);
    int err = loop->epoll_fd < 0 || loop->wake_fd < 0 ? pst_err_from_errno(errno) : 0;
    if (err == 0)
        err = pst_loop_add(loop, &loop->wake_watch, loop->wake_fd, EPOLLIN);
    if (err < 0) {
        pst_loop_free(loop);
        return err;
    }
    *ret_loop = loop;
    return 0;
}

void pst_loop_free(struct pst_loop *loop)
{
    if (loop == NULL)
        return;
    pst_loop_drain(loop);
    pst_fd_close(loop->wake_fd);
    pst_fd_close(loop->epoll_fd);
    pthread_mutex_destroy(&loop->mailbox.mutex);
    free(loop);
}

static int sleep_ms(struct pst_loop *loop)
{
    uint64_t wait_us = wheel_wait_us(&loop->wheel, pst_clock_mono_us());
    if (wait_us == UINT64_MAX)
        return -1;
    uint64_t ms = (wait_us + 999) / 1000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int wait_for_events(struct pst_loop *loop, bool may_sleep)
{
    int timeout = may_sleep && pst_list_empty(&loop->deferred) ? sleep_ms(loop) : 0;
    if (timeout != 0 && loop->before_sleep != NULL)
        loop->before_sleep(loop->sleep_arg);
    int n = epoll_wait(loop->epoll_fd, loop->events, MAX_EVENTS, timeout);
    int saved_errno = errno;
    if (timeout != 0 && loop->after_sleep != NULL)
        loop->after_sleep(loop->sleep_arg);
    if (n < 0)
        return saved_errno == EINTR ? 0 : -PST_EIO;
    return n;
}

static void dispatch(struct pst_loop *loop, int n)
{
    loop->n_events = n;
    for (loop->at_event = 0; loop->at_event < loop->n_events; loop->at_event++) {
        struct epoll_event *event = &loop->events[loop->at_event];
        struct pst_watch *watch = event->data.ptr;
        if (watch != NULL)
            watch->cb(watch, event->events, watch->arg);
    }
    loop->n_events = 0;
}

static void run_timers(struct pst_loop *loop)
{
    struct pst_list due;
    pst_list_init(&due);
    wheel_collect(&loop->wheel, loop->now_us, &due);
    for (struct pst_list *node; (node = pst_list_pop_front(&due)) != NULL;) {
        struct pst_timer *timer = PST_CONTAINER(node, struct pst_timer, node);
        if (timer->deadline_us > loop->now_us) { /* one that fired before it moved it to later */
            wheel_insert(&loop->wheel, timer, loop->now_us);
            continue;
        }
        timer->deadline_us = 0;
        timer->cb(timer, timer->arg);
    }
}

/* Only what was deferred before: work that defers itself again waits for the next turn. */
static void run_deferred(struct pst_loop *loop)
{
    struct pst_list batch;
    pst_list_init(&batch);
    for (struct pst_list *node; (node = pst_list_pop_front(&loop->deferred)) != NULL;)
        pst_list_push_back(&batch, node);
    for (struct pst_list *node; (node = pst_list_pop_front(&batch)) != NULL;) {
        struct pst_deferred *deferred = PST_CONTAINER(node, struct pst_deferred, node);
        deferred->cb(deferred, deferred->arg);
    }
}

void pst_loop_drain(struct pst_loop *loop)
{
    if (loop == NULL)
        return;
    for (int round = 0; round < MAX_DRAIN_ROUNDS; round++) {
        bool ran = run_posts(loop);
        if (!ran && pst_list_empty(&loop->deferred))
            return;
        run_deferred(loop);
    }
}

int pst_loop_turn(struct pst_loop *loop, bool may_sleep)
{
    int n = wait_for_events(loop, may_sleep);
    if (n < 0)
        return n;
    read_clocks(loop);
    dispatch(loop, n);
    run_timers(loop);
    run_deferred(loop);
    return 0;
}

void pst_loop_on_sleep(struct pst_loop *loop, void (*before)(void *arg), void (*after)(void *arg), void *arg)
{
    loop->before_sleep = before;
    loop->after_sleep = after;
    loop->sleep_arg = arg;
}

uint64_t pst_loop_now_us(const struct pst_loop *loop)
{
    return loop->now_us;
}

int64_t pst_loop_real_us(const struct pst_loop *loop)
{
    return loop->real_us;
}

void pst_watch_init(struct pst_watch *watch, pst_watch_cb *cb, void *arg)
{
    *watch = (struct pst_watch){.fd = -1, .cb = cb, .arg = arg};
}

int pst_loop_add(struct pst_loop *loop, struct pst_watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return pst_err_from_errno(errno);
    watch->fd = fd;
    return 0;
}

void pst_loop_remove(struct pst_loop *loop, struct pst_watch *watch)
{
    if (watch->fd < 0)
        return;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fd = -1;
    for (int i = loop->at_event + 1; i < loop->n_events; i++) {
        if (loop->events[i].data.ptr == watch)
            loop->events[i].data.ptr = NULL;
    }
}

void pst_timer_init(struct pst_timer *timer, pst_timer_cb *cb, void *arg)
{
    *timer = (struct pst_timer){.cb = cb, .arg = arg};
    pst_list_init(&timer->node);
}

void pst_timer_set(struct pst_loop *loop, struct pst_timer *timer, uint64_t after_us)
{
    uint64_t deadline_us = loop->now_us + after_us;
    bool waits_in_wheel = timer->deadline_us != 0 && !pst_list_empty(&timer->node);
    timer->deadline_us = deadline_us;
    /* Its slot comes up first and finds the later deadline. */
    if (waits_in_wheel && timer->slot_us <= deadline_us + PST_TIMER_TICK_US)
        return;
    wheel_insert(&loop->wheel, timer, loop->now_us);
}

void pst_timer_clear(struct pst_loop *loop, struct pst_timer *timer)
{
    (void)loop;
    pst_list_remove(&timer->node);
    timer->deadline_us = 0;
}

void pst_deferred_init(struct pst_deferred *deferred, pst_deferred_cb *cb, void *arg)
{
    deferred->cb = cb;
    deferred->arg = arg;
    pst_list_init(&deferred->node);
}

void pst_loop_defer(struct pst_loop *loop, struct pst_deferred *deferred)
{
    if (pst_list_empty(&deferred->node))
        pst_list_push_back(&loop->deferred, &deferred->node);
}

void pst_loop_undefer(struct pst_deferred *deferred)
{
    pst_list_remove(&deferred->node);
}

int pst_loop_post(struct pst_loop *loop, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&loop->mailbox.mutex);
    bool full = loop->mailbox.n == MAX_POSTS;
    if (!full)
        loop->mailbox.posts[loop->mailbox.n++] = (struct post){fn, arg};
    pthread_mutex_unlock(&loop->mailbox.mutex);
    if (full)
        return -PST_EBUSY;
    uint64_t one = 1;
    (void)!write(loop->wake_fd, &one, sizeof(one)); /* fails only when a wake-up is due anyway */
    return 0;
}
