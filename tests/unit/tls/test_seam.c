/* SPDX-License-Identifier: Apache-2.0 */
/* What libmicrohttpd meets when it calls GnuTLS. */
#include "postern/tls/seam.h"

#include <gnutls/gnutls.h>
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

struct fake {
    ssize_t read_answer, write_answer;
    size_t read_len, write_len;
    unsigned closed, closed_orderly;
};

static ssize_t on_read(void *arg, void *data, size_t len)
{
    struct fake *fake = arg;
    fake->read_len = len;
    if (fake->read_answer > 0)
        memset(data, 'r', (size_t)fake->read_answer);
    return fake->read_answer;
}

static ssize_t on_write(void *arg, const void *data, size_t len)
{
    struct fake *fake = arg;
    assert_non_null(data);
    fake->write_len = len;
    return fake->write_answer;
}

static void on_closed(void *arg, bool orderly)
{
    struct fake *fake = arg;
    fake->closed++;
    fake->closed_orderly += orderly;
}

static const struct pst_seam_events events = {.read = on_read, .write = on_write, .closed = on_closed};

static gnutls_session_t adopt(struct fake *fake)
{
    gnutls_session_t session = NULL;
    pst_seam_adopt(&events, fake);
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER | GNUTLS_NONBLOCK), GNUTLS_E_SUCCESS);
    assert_non_null(session);
    assert_false(pst_seam_disown()); /* it was taken */
    return session;
}

/* A session that was neither adopted nor is a serving daemon's never gets to HTTP. */
static void refused(void)
{
    gnutls_session_t session = NULL;
    gnutls_certificate_credentials_t none;
    assert_int_equal(gnutls_certificate_allocate_credentials(&none), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER), GNUTLS_E_SUCCESS);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, none);
    assert_true(gnutls_handshake(session) < 0);
    assert_int_not_equal(gnutls_handshake(session), GNUTLS_E_AGAIN);
    gnutls_deinit(session);
}

static void test_adoption(void **state)
{
    (void)state;
    struct fake first = {0}, second = {0};
    assert_false(pst_seam_disown());
    refused(); /* nothing was adopted */
    pst_seam_adopt(&events, &first);
    assert_true(pst_seam_disown());
    assert_false(pst_seam_disown());
    refused();
    gnutls_session_t one = adopt(&first);
    gnutls_session_t two = adopt(&second);
    gnutls_deinit(one);
    assert_int_equal(first.closed, 1);
    assert_int_equal(second.closed, 0);
    gnutls_deinit(two);
    assert_int_equal(second.closed, 1);
    gnutls_deinit(NULL);
}

static void test_reading(void **state)
{
    (void)state;
    static const struct {
        ssize_t answer, expected;
    } cases[] = {
        {5, 5},
        {0, 0},
        {-PST_EAGAIN, GNUTLS_E_AGAIN},
        {-PST_ERESET, GNUTLS_E_PREMATURE_TERMINATION},
        {-PST_ENOMEM, GNUTLS_E_MEMORY_ERROR},
        {-PST_ETLS, GNUTLS_E_UNEXPECTED_PACKET},
        {-PST_EIO, GNUTLS_E_UNEXPECTED_PACKET},
    };
    struct fake fake = {0};
    gnutls_session_t session = adopt(&fake);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char data[8] = "";
        fake.read_answer = cases[i].answer;
        assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), cases[i].expected);
        assert_int_equal(fake.read_len, sizeof(data));
    }
    assert_true(gnutls_record_check_pending(session) > 0); /* read again: a forgotten byte would hang */
    assert_int_equal(gnutls_record_get_direction(session), 0);
    gnutls_deinit(session);
    assert_int_equal(fake.closed, 1);
    assert_int_equal(fake.closed_orderly, 0);
}

static void test_writing(void **state)
{
    (void)state;
    struct fake fake = {.write_answer = 3};
    gnutls_session_t session = adopt(&fake);
    assert_int_equal(gnutls_record_send(session, "abcd", 4), 3);
    assert_int_equal(fake.write_len, 4);
    fake.write_answer = -PST_EAGAIN;
    assert_int_equal(gnutls_record_send(session, "d", 1), GNUTLS_E_AGAIN);
    fake.write_answer = -PST_ERESET;
    ssize_t broken = gnutls_record_send(session, "d", 1);
    assert_true(broken < 0 && broken != GNUTLS_E_AGAIN && broken != GNUTLS_E_INTERRUPTED);
    assert_int_equal(gnutls_bye(session, GNUTLS_SHUT_WR), GNUTLS_E_SUCCESS);
    gnutls_deinit(session);
    assert_int_equal(fake.closed, 1);
    assert_int_equal(fake.closed_orderly, 1);
}

static void test_what_a_daemon_sets_up(void **state)
{
    (void)state;
    struct fake fake = {0};
    gnutls_priority_t priority = NULL;
    gnutls_certificate_credentials_t credentials = NULL;
    const gnutls_datum_t pem = {(unsigned char *)(uintptr_t) "x", 1};
    assert_int_equal(gnutls_global_init(), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_priority_init(&priority, "NORMAL", NULL), GNUTLS_E_SUCCESS);
    assert_non_null(priority);
    assert_int_equal(gnutls_priority_init2(&priority, "@LIBMICROHTTPD", NULL, 0), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), GNUTLS_E_SUCCESS);
    assert_non_null(credentials);
    assert_int_equal(gnutls_certificate_set_x509_key_mem(credentials, &pem, &pem, GNUTLS_X509_FMT_PEM),
                     GNUTLS_E_SUCCESS);
    assert_int_equal(
        gnutls_certificate_set_x509_key_mem2(credentials, &pem, &pem, GNUTLS_X509_FMT_PEM, NULL, 0),
        GNUTLS_E_SUCCESS);
    gnutls_session_t session = adopt(&fake);
    gnutls_session_set_ptr(session, &fake);
    assert_ptr_equal(gnutls_session_get_ptr(session), &fake);
    assert_int_equal(gnutls_priority_set(session, priority), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), GNUTLS_E_SUCCESS);
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_IGNORE);
    gnutls_transport_set_int2(session, 3, 3);
    assert_int_equal(gnutls_alpn_set_protocols(session, &pem, 1, 0), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_handshake(session), GNUTLS_E_SUCCESS); /* it was done before */
    assert_int_equal(gnutls_protocol_get_version(session), GNUTLS_VERSION_UNKNOWN);
    assert_int_equal(gnutls_cipher_get(session), GNUTLS_CIPHER_UNKNOWN);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    gnutls_priority_deinit(priority);
    gnutls_global_deinit();
}

/* What Postern does not use must fail, not seem to work. */
static void test_what_is_refused(void **state)
{
    (void)state;
    gnutls_dh_params_t dh = NULL;
    gnutls_psk_server_credentials_t psk = NULL;
    const gnutls_datum_t pem = {(unsigned char *)(uintptr_t) "x", 1};
    assert_true(gnutls_certificate_set_x509_trust_mem(NULL, &pem, GNUTLS_X509_FMT_PEM) < 0);
    assert_true(gnutls_dh_params_init(&dh) < 0);
    assert_null(dh);
    assert_true(gnutls_dh_params_import_pkcs3(dh, &pem, GNUTLS_X509_FMT_PEM) < 0);
    gnutls_dh_params_deinit(dh);
    assert_true(gnutls_psk_allocate_server_credentials(&psk) < 0);
    assert_null(psk);
    gnutls_psk_free_server_credentials(psk);
    assert_string_equal(gnutls_strerror(GNUTLS_E_SUCCESS), "success");
    assert_string_not_equal(gnutls_strerror(GNUTLS_E_AGAIN), "success");
    void *memory = gnutls_malloc(16);
    assert_non_null(memory);
    free(memory);
}

static const char *instead; /* of what libmicrohttpd writes; NULL: nothing else */
static unsigned asked, asked_at_the_end;

static void on_replace(void *connection, struct pst_str data, struct pst_buf *ret_own)
{
    assert_ptr_equal(connection, &instead);
    asked++;
    asked_at_the_end += data.len == 0;
    if (instead != NULL)
        assert_int_equal(pst_buf_add_cstr(ret_own, instead), 0);
}

/* A daemon's connection without TLS; the other end in *ret_peer. */
static gnutls_session_t serve_plain(int *ret_peer, int *ret_own_fd)
{
    static const struct pst_seam_service service = {.tls = NULL, .replace = on_replace};
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    pst_seam_serve(&service);
    assert_int_equal(gnutls_certificate_allocate_credentials(&credentials), GNUTLS_E_SUCCESS);
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER), GNUTLS_E_SUCCESS);
    gnutls_session_set_ptr(session, &instead);
    assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), GNUTLS_E_SUCCESS);
    gnutls_transport_set_int2(session, fds[0], fds[0]);
    assert_int_equal(gnutls_handshake(session), GNUTLS_E_SUCCESS);
    instead = NULL;
    asked = asked_at_the_end = 0;
    *ret_own_fd = fds[0];
    *ret_peer = fds[1];
    return session;
}

static void assert_got(int peer, const char *text)
{
    char got[256] = "";
    ssize_t n = recv(peer, got, sizeof(got) - 1, 0);
    assert_int_equal(n, (ssize_t)strlen(text));
    assert_string_equal(got, text);
}

static void test_plain_bytes_pass(void **state)
{
    (void)state;
    int peer, fd;
    char data[16] = "";
    gnutls_session_t session = serve_plain(&peer, &fd);
    assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), GNUTLS_E_AGAIN);
    assert_int_equal(send(peer, "ask", 3, 0), 3);
    assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), 3);
    assert_int_equal(gnutls_record_check_pending(session), 0);
    assert_int_equal(gnutls_record_send(session, "answer", 6), 6);
    assert_got(peer, "answer");
    assert_int_equal(gnutls_bye(session, GNUTLS_SHUT_WR), GNUTLS_E_SUCCESS);
    assert_int_equal(asked, 1); /* nothing was owed at the end */
    assert_int_equal(recv(peer, data, sizeof(data), 0), 0);
    close(peer);
    assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), 0);
    assert_int_equal(gnutls_record_send(session, "x", 1), GNUTLS_E_PUSH_ERROR);
    gnutls_deinit(session);
    close(fd);
}

/* Once something else went out, nothing of libmicrohttpd's does. */
static void test_replacing(void **state)
{
    (void)state;
    int peer, fd;
    gnutls_session_t session = serve_plain(&peer, &fd);
    instead = "ours";
    assert_int_equal(gnutls_record_send(session, "its head", 8), 8);
    assert_int_equal(gnutls_record_send(session, "its body", 8), 8);
    assert_got(peer, "ours");
    assert_int_equal(asked, 1);
    gnutls_deinit(session);
    close(fd);
    close(peer);
}

/* A client that got no response gets one at the end, unless it has left. */
static void test_what_is_owed(void **state)
{
    (void)state;
    char data[16];
    for (int left = 0; left < 2; left++) {
        int peer, fd;
        gnutls_session_t session = serve_plain(&peer, &fd);
        instead = "ours";
        assert_int_equal(send(peer, "rubbish", 7, 0), 7);
        assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), 7);
        if (left) {
            shutdown(peer, SHUT_WR);
            assert_int_equal(gnutls_record_recv(session, data, sizeof(data)), 0);
        }
        assert_int_equal(gnutls_bye(session, GNUTLS_SHUT_WR), GNUTLS_E_SUCCESS);
        assert_int_equal(asked_at_the_end, left ? 0 : 1);
        assert_got(peer, left ? "" : "ours");
        gnutls_deinit(session);
        close(fd);
        close(peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adoption),        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_writing),         cmocka_unit_test(test_what_a_daemon_sets_up),
        cmocka_unit_test(test_what_is_refused), cmocka_unit_test(test_plain_bytes_pass),
        cmocka_unit_test(test_replacing),       cmocka_unit_test(test_what_is_owed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
