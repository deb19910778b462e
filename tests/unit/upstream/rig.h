/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, a pool and the container's side of its connections, all in one thread: the test plays the container
 * with plain blocking calls on accepted sockets, and turns the loop in between. */
#ifndef POSTERN_TESTS_UPSTREAM_RIG_H
#define POSTERN_TESTS_UPSTREAM_RIG_H

#include "postern/upstream/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct rig {
    struct pst_loop *loop;
    struct pst_pool *pool;
    struct pst_pool_limits limits;
    struct pst_origin *origin;
    int listener;
    uint16_t port;
};

/* Listens on a free loopback port. */
void rig_begin(struct rig *rig);
/* The same over a unix socket with that backlog, at a path of its own. */
void rig_begin_unix(struct rig *rig, int backlog);
/* Ends the pool (every lease must be over) and all else. */
void rig_end(struct rig *rig);

struct pst_origin *rig_tcp_origin(const uint16_t *ports, size_t n);
int rig_listen(int backlog, uint16_t *ret_port);

/* The next connection as the container sees it; fails the test after 2 s. */
int rig_accept(struct rig *rig);
/* One turn after the other, sleeping between, until *flag is not 0; fails the test after `limit_ms`. */
void rig_turn_until(struct rig *rig, const int *flag, int limit_ms);
/* Turns until nothing moves any more (some ms). */
void rig_settle(struct rig *rig);
void rig_turn_for(struct rig *rig, int ms);

void rig_write(int fd, const void *data, size_t len);
void rig_print(int fd, const char *text);
/* Reads until `text` has been seen at the end of what came; fails the test after 2 s. */
void rig_expect(int fd, const char *text);
/* Whether the peer closes within 2 s (with or without a reset). */
bool rig_sees_close(int fd);
/* Closes with a reset. */
void rig_reset(int fd);

struct rig_lease {
    struct pst_lease lease;
    uint64_t owner; /* nobody at first */
    int n_ready;
    int done; /* 1 when ready was called */
    int err;
};

void rig_lease_init(struct rig_lease *l);
/* Lends a connection at once or through the loop. */
void rig_lease_now(struct rig *rig, struct rig_lease *l, unsigned flags);
void rig_on_ready(struct pst_lease *lease, int err, void *arg);

#endif
