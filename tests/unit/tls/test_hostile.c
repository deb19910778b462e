/* SPDX-License-Identifier: Apache-2.0 */
/* A session and a client that does not behave: silent, cut off anywhere, speaking something else. */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct cert cert;
static struct site site;

static int set_up(void **state)
{
    (void)state;
    struct cert *const certs[] = {&cert};
    cert_make(&(struct cert_spec){.cn = "default"}, &cert);
    site_make(&site, PST_TLS_INTERMEDIATE, certs, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_done(&site);
    cert_done(&cert);
    return 0;
}

static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                        MBEDTLS_SSL_VERSION_TLS1_3};

/* The session ended in the handshake, and nothing else was ever told. */
static void assert_never_open(const struct host *host, enum pst_session_end end)
{
    assert_int_equal(host->closed, 1);
    assert_int_equal(host->end, end);
    assert_int_equal(host->established + host->readable + host->writable + host->gone, 0);
    assert_true(end != PST_SESSION_HANDSHAKE_FAILED || host->error_text[0] != '\0');
}

/* Steps the client until it can go no further. */
static void step_while_it_moves(struct host *host, struct guest *guest)
{
    size_t before;
    int idle = 0;
    do {
        before = guest->sent;
        int ret = mbedtls_ssl_handshake(&guest->ssl);
        site_turn(host->site);
        if (ret != MBEDTLS_ERR_SSL_WANT_READ)
            idle = before == guest->sent ? idle + 1 : 0;
        else
            idle++;
    } while (idle < 4);
}

/* A handshake that stops after every possible number of the client's bytes: FIN, RST. */
static void test_cut_off_anywhere(void **state)
{
    (void)state;
    static const char hows[] = {'F', 'R'};
    for (size_t v = 0; v < 2; v++) {
        struct host whole = {.reads = true};
        struct guest guest;
        peer_open(&site, &whole, &guest, &(struct guest_options){.version = versions[v]});
        size_t total = guest.sent;
        assert_true(total > 150);
        peer_close(&whole, &guest);
        for (size_t n = 0; n + 1 < total; n++) {
            struct host host = {.reads = true};
            peer_connect(&site, &host, 5000000, &guest, &(struct guest_options){.version = versions[v]});
            guest.send_at_most = n;
            step_while_it_moves(&host, &guest);
            assert_int_equal(host.established, 0);
            guest_hang_up(&guest, hows[n % 2]);
            host_wait(&host, &host.closed);
            assert_int_equal(host.established + host.readable + host.gone, 0);
            assert_int_equal(host.end, PST_SESSION_HANDSHAKE_FAILED);
            guest_done(&guest);
            pst_buf_done(&host.received);
        }
    }
}

static void test_timeout(void **state)
{
    (void)state;
    for (int spoke = 0; spoke < 2; spoke++) { /* silent from the start; silent in the middle */
        struct host host = {.reads = true};
        struct guest guest;
        peer_connect(&site, &host, 200000, &guest, &(struct guest_options){.version = versions[1]});
        guest.send_at_most = spoke == 0 ? 0 : 100;
        for (int i = 0; i < 3; i++) {
            (void)mbedtls_ssl_handshake(&guest.ssl);
            site_turn(&site);
        }
        assert_int_equal(host.closed, 0);
        host_wait(&host, &host.closed);
        assert_never_open(&host, PST_SESSION_HANDSHAKE_TIMEOUT);
        guest_done(&guest);
        pst_buf_done(&host.received);
    }
}

/* The handshake's limit does not follow into the session. */
static void test_timeout_ends_with_the_handshake(void **state)
{
    (void)state;
    struct host host = {.reads = true};
    struct guest guest;
    peer_connect(&site, &host, 100000, &guest, &(struct guest_options){.sni = NULL});
    assert_int_equal(peer_handshake(&host, &guest), 0);
    host_wait(&host, &host.established);
    for (int i = 0; i < 20; i++) {
        usleep(10000);
        site_turn(&site);
    }
    assert_int_equal(host.closed, 0);
    guest_write(&host, &guest, "later", 5);
    host_wait(&host, &host.readable);
    peer_close(&host, &guest);
}

/* Bytes that are neither TLS nor HTTP; an alert at most comes back, never anything readable. */
static void test_other_protocols(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n", 21},
        {"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80\x07\x00\xc0", 20}, /* SSLv2 */
        {"\x16\x03\x01\xff\xff", 5},                      /* a record longer than any may be */
        {"\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00", 10}, /* empty ones */
        {"\x17\x03\x03\x00\x01x", 6},                     /* application data first */
        {"\x15\x03\x03\x00\x02\x02\x28", 7},              /* an alert first */
        {"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9},      /* a hello of 16 MB */
        {"\0\0\0\0\0\0\0\0", 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct host host = {.reads = true};
        struct guest guest;
        unsigned char answer[256];
        peer_connect(&site, &host, 300000, &guest, &(struct guest_options){.sni = NULL});
        assert_int_equal(send(guest.fd, cases[i].bytes, cases[i].len, MSG_NOSIGNAL), cases[i].len);
        for (int turns = 0; turns < 5; turns++)
            site_turn(&site);
        ssize_t n = recv(guest.fd, answer, sizeof(answer), 0);
        assert_true(n <= 7 && (n <= 0 || answer[0] == 21));
        guest_hang_up(&guest, 'F');
        host_wait(&host, &host.closed);
        assert_never_open(&host, PST_SESSION_HANDSHAKE_FAILED);
        guest_done(&guest);
        pst_buf_done(&host.received);
    }
}

/* One byte of the first flight is changed. Some changes harm nobody (in the random, or in what is ignored):
 * the handshake then fails at the client's own check or goes on, and nothing else may happen. */
static void test_one_wrong_byte(void **state)
{
    (void)state;
    struct host probe = {.reads = true};
    struct guest guest;
    unsigned char hello[2048];
    peer_connect(&site, &probe, 5000000, &guest, &(struct guest_options){.sni = "a.example"});
    int fds[2], real = guest.fd;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    guest.fd = fds[0];
    assert_int_equal(mbedtls_ssl_handshake(&guest.ssl), MBEDTLS_ERR_SSL_WANT_READ);
    ssize_t len = recv(fds[1], hello, sizeof(hello), 0);
    assert_true(len > 100);
    close(fds[0]);
    close(fds[1]);
    guest.fd = real;
    guest_hang_up(&guest, 'F');
    host_wait(&probe, &probe.closed);
    guest_done(&guest);
    pst_buf_done(&probe.received);
    for (ssize_t at = 0; at < len; at++) {
        struct host host = {.reads = true};
        unsigned char wrong[2048];
        peer_connect(&site, &host, 5000000, &guest, &(struct guest_options){.sni = NULL});
        memcpy(wrong, hello, (size_t)len);
        wrong[at] ^= (unsigned char)(1u << (at % 8));
        assert_int_equal(send(guest.fd, wrong, (size_t)len, MSG_NOSIGNAL), len);
        for (int turns = 0; turns < 3; turns++)
            site_turn(&site);
        guest_hang_up(&guest, 'F');
        host_wait(&host, &host.closed);
        assert_never_open(&host, PST_SESSION_HANDSHAKE_FAILED);
        guest_done(&guest);
        pst_buf_done(&host.received);
    }
}

/* A record that was tampered with: what came before it counts, then the session is over, and the cause is
 * told. */
static void test_tampered_record(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.reads = true};
        struct guest guest;
        static const unsigned char forged[] = {0x17, 3,  3,  0,  30, 1,  2,  3,  4,  5,  6,  7,
                                               8,    9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                                               20,   21, 22, 23, 24, 25, 26, 27, 28, 29, 30};
        char byte;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v]});
        assert_int_equal(mbedtls_ssl_write(&guest.ssl, (const unsigned char *)"good", 4), 4);
        assert_int_equal(send(guest.fd, forged, sizeof(forged), MSG_NOSIGNAL), sizeof(forged));
        assert_int_equal(mbedtls_ssl_write(&guest.ssl, (const unsigned char *)"late", 4), 4);
        for (int turns = 0; turns < 1000 && host.last_read != -PST_ETLS; turns++) {
            site_turn(&site);
            usleep(200);
        }
        assert_int_equal(host.last_read, -PST_ETLS);
        assert_int_equal(pst_buf_len(&host.received), 4);
        assert_memory_equal(pst_buf_front(&host.received), "good", 4);
        assert_int_equal(pst_session_read(host.session, &byte, 1), -PST_ETLS);
        assert_int_equal(pst_session_write(host.session, "x", 1), -PST_ERESET);
        peer_close(&host, &guest);
        assert_int_equal(host.end, PST_SESSION_BROKEN);
        assert_true(host.error_text[0] != '\0');
    }
}

/* Many at a time in one context, each at another point of its handshake, ended in another order. */
static void test_many_at_a_time(void **state)
{
    (void)state;
    enum { MANY = 60 };
    struct host *hosts = calloc(MANY, sizeof(*hosts));
    struct guest *guests = calloc(MANY, sizeof(*guests));
    assert_non_null(hosts);
    assert_non_null(guests);
    for (int i = 0; i < MANY; i++) {
        hosts[i].reads = true;
        peer_connect(&site, &hosts[i], 10000000, &guests[i],
                     &(struct guest_options){.version = versions[i % 2]});
        guests[i].send_at_most = (size_t)i * 13;
        (void)mbedtls_ssl_handshake(&guests[i].ssl);
    }
    site_turn(&site);
    for (int i = MANY - 1; i >= 0; i--) {
        guests[i].send_at_most = SIZE_MAX;
        assert_int_equal(peer_handshake(&hosts[i], &guests[i]), 0);
        host_wait(&hosts[i], &hosts[i].established);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(mbedtls_ssl_write(&guests[i].ssl, (const unsigned char *)"0123456789", 10), 10);
    for (int i = 0; i < MANY; i++)
        host_wait(&hosts[i], &hosts[i].readable);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(pst_buf_len(&hosts[(i * 7) % MANY].received), 10);
        peer_close(&hosts[(i * 7) % MANY], &guests[(i * 7) % MANY]);
    }
    free(hosts);
    free(guests);
}

/* What a client gets that says `request` without TLS, in one piece or byte by byte. Returns its length. */
static size_t plainly(const char *request, bool bytewise, char *text, size_t size)
{
    struct host host = {.reads = true};
    struct guest guest;
    size_t len = strlen(request), n = 0;
    peer_connect(&site, &host, 5000000, &guest, &(struct guest_options){0});
    for (size_t at = 0; at < len; at += bytewise ? 1 : len) {
        size_t piece = bytewise ? 1 : len;
        assert_int_equal(send(guest.fd, request + at, piece, MSG_NOSIGNAL), piece);
        site_turn(&site);
    }
    for (int i = 0; i < 2000; i++) {
        site_turn(&site);
        ssize_t got = recv(guest.fd, text + n, size - 1 - n, MSG_DONTWAIT);
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    guest_hang_up(&guest, 'F');
    host_wait(&host, &host.closed);
    assert_never_open(&host, PST_SESSION_HANDSHAKE_FAILED);
    peer_close(&host, &guest);
    return n;
}

static void test_plain_http(void **state)
{
    (void)state;
    char text[2048];
    static const char *const requests[] = {"GET / HTTP/1.1\r\n\r\n",
                                           "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
                                           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        plainly(requests[i], false, text, sizeof(text));
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        assert_ptr_equal(strstr(text, "HTTP/1.1 400 "), text);
        assert_true(body != NULL && length != NULL);
        assert_int_equal(strlen(body + 4), strtoul(length + 16, NULL, 10));
        assert_non_null(strstr(body, "https://"));
    }
    plainly("GET / HT", true, text, sizeof(text));
    assert_ptr_equal(strstr(text, "HTTP/1.1 400 "), text);
    size_t len = plainly("HEAD / HTTP/1.1\r\n\r\n", false, text, sizeof(text));
    assert_ptr_equal(strstr(text, "\r\n\r\n"), text + len - 4);
    /* Anything else that is no TLS gets an alert, or nothing. */
    static const char *const others[] = {"get / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "GETTO /"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        plainly(others[i], false, text, sizeof(text));
        assert_int_equal(text[0], 21);
        assert_null(strstr(text, "HTTP"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_http),      cmocka_unit_test(test_cut_off_anywhere),
        cmocka_unit_test(test_timeout),         cmocka_unit_test(test_timeout_ends_with_the_handshake),
        cmocka_unit_test(test_other_protocols), cmocka_unit_test(test_one_wrong_byte),
        cmocka_unit_test(test_tampered_record), cmocka_unit_test(test_many_at_a_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
