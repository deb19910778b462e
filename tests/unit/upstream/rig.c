/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include "postern/base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 2000

int rig_listen(int backlog, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct pst_origin *rig_tcp_origin(const uint16_t *ports, size_t n)
{
    struct sockaddr_in at[PST_ORIGIN_ADDRESSES_MAX];
    const struct sockaddr *addresses[PST_ORIGIN_ADDRESSES_MAX];
    socklen_t lengths[PST_ORIGIN_ADDRESSES_MAX];
    struct pst_origin *origin;
    assert_true(n <= PST_ORIGIN_ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++) {
        at[i] = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(ports[i]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        addresses[i] = (struct sockaddr *)&at[i];
        lengths[i] = sizeof(at[i]);
    }
    assert_int_equal(pst_origin_new(PST_STR("container"), addresses, lengths, n, &origin), 0);
    return origin;
}

static void begin_pool(struct rig *rig)
{
    rig->limits = (struct pst_pool_limits){.max_connections = 4,
                                           .max_waiting = 4,
                                           .key_percent = 100,
                                           .keyless_percent = 100,
                                           .wait_us = 5000000,
                                           .connect_timeout_us = 2000000,
                                           .idle_timeout_us = 30000000};
    assert_int_equal(pst_loop_new(&rig->loop), 0);
    assert_int_equal(pst_pool_new(rig->loop, &rig->limits, &rig->pool), 0);
    pst_pool_set_origin(rig->pool, rig->origin);
}

void rig_begin(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->listener = rig_listen(4096, &rig->port);
    rig->origin = rig_tcp_origin(&rig->port, 1);
    begin_pool(rig);
}

void rig_begin_unix(struct rig *rig, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[128];
    struct pst_upstream upstream;
    const char *reason;
    memset(rig, 0, sizeof(*rig));
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/postern-rig-%d.sock", (int)getpid());
    snprintf(text, sizeof(text), "unix:%s", address.sun_path);
    unlink(address.sun_path);
    rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(rig->listener, backlog), 0);
    assert_int_equal(pst_upstream_parse(pst_str_of(text), &upstream, &reason), 0);
    assert_int_equal(pst_origin_resolve(&upstream, &rig->origin), 0);
    begin_pool(rig);
}

void rig_end(struct rig *rig)
{
    char text[PST_ORIGIN_TEXT_SIZE];
    pst_origin_address_text(rig->origin, 0, text);
    if (strncmp(text, "unix:", 5) == 0)
        unlink(text + 5);
    pst_pool_free(rig->pool);
    pst_origin_unref(rig->origin);
    pst_loop_free(rig->loop);
    if (rig->listener >= 0)
        close(rig->listener);
}

static bool readable_within(int fd, int ms)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, ms) == 1;
}

int rig_accept(struct rig *rig)
{
    assert_true(readable_within(rig->listener, PATIENCE_MS));
    int fd = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    /* What is written must be there at the next turn, not after a delayed acknowledgement. */
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

void rig_turn_until(struct rig *rig, const int *flag, int limit_ms)
{
    uint64_t end_us = pst_clock_mono_us() + (uint64_t)limit_ms * 1000;
    while (*flag == 0) {
        assert_int_equal(pst_loop_turn(rig->loop, false), 0);
        if (*flag == 0 && pst_clock_mono_us() > end_us)
            fail_msg("nothing happened within %d ms", limit_ms);
        if (*flag == 0)
            usleep(100);
    }
}

void rig_turn_for(struct rig *rig, int ms)
{
    uint64_t end_us = pst_clock_mono_us() + (uint64_t)ms * 1000;
    do {
        assert_int_equal(pst_loop_turn(rig->loop, false), 0);
        usleep(100);
    } while (pst_clock_mono_us() < end_us);
}

void rig_settle(struct rig *rig)
{
    /* Loopback delivers within the sender's system call; three turns see events, what they defer, and its
     * sweep. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(pst_loop_turn(rig->loop, false), 0);
}

void rig_write(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

void rig_print(int fd, const char *text)
{
    rig_write(fd, text, strlen(text));
}

void rig_expect(int fd, const char *text)
{
    char got[8192];
    size_t n = 0;
    size_t want = strlen(text);
    while (n < want || memcmp(got + n - want, text, want) != 0) {
        assert_true(n < sizeof(got));
        if (!readable_within(fd, PATIENCE_MS))
            fail_msg("the request did not come: %.*s", (int)n, got);
        ssize_t more = read(fd, got + n, sizeof(got) - n);
        assert_true(more > 0);
        n += (size_t)more;
    }
}

bool rig_sees_close(int fd)
{
    char junk[4096];
    while (readable_within(fd, PATIENCE_MS)) {
        ssize_t n = read(fd, junk, sizeof(junk));
        if (n == 0 || (n < 0 && errno != EINTR))
            return true;
    }
    return false;
}

void rig_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(fd);
}

void rig_on_ready(struct pst_lease *lease, int err, void *arg)
{
    struct rig_lease *l = arg;
    assert_ptr_equal(lease, &l->lease);
    l->n_ready++;
    l->done = 1;
    l->err = err;
    assert_int_equal(lease->state, err == 0 ? PST_LEASE_HELD : PST_LEASE_NONE);
    assert_true((lease->conn != NULL) == (err == 0));
}

void rig_lease_init(struct rig_lease *l)
{
    memset(l, 0, sizeof(*l));
    l->owner = PST_LEASE_NOBODY;
    pst_lease_init(&l->lease);
}

void rig_lease_now(struct rig *rig, struct rig_lease *l, unsigned flags)
{
    l->done = 0;
    int got = pst_pool_lease(rig->pool, &l->lease, l->owner, flags, rig_on_ready, l);
    assert_true(got == 0 || got == 1);
    if (got == 0)
        rig_turn_until(rig, &l->done, PATIENCE_MS);
    assert_int_equal(l->err, 0);
    assert_int_equal(l->lease.state, PST_LEASE_HELD);
}
