/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/client.h"

#include "client_private.h"
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"

#include <errno.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct pst_tls_client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    int fd;
    uint64_t deadline_us;
    struct pst_tls_peer *peer; /* while it shakes hands */
};

static const char *alpn[] = {"http/1.1", NULL};

/* All that TLS 1.2 needs, but RSA-PSS. */
static const uint16_t tls12_signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,       MBEDTLS_TLS1_3_SIG_NONE,
};

static int on_send(void *arg, const unsigned char *data, size_t len)
{
    const struct pst_tls_client *client = arg;
    ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_CONN_RESET;
}

static int on_receive(void *arg, unsigned char *data, size_t len)
{
    const struct pst_tls_client *client = arg;
    ssize_t n = recv(client->fd, data, len, MSG_DONTWAIT);
    if (n >= 0)
        return (int)n; /* 0: mbedTLS says MBEDTLS_ERR_SSL_CONN_EOF */
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_CONN_RESET;
}

/* Waits for what mbedTLS's answer asks for: 0 to go on, or -PST_ETIMEOUT. */
static int wait_for(const struct pst_tls_client *client, int ret)
{
    struct pollfd at = {.fd = client->fd, .events = ret == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN};
    uint64_t now = pst_clock_mono_us();
    if (now >= client->deadline_us)
        return -PST_ETIMEOUT;
    /* Rounded up, and bounded so that it fits: the caller's loop comes back. */
    uint64_t ms = (client->deadline_us - now) / 1000 + 1;
    (void)poll(&at, 1, (int)(ms < 60000 ? ms : 60000));
    return 0;
}

/* Whether to call again after `ret`: 1 yes, 0 it is a result, or an error of ours. */
static int go_on(const struct pst_tls_client *client, int ret)
{
    switch (ret) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return wait_for(client, ret) < 0 ? -PST_ETIMEOUT : 1;
    case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
        return 1;
    case MBEDTLS_ERR_NET_CONN_RESET:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return -PST_ERESET;
    default:
        return ret < 0 ? -PST_ETLS : 0;
    }
}

static int configure(struct pst_tls_client *client, const struct pst_tls_client_options *options)
{
    mbedtls_ssl_config *config = &client->config;
    int ret = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret != 0)
        return ret;
    mbedtls_ssl_conf_authmode(config,
                              options->look_only ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(config, &options->roots->chain, NULL);
    mbedtls_ssl_conf_verify(config, tls_peer_note, client->peer);
    if (options->tls12_pkcs1) {
        mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
        mbedtls_ssl_conf_sig_algs(config, tls12_signatures);
    }
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    ret = mbedtls_ssl_conf_alpn_protocols(config, alpn);
    if (ret == 0)
        ret = mbedtls_ssl_setup(&client->ssl, config);
    if (ret == 0)
        ret = mbedtls_ssl_set_hostname(&client->ssl, options->server_name);
    if (ret == 0)
        mbedtls_ssl_set_bio(&client->ssl, client, on_send, on_receive, NULL);
    return ret;
}

static int shake_hands(struct pst_tls_client *client, const struct pst_tls_client_options *options,
                       struct pst_tls_why *ret_why)
{
    int ret, more;
    do {
        ret = mbedtls_ssl_handshake(&client->ssl);
        more = go_on(client, ret);
    } while (more > 0);
    if (ret == 0)
        return 0;
    char text[128];
    if (ret == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && !options->tls12_pkcs1 &&
        mbedtls_ssl_get_version_number(&client->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        more = -PST_EAGAIN;
    if (more == -PST_ETIMEOUT)
        snprintf(ret_why->text, sizeof(ret_why->text), "the TLS handshake did not end in time");
    else if (more == -PST_ERESET)
        snprintf(ret_why->text, sizeof(ret_why->text), "the connection was cut during the TLS handshake");
    else if (client->peer->faults != 0)
        pst_tls_peer_describe(client->peer, options->server_name, ret_why);
    else if (ret == MBEDTLS_ERR_SSL_INVALID_RECORD)
        snprintf(ret_why->text, sizeof(ret_why->text), "it does not speak TLS there");
    else
        snprintf(ret_why->text, sizeof(ret_why->text), "the TLS handshake failed: %s",
                 tls_error_text(ret, text, sizeof(text)));
    return more;
}

int pst_tls_client_open(int fd, const struct pst_tls_client_options *options,
                        struct pst_tls_client **ret_client, struct pst_tls_peer *ret_peer,
                        struct pst_tls_why *ret_why)
{
    struct pst_tls_client *client = calloc(1, sizeof(*client));
    struct pst_tls_peer *peer = calloc(1, sizeof(*peer));
    int err = -PST_ENOMEM;
    if (client == NULL || peer == NULL) {
        snprintf(ret_why->text, sizeof(ret_why->text), "out of memory");
        pst_fd_close(fd);
        free(client);
        goto out;
    }
    client->fd = fd;
    client->deadline_us = options->deadline_us;
    client->peer = peer;
    mbedtls_ssl_init(&client->ssl);
    mbedtls_ssl_config_init(&client->config);
    int ret = configure(client, options);
    if (ret != 0) {
        char text[128];
        snprintf(ret_why->text, sizeof(ret_why->text), "TLS cannot be set up: %s",
                 tls_error_text(ret, text, sizeof(text)));
        err = ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? -PST_ENOMEM : -PST_ETLS;
    } else {
        err = shake_hands(client, options, ret_why);
    }
    if (err == 0) {
        peer->version = mbedtls_ssl_get_version(&client->ssl);
        peer->cipher = mbedtls_ssl_get_ciphersuite(&client->ssl);
        mbedtls_ssl_conf_verify(&client->config, NULL, NULL);
        client->peer = NULL;
        *ret_client = client;
    } else {
        client->peer = NULL;
        pst_tls_client_close(client);
    }
    if (ret_peer != NULL)
        *ret_peer = *peer;
out:
    free(peer);
    return err;
}

ssize_t pst_tls_client_read(struct pst_tls_client *client, void *data, size_t len)
{
    int ret, more;
    do {
        ret = mbedtls_ssl_read(&client->ssl, data, len);
        if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
            return 0;
        if (ret == 0) /* an end without close_notify */
            return -PST_ERESET;
        more = go_on(client, ret);
    } while (more > 0);
    return ret > 0 ? ret : more;
}

int pst_tls_client_write(struct pst_tls_client *client, const void *data, size_t len)
{
    const unsigned char *p = data;
    while (len > 0) {
        int ret = mbedtls_ssl_write(&client->ssl, p, len);
        int more = go_on(client, ret);
        if (ret <= 0 && more <= 0)
            return more < 0 ? more : -PST_ETLS;
        if (ret > 0) {
            p += ret;
            len -= (size_t)ret;
        }
    }
    return 0;
}

void pst_tls_client_close(struct pst_tls_client *client)
{
    if (client == NULL)
        return;
    if (mbedtls_ssl_is_handshake_over(&client->ssl))
        (void)mbedtls_ssl_close_notify(&client->ssl);
    mbedtls_ssl_free(&client->ssl);
    mbedtls_ssl_config_free(&client->config);
    pst_fd_close(client->fd);
    free(client);
}
