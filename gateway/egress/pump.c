/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from one socket to the other through a pipe in the kernel (splice(2)): they are not copied, and not
 * seen. What one side does not take stays in the pipe, and then in the other's socket: back-pressure. An end
 * of one side is passed on; the other direction goes on. */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024)

struct lane {
    int from, to;
    int pipe[2];
    size_t in_pipe;
    bool eof;  /* nothing more comes */
    bool shut; /* and that has been passed on */
    atomic_ullong *count;
};

static bool lane_open(struct lane *lane)
{
    if (pipe2(lane->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    (void)fcntl(lane->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one will do */
    return true;
}

/* One step: into the pipe, out of it. *ret_moved when something did. False: broken. */
static bool lane_step(struct lane *lane, bool *ret_moved)
{
    if (!lane->eof && lane->in_pipe < PIPE_BYTES) {
        ssize_t n =
            splice(lane->from, NULL, lane->pipe[1], NULL, PIPE_BYTES, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        lane->eof = n == 0;
        if (n > 0)
            lane->in_pipe += (size_t)n;
        *ret_moved = *ret_moved || n >= 0;
    }
    if (lane->in_pipe > 0) {
        ssize_t n = splice(lane->pipe[0], NULL, lane->to, NULL, lane->in_pipe,
                           SPLICE_F_NONBLOCK | SPLICE_F_MOVE | (lane->eof ? 0 : SPLICE_F_MORE));
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n > 0) {
            lane->in_pipe -= (size_t)n;
            atomic_fetch_add_explicit(lane->count, (unsigned long long)n, memory_order_relaxed);
            *ret_moved = true;
        }
    }
    if (lane->eof && lane->in_pipe == 0 && !lane->shut) {
        lane->shut = true;
        (void)shutdown(lane->to, SHUT_WR);
        *ret_moved = true;
    }
    return true;
}

static short wants_in(const struct lane *lane)
{
    return !lane->eof && lane->in_pipe < PIPE_BYTES ? POLLIN : 0;
}

static short wants_out(const struct lane *lane)
{
    return lane->in_pipe > 0 ? POLLOUT : 0;
}

/* Sleeps until one of the sockets can go on. Its end, when it is over. */
static bool wait_for(struct tunnel *t, const struct lane lanes[2], uint64_t idle_until_us, uint64_t until_us,
                     enum pump_end *ret_end)
{
    uint64_t now = pst_clock_mono_us(), first = idle_until_us < until_us ? idle_until_us : until_us;
    struct pollfd at[3] = {
        {.fd = t->client, .events = (short)(wants_in(&lanes[0]) | wants_out(&lanes[1]))},
        {.fd = t->server, .events = (short)(wants_in(&lanes[1]) | wants_out(&lanes[0]))},
        {.fd = t->egress->stop_pipe[0], .events = POLLIN},
    };
    /* A socket that nothing is wanted of would say again and again that it was hung up. */
    for (int i = 0; i < 2; i++)
        at[i].fd = at[i].events != 0 ? at[i].fd : -1;
    if (now < first) {
        uint64_t ms = (first - now) / 1000 + 1;
        (void)poll(at, 3, (int)(ms < 60000 ? ms : 60000));
        now = pst_clock_mono_us();
    }
    *ret_end = at[2].revents != 0 ? PUMP_STOPPED : now >= until_us ? PUMP_TOO_LONG : PUMP_IDLE;
    return at[2].revents == 0 && now < first;
}

static enum pump_end pump(struct tunnel *t, struct lane lanes[2], uint64_t until_us)
{
    uint64_t idle_us = t->egress->options.idle_timeout_us;
    uint64_t idle_until_us = pst_clock_mono_us() + idle_us;
    enum pump_end end;
    while (!lanes[0].shut || !lanes[1].shut) {
        bool moved = false;
        if (!lane_step(&lanes[0], &moved) || !lane_step(&lanes[1], &moved))
            return PUMP_RESET;
        if (moved)
            idle_until_us = pst_clock_mono_us() + idle_us;
        else if (!wait_for(t, lanes, idle_until_us, until_us, &end))
            return end;
    }
    return PUMP_DONE;
}

enum pump_end pump_run(struct tunnel *t, uint64_t until_us)
{
    struct lane lanes[2] = {
        {.from = t->client, .to = t->server, .pipe = {-1, -1}, .count = &t->up},
        {.from = t->server, .to = t->client, .pipe = {-1, -1}, .count = &t->down},
    };
    enum pump_end end = PUMP_RESET;
    if (lane_open(&lanes[0]) && lane_open(&lanes[1]))
        end = pump(t, lanes, until_us);
    for (int i = 0; i < 2; i++) {
        pst_fd_close(lanes[i].pipe[0]);
        pst_fd_close(lanes[i].pipe[1]);
    }
    return end;
}
