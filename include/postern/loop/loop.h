/* SPDX-License-Identifier: Apache-2.0 */
/* One thread's event loop: edge-triggered epoll, timers, and work put off to the end of the turn.
 * Everything here belongs to the thread that runs the loop, but for pst_loop_post().
 *
 *     for (;;) { pst_loop_turn(loop); ...the owner's own work of a turn... }
 *
 * Nothing frees itself inside its own callback: what must go is handed to pst_loop_defer(). A watch that
 * is removed gets no further call, not even for events of the same turn. */
#ifndef POSTERN_LOOP_LOOP_H
#define POSTERN_LOOP_LOOP_H

#include "postern/base/err.h"
#include "postern/base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct pst_loop;
struct pst_watch;
struct pst_timer;
struct pst_deferred;

/* `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR as epoll reported them. */
typedef void pst_watch_cb(struct pst_watch *watch, uint32_t events, void *arg);
typedef void pst_timer_cb(struct pst_timer *timer, void *arg);
typedef void pst_deferred_cb(struct pst_deferred *deferred, void *arg);

/* The caller's storage, embedded in what it serves. */
struct pst_watch {
    int fd; /* -1 when not in a loop */
    pst_watch_cb *cb;
    void *arg;
};

struct pst_timer {
    struct pst_list node;
    uint64_t deadline_us; /* 0 when not set */
    uint64_t slot_us;     /* when the slot it lies in is looked at */
    pst_timer_cb *cb;
    void *arg;
};

struct pst_deferred {
    struct pst_list node;
    pst_deferred_cb *cb;
    void *arg;
};

int pst_loop_new(struct pst_loop **ret_loop) PST_MUSTCHECK;
/* Runs the messages and the deferred work that still wait, so that what they own is not lost: for an owner
 * that has taken its last turn, before it frees what they concern. NULL is fine. */
void pst_loop_drain(struct pst_loop *loop);
/* All watches must be removed and all timers cleared before, and no thread may post any more. Drains first;
 * what still waits then must not concern anything freed already. NULL is fine. */
void pst_loop_free(struct pst_loop *loop);

/* Waits for events until the next timer is due, calls what they concern, then due timers, then the work that
 * was deferred so far; what that defers in its turn waits for the next turn, which will not sleep. With
 * `may_sleep` false it does not wait. 0, or -PST_EIO. */
int pst_loop_turn(struct pst_loop *loop, bool may_sleep) PST_MUSTCHECK;
/* Called just before the turn would sleep and right after it woke; for readers of shared snapshots. */
void pst_loop_on_sleep(struct pst_loop *loop, void (*before)(void *arg), void (*after)(void *arg), void *arg);

/* The monotonic and the real clock as read once at the start of the turn's work. */
uint64_t pst_loop_now_us(const struct pst_loop *loop);
int64_t pst_loop_real_us(const struct pst_loop *loop);

/* A watch starts with pst_watch_init(). Events are edge-triggered (EPOLLET is added): read and write until
 * EAGAIN. `events`: usually EPOLLIN | EPOLLOUT | EPOLLRDHUP. The descriptor stays the caller's. */
void pst_watch_init(struct pst_watch *watch, pst_watch_cb *cb, void *arg);
int pst_loop_add(struct pst_loop *loop, struct pst_watch *watch, int fd, uint32_t events) PST_MUSTCHECK;
/* Does nothing when the watch is in no loop. Call it before closing the descriptor. */
void pst_loop_remove(struct pst_loop *loop, struct pst_watch *watch);

/* Timers are coarse: they fire up to PST_TIMER_TICK_US late, never early. Setting one again moves it (cheap).
 */
#define PST_TIMER_TICK_US 32000
void pst_timer_init(struct pst_timer *timer, pst_timer_cb *cb, void *arg);
void pst_timer_set(struct pst_loop *loop, struct pst_timer *timer, uint64_t after_us);
void pst_timer_clear(struct pst_loop *loop, struct pst_timer *timer);
static inline bool pst_timer_is_set(const struct pst_timer *timer)
{
    return timer->deadline_us != 0;
}

/* Runs `deferred` once at the end of this turn. Deferring what is deferred already does nothing. */
void pst_deferred_init(struct pst_deferred *deferred, pst_deferred_cb *cb, void *arg);
void pst_loop_defer(struct pst_loop *loop, struct pst_deferred *deferred);
void pst_loop_undefer(struct pst_deferred *deferred);

/* From any thread: `fn(arg)` is called on the loop's thread in one of its next turns, or in pst_loop_drain()
 * or pst_loop_free(); in the order of posting. At most 256 messages wait: 0, or -PST_EBUSY. */
int pst_loop_post(struct pst_loop *loop, void (*fn)(void *arg), void *arg) PST_MUSTCHECK;

#endif
