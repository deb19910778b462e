/* SPDX-License-Identifier: Apache-2.0 */
/* A session between well-behaved ends. */
#include "peer.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static struct cert ec, rsa, exact, wild;
static struct site site;

static int set_up(void **state)
{
    (void)state;
    cert_make(&(struct cert_spec){.cn = "default", .dns = {"default.example"}}, &ec);
    cert_make(&(struct cert_spec){.cn = "rsa", .kind = CERTS_RSA}, &rsa);
    cert_make(&(struct cert_spec){.cn = "exact", .dns = {"a.example", "api.wild.example"}}, &exact);
    cert_make(&(struct cert_spec){.cn = "wild", .dns = {"*.wild.example", "*.other.example"}}, &wild);
    site_make(&site, PST_TLS_INTERMEDIATE, (struct cert *const[]){&ec}, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_done(&site);
    cert_done(&ec);
    cert_done(&rsa);
    cert_done(&exact);
    cert_done(&wild);
    return 0;
}

static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                        MBEDTLS_SSL_VERSION_TLS1_3};

/* A pattern whose every place is its own. */
static char *make_pattern(size_t len)
{
    char *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((i * 2654435761u) >> 13);
    return data;
}

static void test_versions_and_keys(void **state)
{
    (void)state;
    struct cert *const certs[] = {&ec, &rsa};
    for (size_t c = 0; c < 2; c++) {
        struct site one;
        site_make(&one, PST_TLS_INTERMEDIATE, &certs[c], 1);
        for (size_t v = 0; v < 2; v++) {
            struct host host = {.reads = true};
            struct guest guest;
            char answer[16] = "";
            int end;
            peer_open(&one, &host, &guest, &(struct guest_options){.version = versions[v]});
            assert_string_equal(host.version, v == 0 ? "TLSv1.2" : "TLSv1.3");
            guest_write(&host, &guest, "hello", 5);
            host_wait_bytes(&host, 5);
            assert_memory_equal(pst_buf_front(&host.received), "hello", 5);
            assert_int_equal(host.last_read, -PST_EAGAIN);
            assert_int_equal(pst_session_write(host.session, "welcome", 7), 7);
            assert_true(pst_session_output_waits(host.session)); /* until the end of the turn */
            assert_int_equal(guest_read(&host, &guest, answer, 7, &end), 7);
            assert_string_equal(answer, "welcome");
            assert_int_equal(pst_session_bytes_read(host.session), 5);
            assert_int_equal(pst_session_bytes_sent(host.session), 7);
            peer_close(&host, &guest);
            assert_int_equal(host.end, PST_SESSION_CLOSED);
        }
        site_done(&one);
    }
}

static void test_modern_profile(void **state)
{
    (void)state;
    struct site modern;
    struct cert *const certs[] = {&ec};
    site_make(&modern, PST_TLS_MODERN, certs, 1);
    struct host refused = {.reads = true}, taken = {.reads = true};
    struct guest guest;
    peer_connect(&modern, &refused, 1000000, &guest, &(struct guest_options){.version = versions[0]});
    assert_int_equal(peer_handshake(&refused, &guest), MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    peer_close(&refused, &guest);
    assert_int_equal(refused.end, PST_SESSION_HANDSHAKE_FAILED);
    assert_true(refused.error_text[0] != '\0');
    peer_open(&modern, &taken, &guest, &(struct guest_options){.sni = NULL});
    assert_string_equal(taken.version, "TLSv1.3");
    peer_close(&taken, &guest);
    site_done(&modern);
}

static void test_alpn(void **state)
{
    (void)state;
    static const char *h1[] = {"http/1.1", NULL}, *both[] = {"h2", "http/1.1", NULL}, *h2[] = {"h2", NULL};
    static const struct {
        const char **offered;
        const char *chosen; /* NULL: none */
        bool fails;
    } cases[] = {{NULL, NULL, false}, {h1, "http/1.1", false}, {both, "http/1.1", false}, {h2, NULL, true}};
    for (size_t i = 0; i < N(cases); i++) {
        for (size_t v = 0; v < 2; v++) {
            struct host host = {.reads = true};
            struct guest guest;
            const struct guest_options options = {.alpn = cases[i].offered, .version = versions[v]};
            peer_connect(&site, &host, 1000000, &guest, &options);
            int ret = peer_handshake(&host, &guest);
            assert_int_equal(ret, cases[i].fails ? MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE : 0);
            if (!cases[i].fails) {
                const char *chosen = mbedtls_ssl_get_alpn_protocol(&guest.ssl);
                assert_int_equal(chosen == NULL, cases[i].chosen == NULL);
                assert_true(chosen == NULL || strcmp(chosen, cases[i].chosen) == 0);
                host_wait(&host, &host.established);
            }
            peer_close(&host, &guest);
            assert_int_equal(host.end, cases[i].fails ? PST_SESSION_HANDSHAKE_FAILED : PST_SESSION_CLOSED);
            assert_int_equal(host.established, !cases[i].fails);
        }
    }
}

static void test_choice_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *sni, *cn;
    } cases[] = {
        {NULL, "default"},
        {"default.example", "default"},
        {"nobody.example", "default"},
        {"a.example", "exact"},
        {"A.EXAMPLE", "exact"},
        {"b.a.example", "default"},
        {"x.wild.example", "wild"},
        {"X.Wild.Example", "wild"},
        {"x.other.example", "wild"},
        {"api.wild.example", "exact"},   /* an exact name goes before a wildcard */
        {"wild.example", "default"},     /* "*" is one label, no less */
        {"x.y.wild.example", "default"}, /* and no more */
        {"xwild.example", "default"},
    };
    struct site many;
    site_make(&many, PST_TLS_INTERMEDIATE, (struct cert *const[]){&ec, &wild, &exact}, 3);
    for (size_t i = 0; i < N(cases); i++) {
        for (size_t v = 0; v < 2; v++) {
            struct host host = {.reads = true};
            struct guest guest;
            char subject[64];
            peer_open(&many, &host, &guest,
                      &(struct guest_options){.sni = cases[i].sni, .version = versions[v]});
            const mbedtls_x509_crt *shown = mbedtls_ssl_get_peer_cert(&guest.ssl);
            assert_non_null(shown);
            assert_true(mbedtls_x509_dn_gets(subject, sizeof(subject), &shown->subject) > 3);
            if (strcmp(subject + 3, cases[i].cn) != 0)
                fail_msg("%s: %s", cases[i].sni, subject);
            peer_close(&host, &guest);
        }
    }
    site_done(&many);
}

/* Resumption: a ticket of one worker opens at another that has the same key. */

static void get_ticket(struct site *from, mbedtls_ssl_protocol_version version,
                       mbedtls_ssl_session *ret_ticket)
{
    struct host host = {.reads = true};
    struct guest guest;
    char byte[1];
    int end;
    peer_open(from, &host, &guest, &(struct guest_options){.version = version});
    assert_int_equal(guest.certificates_seen, 1);
    assert_int_equal(pst_session_write(host.session, "x", 1), 1);
    assert_int_equal(guest_read(&host, &guest, byte, 1, &end), 1);
    mbedtls_ssl_session_init(ret_ticket);
    if (version == MBEDTLS_SSL_VERSION_TLS1_2) {
        assert_int_equal(mbedtls_ssl_get_session(&guest.ssl, ret_ticket), 0);
    } else {
        assert_true(guest.tickets >= 1);
        *ret_ticket = guest.ticket;
        mbedtls_ssl_session_init(&guest.ticket);
    }
    peer_close(&host, &guest);
}

static bool resumes(struct site *at, mbedtls_ssl_protocol_version version, const mbedtls_ssl_session *ticket)
{
    struct host host = {.reads = true};
    struct guest guest;
    peer_open(at, &host, &guest, &(struct guest_options){.version = version, .resume = ticket});
    bool resumed = guest.certificates_seen == 0;
    guest_write(&host, &guest, "still works", 11);
    host_wait_bytes(&host, 11);
    peer_close(&host, &guest);
    return resumed;
}

static void test_resumption(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct site a, b, stranger;
        struct cert *const certs[] = {&ec};
        struct pst_ticket_key first, second, third;
        mbedtls_ssl_session ticket;
        site_make(&a, PST_TLS_INTERMEDIATE, certs, 1);
        site_make(&b, PST_TLS_INTERMEDIATE, certs, 1);
        site_make(&stranger, PST_TLS_INTERMEDIATE, certs, 1);
        assert_int_equal(pst_ticket_key_make(&first, 3600), 0);
        assert_int_equal(pst_ticket_key_make(&second, 3600), 0);
        assert_int_equal(pst_ticket_key_make(&third, 3600), 0);
        assert_memory_not_equal(first.key, second.key, sizeof(first.key));
        assert_int_equal(pst_tls_context_rotate(a.context, &first), 0);
        assert_int_equal(pst_tls_context_rotate(b.context, &first), 0);
        get_ticket(&a, versions[v], &ticket);
        assert_true(resumes(&a, versions[v], &ticket));
        assert_true(resumes(&b, versions[v], &ticket));
        assert_false(resumes(&stranger, versions[v], &ticket)); /* a full handshake, not a failure */
        assert_int_equal(pst_tls_context_rotate(b.context, &second), 0);
        assert_true(resumes(&b, versions[v], &ticket)); /* the previous key still opens */
        assert_int_equal(pst_tls_context_rotate(b.context, &third), 0);
        assert_false(resumes(&b, versions[v], &ticket));
        assert_true(resumes(&a, versions[v], &ticket));
        mbedtls_ssl_session_free(&ticket);
        site_done(&a);
        site_done(&b);
        site_done(&stranger);
    }
}

/* mbedTLS asks it how old a key is. */
static time_t clock_is_fast_s;

time_t time(time_t *to)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    now.tv_sec += clock_is_fast_s;
    if (to != NULL)
        *to = now.tv_sec;
    return now.tv_sec;
}

/* The key's period is over and the next key is not here yet: the old one stays in use. */
static void test_rotation_is_late(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct site a, b;
        struct cert *const certs[] = {&ec};
        struct pst_ticket_key key, next;
        mbedtls_ssl_session early, late;
        site_make(&a, PST_TLS_INTERMEDIATE, certs, 1);
        site_make(&b, PST_TLS_INTERMEDIATE, certs, 1);
        assert_int_equal(pst_ticket_key_make(&key, 3600), 0);
        assert_int_equal(pst_ticket_key_make(&next, 3600), 0);
        assert_int_equal(pst_tls_context_rotate(a.context, &key), 0);
        assert_int_equal(pst_tls_context_rotate(b.context, &key), 0);
        get_ticket(&a, versions[v], &early);
        clock_is_fast_s = 3605;
        get_ticket(&a, versions[v], &late);
        assert_true(resumes(&b, versions[v], &late));
        assert_int_equal(pst_tls_context_rotate(a.context, &next), 0);
        assert_true(resumes(&a, versions[v], &early));
        clock_is_fast_s = 0;
        mbedtls_ssl_session_free(&early);
        mbedtls_ssl_session_free(&late);
        site_done(&a);
        site_done(&b);
    }
}

/* No ticket may live longer than TLS 1.3 lets it. */
static void test_lifetime(void **state)
{
    (void)state;
    struct pst_ticket_key key;
    assert_int_equal(pst_ticket_key_make(&key, 60), 0);
    assert_int_equal(key.lifetime_s, 120);
    assert_int_equal(pst_ticket_key_make(&key, 6 * 86400), 0);
    assert_int_equal(key.lifetime_s, 7 * 86400);
}

/* Reading */

static void test_large_upload(void **state)
{
    (void)state;
    static const size_t pieces[] = {0, 1400, 16384 + 29, 100000};
    enum { LEN = 3000000 };
    char *data = make_pattern(LEN);
    for (size_t i = 0; i < N(pieces); i++) {
        struct host host = {.reads = true};
        struct guest guest;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[i % 2]});
        guest.send_piece = pieces[i];
        guest_write(&host, &guest, data, LEN);
        host_wait_bytes(&host, LEN);
        assert_memory_equal(pst_buf_front(&host.received), data, LEN);
        assert_int_equal(pst_session_bytes_read(host.session), LEN);
        peer_close(&host, &guest);
    }
    free(data);
}

/* Every byte of ciphertext comes alone. */
static void test_records_in_single_bytes(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.reads = true};
        struct guest guest;
        char data[3000];
        peer_connect(&site, &host, 10000000, &guest, &(struct guest_options){.version = versions[v]});
        guest.send_piece = 1;
        assert_int_equal(peer_handshake(&host, &guest), 0);
        memset(data, 'd', sizeof(data));
        guest_write(&host, &guest, data, sizeof(data));
        host_wait_bytes(&host, sizeof(data));
        assert_memory_equal(pst_buf_front(&host.received), data, sizeof(data));
        peer_close(&host, &guest);
    }
}

/* An owner that takes a little at a time, beside others on the same context, whose input buffer they share:
 * what is left over between two reads must be its own. The memory it is kept in may lie before or behind the
 * context. */
static void read_in_turns(struct site *shared)
{
    enum { LEN = 200000, SESSIONS = 3 };
    struct host hosts[SESSIONS];
    struct guest guests[SESSIONS];
    char *data[SESSIONS], piece[5000];
    for (int i = 0; i < SESSIONS; i++) {
        hosts[i] = (struct host){.reads = false};
        peer_open(shared, &hosts[i], &guests[i], &(struct guest_options){.sni = NULL});
        data[i] = make_pattern(LEN + 1000 * (size_t)i);
        data[i][0] = (char)i;
        guest_write(&hosts[i], &guests[i], data[i] + 1000 * i, LEN);
    }
    for (int idle = 0; idle < 3;) {
        size_t before = 0, after = 0;
        for (int i = 0; i < SESSIONS; i++) {
            before += pst_buf_len(&hosts[i].received);
            ssize_t n = pst_session_read(hosts[i].session, piece, 1000 + 1500 * (size_t)i);
            if (n > 0)
                assert_int_equal(pst_buf_add(&hosts[i].received, piece, (size_t)n), 0);
            else
                assert_int_equal(n, -PST_EAGAIN);
            after += pst_buf_len(&hosts[i].received);
        }
        site_turn(shared);
        idle = before == after ? idle + 1 : 0;
    }
    for (int i = 0; i < SESSIONS; i++) {
        assert_false(pst_session_has_pending(hosts[i].session));
        assert_int_equal(pst_buf_len(&hosts[i].received), LEN);
        assert_memory_equal(pst_buf_front(&hosts[i].received), data[i] + 1000 * i, LEN);
        peer_close(&hosts[i], &guests[i]);
        free(data[i]);
    }
}

static void test_left_over_input_is_its_own(void **state)
{
    (void)state;
    struct cert *const certs[] = {&ec};
    struct site high;
    void *filling[400];
    /* With glibc: once nothing in the heap is large enough for it, the context is mapped above the heap,
     * where all smaller pieces lie. */
    mallopt(M_MMAP_THRESHOLD, 32 * 1024);
    for (size_t i = 0; i < N(filling); i++)
        filling[i] = malloc(33 * 1024);
    site_make(&high, PST_TLS_INTERMEDIATE, certs, 1);
    for (size_t i = 0; i < N(filling); i++)
        free(filling[i]);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    read_in_turns(&high);
    site_done(&high);
    read_in_turns(&site);
}

/* Writing */

static void test_large_answer_with_back_pressure(void **state)
{
    (void)state;
    enum { LEN = 4000000 };
    char *data = make_pattern(LEN), *got = malloc(LEN);
    assert_non_null(got);
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.sends = data, .send_len = LEN};
        struct guest guest;
        int end;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v], .recv_bytes = 20000});
        for (int turns = 0; turns < 50; turns++)
            site_turn(&site);
        assert_true(host.sent < LEN); /* the client has not read: it stopped somewhere */
        assert_true(pst_session_output_waits(host.session));
        size_t stopped = host.sent;
        assert_int_equal(pst_session_write(host.session, "x", 1), -PST_EAGAIN);
        for (int turns = 0; turns < 50; turns++)
            site_turn(&site);
        assert_int_equal(host.sent, stopped); /* what waits is bounded */
        assert_int_equal(guest_read(&host, &guest, got, LEN, &end), LEN);
        assert_memory_equal(got, data, LEN);
        assert_true(host.writable > 1);
        site_turn(&site);
        assert_false(pst_session_output_waits(host.session));
        assert_int_equal(pst_session_bytes_sent(host.session), LEN);
        peer_close(&host, &guest);
    }
    free(data);
    free(got);
}

/* A head and its body, written apart in one turn, become one record. */
static void test_writes_of_a_turn_go_together(void **state)
{
    (void)state;
    struct host host = {.reads = true};
    struct guest guest;
    char got[64] = "";
    peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[1]});
    for (int i = 0; i < 5; i++)
        assert_int_equal(pst_session_write(host.session, "0123456789", 10), 10);
    assert_int_equal(pst_session_write(host.session, NULL, 0), 0);
    pst_session_flush_all(site.context);
    assert_false(pst_session_output_waits(host.session));
    int n = 0;
    for (int tries = 0; tries < 100 && n <= 0; tries++)
        n = mbedtls_ssl_read(&guest.ssl, (unsigned char *)got, sizeof(got));
    assert_int_equal(n, 50); /* one read gives one record */
    peer_close(&host, &guest);
}

/* Ends */

static void test_client_says_goodbye(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.reads = true};
        struct guest guest;
        char byte;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v]});
        guest_write(&host, &guest, "last words", 10);
        assert_int_equal(mbedtls_ssl_close_notify(&guest.ssl), 0);
        guest_hang_up(&guest, 'F');
        host_wait(&host, &host.gone);
        assert_int_equal(pst_buf_len(&host.received), 10);
        assert_int_equal(host.last_read, 0);
        for (int again = 0; again < 3; again++)
            assert_int_equal(pst_session_read(host.session, &byte, 1), 0); /* the answer does not change */
        assert_int_equal(host.gone, 1);
        assert_false(pst_session_has_pending(host.session));
        peer_close(&host, &guest);
        assert_int_equal(host.end, PST_SESSION_CLOSED);
    }
}

/* The connection ends where someone on the way could have cut it. */
static void test_client_vanishes(void **state)
{
    (void)state;
    static const char hows[] = {'F', 'R'};
    for (size_t i = 0; i < 4; i++) {
        struct host host = {.reads = true};
        struct guest guest;
        char byte;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[i / 2]});
        guest_write(&host, &guest, "half a mess", 11);
        host_wait_bytes(&host, 11);
        guest_hang_up(&guest, hows[i % 2]);
        host_wait(&host, &host.gone);
        assert_int_equal(pst_buf_len(&host.received), 11);
        assert_int_equal(host.last_read, -PST_ERESET);
        for (int again = 0; again < 3; again++)
            assert_int_equal(pst_session_read(host.session, &byte, 1), -PST_ERESET);
        if (hows[i % 2] == 'R')
            assert_int_equal(pst_session_write(host.session, "x", 1), -PST_ERESET);
        peer_close(&host, &guest);
        assert_int_equal(host.end, hows[i % 2] == 'R' ? PST_SESSION_BROKEN : PST_SESSION_CLOSED);
    }
}

/* All of it arrives before the owner reads: the data first, then the end. */
static void test_data_and_end_together(void **state)
{
    (void)state;
    for (int notify = 0; notify < 2; notify++) {
        struct host host = {.reads = false};
        struct guest guest;
        char got[64];
        peer_open(&site, &host, &guest, &(struct guest_options){.sni = NULL});
        assert_int_equal(mbedtls_ssl_write(&guest.ssl, (const unsigned char *)"0123456789", 10), 10);
        if (notify)
            assert_int_equal(mbedtls_ssl_close_notify(&guest.ssl), 0);
        guest_hang_up(&guest, 'F');
        host_wait(&host, &host.gone);
        assert_true(pst_session_has_pending(host.session));
        assert_int_equal(pst_session_read(host.session, got, 4), 4);
        assert_int_equal(pst_session_read(host.session, got, sizeof(got)), 6);
        assert_int_equal(pst_session_read(host.session, got, sizeof(got)), notify ? 0 : -PST_ERESET);
        assert_int_equal(pst_session_read(host.session, got, sizeof(got)), notify ? 0 : -PST_ERESET);
        peer_close(&host, &guest);
    }
}

/* A client that said goodbye but still listens gets its answer. */
static void test_answer_after_goodbye(void **state)
{
    (void)state;
    struct host host = {.reads = true};
    struct guest guest;
    char got[8] = "";
    int end;
    peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[1]});
    assert_int_equal(mbedtls_ssl_close_notify(&guest.ssl), 0);
    host_wait(&host, &host.readable);
    assert_int_equal(host.last_read, 0);
    assert_int_equal(pst_session_write(host.session, "answer", 6), 6);
    assert_int_equal(guest_read(&host, &guest, got, 6, &end), 6);
    assert_string_equal(got, "answer");
    peer_close(&host, &guest);
}

static void test_host_closes_in_order(void **state)
{
    (void)state;
    enum { LEN = 500000 };
    char *data = make_pattern(LEN), *got = malloc(LEN + 1);
    assert_non_null(got);
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.sends = data, .send_len = LEN, .closes_when_sent = true};
        struct guest guest;
        int end;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v], .recv_bytes = 20000});
        assert_int_equal(guest_read(&host, &guest, got, LEN + 1, &end), LEN);
        assert_int_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
        assert_memory_equal(got, data, LEN);
        assert_int_equal(host.closed, 0); /* waits for the client's side */
        guest_done(&guest);
        host_wait(&host, &host.closed);
        assert_int_equal(host.end, PST_SESSION_CLOSED);
        pst_buf_done(&host.received);
    }
    free(data);
    free(got);
}

static int shutdowns;

int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);

int __wrap_shutdown(int fd, int how)
{
    shutdowns++;
    return __real_shutdown(fd, how);
}

/* A side is shut where the other may still send, and not where the socket is closed anyway. */
static void test_shuts_its_side_when_there_is_another(void **state)
{
    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        struct host host = {.reads = true};
        struct guest guest;
        peer_open(&site, &host, &guest, &(struct guest_options){.sni = NULL});
        shutdowns = 0;
        if (leaves) {
            guest_hang_up(&guest, 'F');
            host_wait(&host, &host.gone);
        }
        pst_session_close(host.session);
        assert_int_equal(shutdowns, leaves ? 0 : 1);
        peer_close(&host, &guest);
    }
}

/* The client is still sending when the host has answered and closed: the answer must arrive, not a reset. */
static void test_answer_survives_a_client_that_sends_on(void **state)
{
    (void)state;
    struct host host = {.reads = false};
    struct guest guest;
    char got[64] = "", *junk = make_pattern(300000);
    int end;
    peer_open(&site, &host, &guest, &(struct guest_options){.sni = NULL});
    guest_write(&host, &guest, junk, 100000);
    assert_int_equal(pst_session_write(host.session, "413", 3), 3);
    pst_session_close(host.session);
    pst_session_close(host.session); /* twice is once */
    guest_write(&host, &guest, junk, 300000);
    assert_int_equal(guest_read(&host, &guest, got, sizeof(got), &end), 3);
    assert_string_equal(got, "413");
    assert_int_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_int_equal(pst_session_write(host.session, "more", 4), -PST_ERESET);
    assert_int_equal(pst_session_read(host.session, got, 1), -PST_ERESET);
    peer_close(&host, &guest);
    free(junk);
}

/* But not for ever, neither in bytes nor in time. */
static void test_lingering_is_bounded(void **state)
{
    (void)state;
    struct host host = {.reads = false};
    struct guest guest;
    char *junk = make_pattern(1 << 20);
    peer_open(&site, &host, &guest, &(struct guest_options){.sni = NULL});
    pst_session_close(host.session);
    for (int i = 0; i < 4000 && host.closed == 0; i++) {
        (void)!mbedtls_ssl_write(&guest.ssl, (const unsigned char *)junk, 1 << 14);
        site_turn(&site);
    }
    assert_int_equal(host.closed, 1);
    guest_done(&guest);
    pst_buf_done(&host.received);
    free(junk);
}

static void test_host_aborts(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct host host = {.reads = true};
        struct guest guest;
        char got[8];
        int end;
        peer_open(&site, &host, &guest, &(struct guest_options){.version = versions[v]});
        assert_int_equal(pst_session_write(host.session, "cut", 3), 3);
        pst_session_abort(host.session);
        assert_int_equal(pst_session_write(host.session, "x", 1), -PST_ERESET);
        assert_int_equal(pst_session_read(host.session, got, 1), -PST_ERESET);
        pst_session_abort(host.session);
        pst_session_close(host.session);
        guest_read(&host, &guest, got, sizeof(got), &end);
        assert_int_not_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
        assert_int_not_equal(end, 0);
        host_wait(&host, &host.closed);
        assert_int_equal(host.end, PST_SESSION_BROKEN);
        guest_done(&guest);
        pst_buf_done(&host.received);
    }
}

static void test_host_aborts_when_established(void **state)
{
    (void)state;
    struct host host = {.aborts_when_established = true};
    struct guest guest;
    peer_open(&site, &host, &guest, &(struct guest_options){.sni = NULL});
    host_wait(&host, &host.closed);
    assert_int_equal(host.end, PST_SESSION_BROKEN);
    guest_done(&guest);
    pst_buf_done(&host.received);
}

static void test_not_before_the_handshake(void **state)
{
    (void)state;
    struct host host = {.reads = true};
    struct guest guest;
    char byte;
    peer_connect(&site, &host, 1000000, &guest, &(struct guest_options){.sni = NULL});
    assert_int_equal(pst_session_write(host.session, "x", 1), -PST_ERESET);
    assert_int_equal(pst_session_read(host.session, &byte, 1), -PST_ERESET);
    pst_session_close(host.session);
    host_wait(&host, &host.closed);
    assert_int_equal(host.established, 0);
    guest_done(&guest);
    pst_buf_done(&host.received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_and_keys),
        cmocka_unit_test(test_modern_profile),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_choice_by_name),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_rotation_is_late),
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_large_upload),
        cmocka_unit_test(test_records_in_single_bytes),
        cmocka_unit_test(test_left_over_input_is_its_own),
        cmocka_unit_test(test_large_answer_with_back_pressure),
        cmocka_unit_test(test_writes_of_a_turn_go_together),
        cmocka_unit_test(test_client_says_goodbye),
        cmocka_unit_test(test_client_vanishes),
        cmocka_unit_test(test_data_and_end_together),
        cmocka_unit_test(test_answer_after_goodbye),
        cmocka_unit_test(test_host_closes_in_order),
        cmocka_unit_test(test_shuts_its_side_when_there_is_another),
        cmocka_unit_test(test_answer_survives_a_client_that_sends_on),
        cmocka_unit_test(test_lingering_is_bounded),
        cmocka_unit_test(test_host_aborts),
        cmocka_unit_test(test_host_aborts_when_established),
        cmocka_unit_test(test_not_before_the_handshake),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
