/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes in slices: whose turn it is, what happens in between, and that nothing is left behind. */
#include "peer.h"
#include "postern/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define N_PAIRS 8

static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                        MBEDTLS_SSL_VERSION_TLS1_3};

static struct cert ec;
static struct site site;

struct pair {
    struct host host;
    struct guest guest;
};

static int set_up(void **state)
{
    (void)state;
    cert_make(&(struct cert_spec){.cn = "default", .dns = {"default.example"}}, &ec);
    site_make(&site, PST_TLS_INTERMEDIATE, (struct cert *const[]){&ec}, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_done(&site);
    cert_done(&ec);
    return 0;
}

static void connect_pair(struct pair *pair, mbedtls_ssl_protocol_version version)
{
    *pair = (struct pair){.host = {.reads = true}};
    peer_connect(&site, &pair->host, 10000000, &pair->guest, &(struct guest_options){.version = version});
}

/* The client's next message is on its way, and the loop has seen it; no handshake has gone on. */
static void send_hello(struct pair *pair)
{
    size_t before = pst_tls_handshakes_ready(site.context);
    uint64_t end = pst_clock_mono_us() + 2000000;
    assert_int_equal(mbedtls_ssl_handshake(&pair->guest.ssl), MBEDTLS_ERR_SSL_WANT_READ);
    while (pst_tls_handshakes_ready(site.context) == before && pst_clock_mono_us() < end)
        assert_int_equal(pst_loop_turn(site.loop, false), 0);
    assert_int_equal(pst_tls_handshakes_ready(site.context), before + 1);
}

static void step(void)
{
    pst_tls_handshakes_run(site.context, 0);
}

static void test_a_step_at_a_time(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct pair pair;
        unsigned steps = 0;
        connect_pair(&pair, versions[v]);
        send_hello(&pair);
        while (pst_tls_handshakes_ready(site.context) > 0 && ++steps < 100)
            step();
        /* Hello, its answer, certificate, signature at least. */
        assert_in_range(steps, 4, 20);
        assert_int_equal(pair.host.established, 0);
        site.handshakes_until_us = 0;
        assert_int_equal(peer_handshake(&pair.host, &pair.guest), 0);
        host_wait(&pair.host, &pair.host.established);
        assert_int_equal(pst_tls_handshakes_ready(site.context), 0);
        site.handshakes_until_us = UINT64_MAX;
        peer_close(&pair.host, &pair.guest);
        assert_int_equal(pair.host.end, PST_SESSION_CLOSED);
    }
}

/* One that is open gets its bytes while others' handshakes wait. */
static void test_open_sessions_go_on(void **state)
{
    (void)state;
    struct pair open, fresh;
    char answer[8];
    int end;
    connect_pair(&open, MBEDTLS_SSL_VERSION_TLS1_3);
    assert_int_equal(peer_handshake(&open.host, &open.guest), 0);
    host_wait(&open.host, &open.host.established);
    connect_pair(&fresh, MBEDTLS_SSL_VERSION_TLS1_3);
    send_hello(&fresh);
    assert_int_equal(mbedtls_ssl_write(&open.guest.ssl, (const unsigned char *)"ping", 4), 4);
    while (pst_buf_len(&open.host.received) < 4)
        assert_int_equal(pst_loop_turn(site.loop, false), 0);
    assert_int_equal(pst_session_write(open.host.session, "pong", 4), 4);
    pst_session_flush_all(site.context);
    assert_int_equal(pst_tls_handshakes_ready(site.context), 1); /* nothing has been done for it yet */
    assert_int_equal(guest_read(&open.host, &open.guest, answer, 4, &end), 4);
    assert_memory_equal(answer, "pong", 4);
    peer_close(&open.host, &open.guest);
    peer_close(&fresh.host, &fresh.guest);
}

/* First come, first served; but who has begun ends before the next begins. */
static void test_order(void **state)
{
    (void)state;
    static struct pair pairs[N_PAIRS];
    for (size_t i = 0; i < N_PAIRS; i++) {
        connect_pair(&pairs[i], MBEDTLS_SSL_VERSION_TLS1_3);
        send_hello(&pairs[i]);
    }
    assert_int_equal(pst_tls_handshakes_ready(site.context), N_PAIRS);
    while (pst_tls_handshakes_ready(site.context) == N_PAIRS)
        step();
    /* The first has the server's answer, the second none: its client still waits for a first byte. */
    char byte;
    usleep(1000);
    assert_int_equal(recv(pairs[0].guest.fd, &byte, 1, MSG_PEEK), 1);
    assert_int_equal(recv(pairs[1].guest.fd, &byte, 1, MSG_PEEK), -1);
    assert_int_equal(mbedtls_ssl_handshake(&pairs[0].guest.ssl), 0);
    while (pairs[0].host.established == 0 && pst_tls_handshakes_ready(site.context) > 0) {
        assert_int_equal(pst_loop_turn(site.loop, false), 0);
        step();
    }
    assert_int_equal(pairs[0].host.established, 1);
    assert_int_equal(recv(pairs[2].guest.fd, &byte, 1, MSG_PEEK), -1);
    for (size_t i = 1; i < N_PAIRS; i++)
        assert_int_equal(peer_handshake(&pairs[i].host, &pairs[i].guest), 0);
    for (size_t i = 0; i < N_PAIRS; i++)
        peer_close(&pairs[i].host, &pairs[i].guest);
    assert_int_equal(pst_tls_handshakes_ready(site.context), 0);
}

/* A client that goes, or a time that is up, while the handshake waits for its turn. */
static void test_gone_while_waiting(void **state)
{
    (void)state;
    static const char ways[] = {'R', 'F', 'T', 'C'};
    for (size_t i = 0; i < sizeof(ways); i++) {
        for (int steps = 0; steps < 4; steps += ways[i] == 'T' ? 3 : 1) {
            struct pair pair = {.host = {.reads = true}};
            uint64_t patience_us = ways[i] == 'T' ? 700000 : 10000000; /* not over before the steps are */
            peer_connect(&site, &pair.host, patience_us, &pair.guest, &(struct guest_options){.sni = NULL});
            send_hello(&pair);
            for (int s = 0; s < steps; s++)
                step();
            if (ways[i] == 'C')
                pst_session_close(pair.host.session);
            else if (ways[i] != 'T')
                guest_hang_up(&pair.guest, ways[i]);
            while (ways[i] == 'T' && pair.host.closed == 0)
                assert_int_equal(pst_loop_turn(site.loop, false), 0);
            host_wait(&pair.host, &pair.host.closed);
            assert_int_equal(pst_tls_handshakes_ready(site.context), 0);
            assert_int_equal(pair.host.established, 0);
            guest_done(&pair.guest);
            pst_buf_done(&pair.host.received);
        }
    }
}

/* A context that is freed with handshakes waiting, as when a worker stops. */
static void test_stop_while_waiting(void **state)
{
    (void)state;
    struct pair pair;
    connect_pair(&pair, MBEDTLS_SSL_VERSION_TLS1_2);
    send_hello(&pair);
    step();
    pst_session_abort(pair.host.session);
    assert_int_equal(pst_tls_handshakes_ready(site.context), 0);
    host_wait(&pair.host, &pair.host.closed);
    guest_done(&pair.guest);
    pst_buf_done(&pair.host.received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_at_a_time),
        cmocka_unit_test(test_open_sessions_go_on),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_gone_while_waiting),
        cmocka_unit_test(test_stop_while_waiting),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
