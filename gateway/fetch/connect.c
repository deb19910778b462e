/* SPDX-License-Identifier: Apache-2.0 */
/* From addresses to a connected socket. Of several addresses the first to answer is taken (RFC 8305, "Happy
 * Eyeballs"): the families take turns, the next is tried when the one before has failed or has not answered
 * for a quarter of a second, and none is given up before the end. */
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/fetch/dial.h"
#include "private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* RFC 8305 section 5, "Connection Attempt Delay". */
#define ATTEMPT_US 250000

/* Begins to connect: a descriptor, which may be connected already, or an error with errno. */
static int begin(const struct pst_addr *address)
{
    int fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return pst_err_from_errno(errno);
    if (connect(fd, (const struct sockaddr *)&address->sa, address->len) == 0 || errno == EINPROGRESS)
        return fd;
    int error = errno;
    pst_fd_close(fd);
    errno = error;
    return pst_err_from_errno(error);
}

/* How an attempt ended that poll() tells of: 0, or an error with errno. */
static int outcome(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    errno = error;
    return error == 0 ? 0 : pst_err_from_errno(error);
}

int pst_dial_address(const struct pst_addr *address, uint64_t deadline_us)
{
    int fd = begin(address);
    if (fd < 0)
        return fd;
    int err = fetch_wait(fd, POLLOUT, deadline_us);
    if (err == 0)
        err = outcome(fd);
    if (err == 0)
        return fd;
    int error = errno;
    pst_fd_close(fd);
    errno = error;
    return err;
}

struct race {
    const struct pst_addr *order[PST_DIAL_ADDRESSES_MAX];
    size_t n;
    struct pollfd at[PST_DIAL_ADDRESSES_MAX]; /* fd -1: not begun, or over */
    size_t n_begun;
    size_t n_open;
    uint64_t next_us; /* when the next one begins, if none was over before */
    int err;          /* of the last that failed */
    struct pst_dial_why *why;
    size_t used;
};

/* RFC 8305 section 4: by turns, beginning with the family that the system prefers. */
static void interleave(const struct pst_dial_addresses *addresses, struct race *race)
{
    bool taken[PST_DIAL_ADDRESSES_MAX] = {false};
    sa_family_t family = addresses->at[0].sa.ss_family;
    while (race->n < addresses->n) {
        size_t first = SIZE_MAX, fits = SIZE_MAX;
        for (size_t i = addresses->n; i-- > 0;) {
            if (taken[i])
                continue;
            first = i;
            if (addresses->at[i].sa.ss_family == family)
                fits = i;
        }
        size_t next = fits != SIZE_MAX ? fits : first;
        taken[next] = true;
        race->order[race->n++] = &addresses->at[next];
        family = addresses->at[next].sa.ss_family == AF_INET6 ? AF_INET : AF_INET6;
    }
}

static void note_failure(struct race *race, size_t i, int err)
{
    char text[PST_ADDR_TEXT_SIZE];
    size_t size = sizeof(race->why->text);
    race->err = err;
    pst_addr_format((const struct sockaddr *)&race->order[i]->sa, text, sizeof(text));
    if (race->used < size)
        race->used += (size_t)snprintf(race->why->text + race->used, size - race->used, "%s%s: %s",
                                       race->used > 0 ? "; " : "", text,
                                       err == -PST_ETIMEOUT ? "no answer in time" : pst_strerror(err));
}

static void begin_next(struct race *race, uint64_t now_us)
{
    size_t i = race->n_begun++;
    int fd = begin(race->order[i]);
    race->next_us = fd >= 0 ? now_us + ATTEMPT_US : now_us;
    if (fd < 0) {
        note_failure(race, i, fd);
        return;
    }
    race->at[i].fd = fd;
    race->n_open++;
}

/* The one that is connected, or -1. Those that failed are over, and the next need not wait. */
static int take_finished(struct race *race)
{
    for (size_t i = 0; i < race->n_begun; i++) {
        int fd = race->at[i].fd;
        if (fd < 0 || race->at[i].revents == 0)
            continue;
        race->at[i].fd = -1;
        race->n_open--;
        int err = outcome(fd);
        if (err == 0)
            return fd;
        note_failure(race, i, err);
        pst_fd_close(fd);
        race->next_us = 0;
    }
    return -1;
}

static int wait_for_one(struct race *race, uint64_t now_us, uint64_t deadline_us)
{
    bool more = race->n_begun < race->n;
    uint64_t until_us = more && race->next_us < deadline_us ? race->next_us : deadline_us;
    uint64_t ms = until_us > now_us ? (until_us - now_us) / 1000 + 1 : 0;
    int n = poll(race->at, race->n_begun, (int)(ms < 60000 ? ms : 60000));
    return n > 0 ? take_finished(race) : -1;
}

static void end(struct race *race)
{
    for (size_t i = 0; i < race->n_begun; i++) {
        if (race->at[i].fd < 0)
            continue;
        note_failure(race, i, -PST_ETIMEOUT); /* read only when nobody was connected */
        race->at[i].fd = pst_fd_close(race->at[i].fd);
    }
}

int pst_dial_connect(const struct pst_dial_addresses *addresses, uint64_t deadline_us,
                     struct pst_dial_why *ret_why)
{
    struct race race = {.err = addresses->n > 0 ? -PST_ETIMEOUT : -PST_ENOENT, .why = ret_why};
    int fd = -1;
    ret_why->text[0] = '\0';
    for (size_t i = 0; i < PST_DIAL_ADDRESSES_MAX; i++)
        race.at[i] = (struct pollfd){.fd = -1, .events = POLLOUT};
    if (addresses->n > 0)
        interleave(addresses, &race);
    while (fd < 0 && (race.n_open > 0 || race.n_begun < race.n)) {
        uint64_t now_us = pst_clock_mono_us();
        if (now_us >= deadline_us)
            break;
        if (race.n_begun < race.n && now_us >= race.next_us)
            begin_next(&race, now_us);
        if (race.n_open > 0)
            fd = wait_for_one(&race, now_us, deadline_us);
    }
    end(&race);
    return fd >= 0 ? fd : race.err;
}
