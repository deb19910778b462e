/* SPDX-License-Identifier: Apache-2.0 */
/* What a client is told when it does something wrong, and how much it may send that brings nothing. */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

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

/* A ClientHello of TLS 1.3 whose X25519 share is zero, which agrees on zero (RFC 8446 section 7.4.2). */
static const unsigned char zero_share[5 + 112] = {
    0x16, 3,    1,    0,    112, 1,    0, 0,    108, 3,    3, [43] = 0, /* the random, no session's id */
    0,    2,    0x13, 1,    1,   0,                                     /* AES-128-GCM; no compression */
    0,    65,   0,    0x2b, 0,   3,    2, 3,    4,                      /* TLS 1.3 */
    0,    0x0a, 0,    4,    0,   2,    0, 0x1d,                         /* X25519 */
    0,    0x0d, 0,    4,    0,   2,    4, 3,                            /* ECDSA with P-256 */
    0,    0x33, 0,    0x26, 0,   0x24, 0, 0x1d, 0,   0x20,              /* the share */
};

/* Sends bytes as they are; what came in answer at its end, after which the session is gone. */
static ssize_t answer_to(const void *bytes, size_t len, unsigned char *answer, size_t size)
{
    struct host host = {.reads = true};
    struct guest guest;
    size_t got = 0;
    ssize_t n = -1;
    peer_connect(&site, &host, 5000000, &guest, &(struct guest_options){.sni = NULL});
    assert_int_equal(send(guest.fd, bytes, len, MSG_NOSIGNAL), len);
    for (int turns = 0; turns < 2000 && n != 0 && got < size; turns++) {
        site_turn(&site);
        n = recv(guest.fd, answer + got, size - got, 0);
        got += n > 0 ? (size_t)n : 0;
        usleep(200);
    }
    assert_int_equal(n, 0); /* an end, and no reset */
    guest_hang_up(&guest, 'F');
    host_wait(&host, &host.closed);
    assert_int_equal(host.end, PST_SESSION_HANDSHAKE_FAILED);
    assert_int_equal(host.established, 0);
    guest_done(&guest);
    pst_buf_done(&host.received);
    return (ssize_t)got;
}

static void test_in_the_handshake(void **state)
{
    (void)state;
    static const struct {
        const void *bytes;
        size_t len;
        unsigned char alert;
    } cases[] = {
        {"\x16\x03\x01\x41\x01", 5, MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW},
        {"\x16\x03\x01\xff\xff", 5, MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW},
        {"\x63\x03\x03\x00\x01x", 6, MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE},
        {zero_share, sizeof(zero_share), MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER},
    };
    for (size_t i = 0; i < N(cases); i++) {
        unsigned char answer[512];
        ssize_t n = answer_to(cases[i].bytes, cases[i].len, answer, sizeof(answer));
        assert_true(n >= 7);
        const unsigned char alert[] = {MBEDTLS_SSL_MSG_ALERT, 3, 3, 0, 2, 2, cases[i].alert};
        assert_memory_equal(answer + n - 7, alert, 7);
    }
}

/* The client finds a fatal alert, and the session is over. */
static void assert_told(struct host *host, struct guest *guest)
{
    char byte;
    int end = 0;
    for (int turns = 0; turns < 2000 && host->last_read != -PST_ETLS; turns++) {
        site_turn(&site);
        usleep(200);
    }
    assert_int_equal(host->last_read, -PST_ETLS);
    assert_true(host->gone > 0);
    assert_int_equal(pst_session_write(host->session, "x", 1), -PST_ERESET);
    pst_session_close(host->session);
    assert_int_equal(guest_read(host, guest, &byte, 1, &end), 0);
    assert_int_equal(end, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    peer_close(host, guest);
    assert_int_equal(host->end, PST_SESSION_BROKEN);
}

/* After the handshake: bytes that are no record of the session's, and the change_cipher_spec that TLS 1.3
 * lets a client send until its Finished (RFC 8446 section 5). */
static void test_later(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"\x14\x03\x03\x00\x01\x01", 6},
        {"\x63\x03\x03\x00\x01x", 6},
        {"\x17\x03\x03\xff\xff", 5},
        {"\x17\x03\x03\x00\x14"
         "01234567890123456789",
         25},
    };
    for (size_t i = 0; i < 2 * N(cases); i++) {
        struct host host = {.reads = true};
        struct guest guest;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[i % 2]});
        assert_int_equal(send(guest.fd, cases[i / 2].bytes, cases[i / 2].len, MSG_NOSIGNAL),
                         cases[i / 2].len);
        assert_told(&host, &guest);
    }
}

static void warn(struct guest *guest, int times)
{
    for (int i = 0; i < times; i++)
        (void)mbedtls_ssl_send_alert_message(&guest->ssl, MBEDTLS_SSL_ALERT_LEVEL_WARNING,
                                             MBEDTLS_SSL_ALERT_MSG_USER_CANCELED);
}

/* Warnings are dropped one by one; with something between them for any time, else not without end. */
static void test_warnings_without_end(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.reads = true};
        struct guest guest;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v]});
        for (size_t i = 1; i <= 4; i++) {
            warn(&guest, 1000);
            guest_write(&host, &guest, "x", 1);
            host_wait_bytes(&host, i);
        }
        for (int i = 0; i < 60 && host.last_read != -PST_ETLS; i++) {
            warn(&guest, 100);
            site_turn(&site);
        }
        assert_told(&host, &guest);
    }
}

/* change_cipher_spec in the middle of a handshake, as fast as it is read: a step ends for all that, the
 * handshakes of others go on, and it has an end. */
static void test_handshake_without_end(void **state)
{
    (void)state;
    struct host host = {.reads = true}, other = {.reads = true};
    struct guest guest, friend;
    static unsigned char flood[6 * 4000];
    for (size_t i = 0; i < sizeof(flood); i += 6)
        memcpy(flood + i, "\x14\x03\x03\x00\x01\x01", 6);
    peer_connect(&site, &host, 5000000, &guest, &(struct guest_options){.version = versions[1]});
    for (int i = 0; i < 3; i++) { /* its hello and the server's flight */
        (void)mbedtls_ssl_handshake(&guest.ssl);
        site_turn(&site);
        guest.send_at_most = guest.sent;
    }
    site.handshakes_until_us = 0;
    int turns = 0;
    bool ended = false;
    for (; turns < 2000 && !ended; turns++) {
        unsigned char answer[4096];
        while (send(guest.fd, flood, sizeof(flood), MSG_NOSIGNAL) == sizeof(flood))
            ;
        site_turn(&site);
        ended = recv(guest.fd, answer, sizeof(answer), 0) == 0;
    }
    assert_true(ended);
    assert_true(turns >= 8); /* 128 KiB, 16 KiB a step */
    site.handshakes_until_us = UINT64_MAX;
    peer_open(&site, &other, &friend, &(struct guest_options){.version = versions[1]});
    peer_close(&other, &friend);
    guest_hang_up(&guest, 'F');
    host_wait(&host, &host.closed);
    assert_int_equal(host.end, PST_SESSION_HANDSHAKE_FAILED);
    guest_done(&guest);
    pst_buf_done(&host.received);
}

/* One read takes a bounded number of records, however small, and leaves none. */
static void test_records_of_one_byte(void **state)
{
    (void)state;
    enum { MANY = 6000, RECORD = 5 + 16 + 16, READ_MAX = 8 * (16384 + 261) };
    static char data[MANY];
    struct host host = {.reads = false};
    struct guest guest;
    peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[1]});
    for (int i = 0; i < MANY; i++)
        assert_int_equal(mbedtls_ssl_write(&guest.ssl, (const unsigned char *)"x", 1), 1);
    host_wait(&host, &host.readable);
    size_t got = 0;
    for (int turns = 0; turns < 5000 && got < MANY; turns++) {
        ssize_t n = pst_session_read(host.session, data + got, sizeof(data) - got);
        assert_true(n <= READ_MAX / RECORD + 1);
        got += n > 0 ? (size_t)n : 0;
        site_turn(&site);
    }
    assert_int_equal(got, MANY);
    peer_close(&host, &guest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_the_handshake),     cmocka_unit_test(test_later),
        cmocka_unit_test(test_warnings_without_end), cmocka_unit_test(test_handshake_without_end),
        cmocka_unit_test(test_records_of_one_byte),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
