/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/tls/material.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <psa/crypto.h>
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

#define PATIENCE_US 2000000

/* Site */

static void on_problem(void *arg, bool warning, const char *problem)
{
    (void)arg, (void)warning;
    fail_msg("%s", problem);
}

void site_make(struct site *site, enum pst_tls_profile profile, struct cert *const *certs, size_t n_certs)
{
    char dir[64], certificate[128], key[128], name[32];
    struct pst_tls_material *material;
    certs_dir_make(dir);
    for (size_t i = 0; i < n_certs; i++) {
        snprintf(name, sizeof(name), "%02zu.crt", i);
        certs_write(dir, name, certs[i]->certificate, certificate);
        snprintf(name, sizeof(name), "%02zu.key", i);
        certs_write(dir, name, certs[i]->key, key);
    }
    const struct pst_tls_files files = {.certificate_dir = dir};
    assert_int_equal(pst_tls_init(), 0);
    assert_int_equal(pst_tls_material_load(&files, on_problem, NULL, &material), 0);
    assert_int_equal(pst_loop_new(&site->loop), 0);
    assert_int_equal(pst_tls_context_new(profile, material, &site->context), 0);
    pst_tls_material_unref(material);
    certs_dir_remove(dir);
    site->handshakes_until_us = UINT64_MAX;
}

void site_done(struct site *site)
{
    pst_loop_drain(site->loop);
    pst_tls_context_free(site->context);
    pst_loop_free(site->loop);
}

void site_turn(struct site *site)
{
    assert_int_equal(pst_loop_turn(site->loop, false), 0);
    pst_tls_handshakes_run(site->context, site->handshakes_until_us);
    pst_session_flush_all(site->context);
}

/* Host */

static void take_all(struct host *host)
{
    char data[4096];
    ssize_t n;
    while ((n = pst_session_read(host->session, data, sizeof(data))) > 0)
        assert_int_equal(pst_buf_add(&host->received, data, (size_t)n), 0);
    host->last_read = n;
}

static void send_more(struct host *host)
{
    while (host->sent < host->send_len) {
        ssize_t n = pst_session_write(host->session, host->sends + host->sent, host->send_len - host->sent);
        if (n < 0)
            return;
        host->sent += (size_t)n;
    }
    if (host->closes_when_sent)
        pst_session_close(host->session);
}

static void on_established(void *arg, struct pst_session *session)
{
    struct host *host = arg;
    assert_ptr_equal(session, host->session);
    host->established++;
    snprintf(host->version, sizeof(host->version), "%s", pst_session_version(session));
    if (host->aborts_when_established) {
        pst_session_abort(session);
        return;
    }
    if (host->reads)
        take_all(host);
    if (host->sends != NULL)
        send_more(host);
}

static void on_readable(void *arg, struct pst_session *session)
{
    struct host *host = arg;
    assert_ptr_equal(session, host->session);
    assert_true(host->established == 1 && host->closed == 0);
    host->readable++;
    if (host->reads)
        take_all(host);
}

static void on_writable(void *arg, struct pst_session *session)
{
    struct host *host = arg;
    assert_ptr_equal(session, host->session);
    assert_true(host->established == 1 && host->closed == 0);
    host->writable++;
    send_more(host);
}

static void on_gone(void *arg, struct pst_session *session)
{
    struct host *host = arg;
    assert_ptr_equal(session, host->session);
    assert_true(host->established == 1 && host->closed == 0);
    host->gone++;
}

static void on_closed(void *arg, struct pst_session *session, enum pst_session_end end)
{
    struct host *host = arg;
    assert_ptr_equal(session, host->session);
    assert_int_equal(host->closed, 0);
    host->closed++;
    host->end = end;
    snprintf(host->error_text, sizeof(host->error_text), "%s", pst_session_error_text(session));
    host->session = NULL;
}

static const struct pst_session_events events = {
    .established = on_established,
    .readable = on_readable,
    .writable = on_writable,
    .peer_gone = on_gone,
    .closed = on_closed,
};

void host_wait(struct host *host, const unsigned *flag)
{
    uint64_t end = pst_clock_mono_us() + PATIENCE_US;
    while (*flag == 0 && pst_clock_mono_us() < end) {
        site_turn(host->site);
        if (*flag == 0)
            usleep(200);
    }
    assert_true(*flag > 0);
}

void host_wait_bytes(struct host *host, size_t len)
{
    uint64_t end = pst_clock_mono_us() + PATIENCE_US;
    while (pst_buf_len(&host->received) < len && pst_clock_mono_us() < end) {
        site_turn(host->site);
        if (pst_buf_len(&host->received) < len)
            usleep(200);
    }
    assert_int_equal(pst_buf_len(&host->received), len);
}

/* Guest */

static int guest_send(void *arg, const unsigned char *data, size_t len)
{
    struct guest *guest = arg;
    if (guest->fd < 0)
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    if (guest->sent + len > guest->send_at_most)
        len = guest->send_at_most - guest->sent;
    if (guest->send_piece > 0 && len > guest->send_piece)
        len = guest->send_piece;
    if (len == 0)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    ssize_t n = send(guest->fd, data, len, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    guest->sent += (size_t)n;
    return (int)n;
}

static int guest_recv(void *arg, unsigned char *data, size_t len)
{
    struct guest *guest = arg;
    ssize_t n = recv(guest->fd, data, len, 0);
    if (n < 0)
        return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    /* A record's head is asked for alone (RFC 8446 section 5.1). */
    if (n == 5 && len == 5 && data[0] == MBEDTLS_SSL_MSG_APPLICATION_DATA &&
        guest->n_records < sizeof(guest->records) / sizeof(guest->records[0]))
        guest->records[guest->n_records++] = 5 + (size_t)(data[3] << 8 | data[4]);
    return n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)n;
}

static int random_bytes(void *arg, unsigned char *data, size_t len)
{
    (void)arg;
    return psa_generate_random(data, len) == PSA_SUCCESS ? 0 : -1;
}

/* Called when the server shows a certificate, which it does not when a session is resumed. */
static int on_certificate(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct guest *guest = arg;
    (void)crt, (void)depth;
    guest->certificates_seen++;
    *flags = 0;
    return 0;
}

static void guest_init(struct guest *guest, const struct guest_options *options)
{
    mbedtls_ssl_config *config = &guest->config;
    guest->send_at_most = SIZE_MAX;
    mbedtls_ssl_config_init(config);
    mbedtls_ssl_init(&guest->ssl);
    mbedtls_ssl_session_init(&guest->ticket);
    assert_int_equal(mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    if (options->version != 0) {
        mbedtls_ssl_conf_min_tls_version(config, options->version);
        mbedtls_ssl_conf_max_tls_version(config, options->version);
    }
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_verify(config, on_certificate, guest);
    mbedtls_ssl_conf_rng(config, random_bytes, NULL);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    if (options->alpn != NULL)
        assert_int_equal(mbedtls_ssl_conf_alpn_protocols(config, options->alpn), 0);
    assert_int_equal(mbedtls_ssl_setup(&guest->ssl, config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&guest->ssl, options->sni), 0);
    if (options->resume != NULL)
        assert_int_equal(mbedtls_ssl_set_session(&guest->ssl, options->resume), 0);
    mbedtls_ssl_set_bio(&guest->ssl, guest, guest_send, guest_recv, NULL);
}

static int open_socket_pair(int recv_bytes, int *ret_client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0 && client >= 0);
    if (recv_bytes > 0)
        assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof(recv_bytes)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, len), 0);
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(server >= 0);
    assert_int_equal(pst_fd_nonblocking(client), 0);
    int on = 1;
    assert_int_equal(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    if (recv_bytes > 0)
        assert_int_equal(setsockopt(server, SOL_SOCKET, SO_SNDBUF, &recv_bytes, sizeof(recv_bytes)), 0);
    close(listener);
    *ret_client = client;
    return server;
}

void peer_connect(struct site *site, struct host *host, uint64_t handshake_timeout_us, struct guest *guest,
                  const struct guest_options *options)
{
    *guest = (struct guest){.fd = -1};
    host->site = site;
    pst_buf_init(&host->received, 64 * 1024 * 1024);
    guest_init(guest, options);
    int server = open_socket_pair(options->recv_bytes, &guest->fd);
    assert_int_equal(pst_session_accept(site->context, site->loop, server, &events, host,
                                        handshake_timeout_us, &host->session),
                     0);
}

int peer_handshake(struct host *host, struct guest *guest)
{
    uint64_t end = pst_clock_mono_us() + PATIENCE_US;
    int ret = MBEDTLS_ERR_SSL_WANT_READ;
    while (pst_clock_mono_us() < end) {
        ret = mbedtls_ssl_handshake(&guest->ssl);
        site_turn(host->site);
        if (ret != MBEDTLS_ERR_SSL_WANT_READ && ret != MBEDTLS_ERR_SSL_WANT_WRITE)
            return ret;
    }
    return ret;
}

void peer_open(struct site *site, struct host *host, struct guest *guest, const struct guest_options *options)
{
    peer_connect(site, host, 10000000, guest, options);
    int ret = peer_handshake(host, guest);
    if (ret != 0)
        fail_msg("handshake: -0x%x, host: %s", (unsigned)-ret, host->error_text);
    host_wait(host, &host->established);
}

void guest_write(struct host *host, struct guest *guest, const void *data, size_t len)
{
    uint64_t end = pst_clock_mono_us() + 10 * PATIENCE_US;
    for (size_t done = 0; done < len && pst_clock_mono_us() < end;) {
        int n = mbedtls_ssl_write(&guest->ssl, (const unsigned char *)data + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else
            assert_int_equal(n, MBEDTLS_ERR_SSL_WANT_WRITE);
        if (n <= 0 || guest->send_piece > 0)
            site_turn(host->site);
    }
    site_turn(host->site);
}

size_t guest_read(struct host *host, struct guest *guest, void *data, size_t len, int *ret_end)
{
    uint64_t end = pst_clock_mono_us() + 10 * PATIENCE_US;
    size_t got = 0;
    *ret_end = 0;
    while (got < len && pst_clock_mono_us() < end) {
        int n = mbedtls_ssl_read(&guest->ssl, (unsigned char *)data + got, len - got);
        if (n > 0) {
            got += (size_t)n;
        } else if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            guest->tickets++;
            mbedtls_ssl_session_free(&guest->ticket);
            mbedtls_ssl_session_init(&guest->ticket);
            assert_int_equal(mbedtls_ssl_get_session(&guest->ssl, &guest->ticket), 0);
        } else if (n == MBEDTLS_ERR_SSL_WANT_READ) {
            site_turn(host->site);
        } else {
            *ret_end = n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : n;
            return got;
        }
    }
    return got;
}

void guest_hang_up(struct guest *guest, char how)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char unread[4096]; /* left in the socket it would turn the FIN into a RST */
    while (how == 'F' && guest->fd >= 0 && recv(guest->fd, unread, sizeof(unread), 0) > 0)
        ;
    if (how == 'R' && guest->fd >= 0)
        assert_int_equal(setsockopt(guest->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    guest->fd = pst_fd_close(guest->fd);
}

void guest_done(struct guest *guest)
{
    guest_hang_up(guest, 'F');
    mbedtls_ssl_session_free(&guest->ticket);
    mbedtls_ssl_free(&guest->ssl);
    mbedtls_ssl_config_free(&guest->config);
}

void peer_close(struct host *host, struct guest *guest)
{
    if (host->session != NULL)
        pst_session_close(host->session);
    guest_done(guest);
    host_wait(host, &host->closed);
    pst_buf_done(&host->received);
}
