/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000

/* One connection: plain or TLS. */
struct line {
    int fd;
    bool tls;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
};

static int on_send(void *arg, const unsigned char *data, size_t len)
{
    ssize_t n = send(*(const int *)arg, data, len, MSG_NOSIGNAL);
    return n < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)n;
}

static int on_receive(void *arg, unsigned char *data, size_t len)
{
    ssize_t n = recv(*(const int *)arg, data, len, 0);
    return n < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)n;
}

static ssize_t line_read(struct line *line, char *data, size_t len)
{
    return line->tls ? mbedtls_ssl_read(&line->ssl, (unsigned char *)data, len)
                     : recv(line->fd, data, len, 0);
}

static bool line_write(struct line *line, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = line->tls ? mbedtls_ssl_write(&line->ssl, (const unsigned char *)data, len)
                              : send(line->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_head(struct line *line, char *text, size_t size)
{
    size_t len = 0;
    while (len + 1 < size) {
        ssize_t n = line_read(line, text + len, 1);
        if (n <= 0)
            return false;
        text[++len] = '\0';
        if (len >= 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static bool line_secure(struct line *line, const struct script *script)
{
    line->tls = true;
    mbedtls_ssl_init(&line->ssl);
    mbedtls_ssl_config_init(&line->config);
    mbedtls_x509_crt_init(&line->chain);
    mbedtls_pk_init(&line->key);
    int ret = mbedtls_ssl_config_defaults(&line->config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&line->config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (ret == 0)
        ret = mbedtls_x509_crt_parse(&line->chain, (const unsigned char *)script->certificate,
                                     strlen(script->certificate) + 1);
    if (ret == 0)
        ret = mbedtls_pk_parse_key(&line->key, (const unsigned char *)script->key, strlen(script->key) + 1,
                                   NULL, 0, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (ret == 0)
        ret = mbedtls_ssl_conf_own_cert(&line->config, &line->chain, &line->key);
    if (ret == 0)
        ret = mbedtls_ssl_setup(&line->ssl, &line->config);
    mbedtls_ssl_set_bio(&line->ssl, &line->fd, on_send, on_receive, NULL);
    return ret == 0 && mbedtls_ssl_handshake(&line->ssl) == 0;
}

static void line_end(struct line *line, bool cuts)
{
    if (line->tls) {
        if (!cuts)
            (void)mbedtls_ssl_close_notify(&line->ssl);
        mbedtls_ssl_free(&line->ssl);
        mbedtls_ssl_config_free(&line->config);
        mbedtls_x509_crt_free(&line->chain);
        mbedtls_pk_free(&line->key);
    }
    close(line->fd);
}

static void hang(const struct server *server)
{
    struct pollfd at = {.fd = server->stop[0], .events = POLLIN};
    (void)poll(&at, 1, WAIT_MS);
}

static void write_answer(const struct server *server, struct line *line)
{
    const struct script *script = &server->script;
    if (script->answer == NULL) {
        hang(server);
        return;
    }
    if (script->piece_ms == 0)
        (void)!line_write(line, script->answer, strlen(script->answer));
    for (const char *p = script->answer; script->piece_ms != 0 && *p != '\0'; p++) {
        const struct timespec pause = {.tv_nsec = (long)script->piece_ms * 1000000};
        if (!line_write(line, p, 1))
            return;
        nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < script->repeat; i++) {
        if (!line_write(line, "x", 1))
            return;
    }
}

static void serve(struct server *server, struct line *line)
{
    const struct script *script = &server->script;
    if (script->hangs_before_tls) {
        hang(server);
        return;
    }
    if (script->proxy_answer != NULL &&
        (!read_head(line, server->proxy_request, sizeof(server->proxy_request)) ||
         !line_write(line, script->proxy_answer, strlen(script->proxy_answer)) ||
         strncmp(script->proxy_answer, "HTTP/1.1 2", 10) != 0))
        return;
    if (script->certificate != NULL && !line_secure(line, script))
        return;
    server->handshake_done = true;
    if (read_head(line, server->request, sizeof(server->request)))
        write_answer(server, line);
}

static void *run(void *arg)
{
    struct server *server = arg;
    struct pollfd at[2] = {{.fd = server->listener, .events = POLLIN},
                           {.fd = server->stop[0], .events = POLLIN}};
    if (poll(at, 2, WAIT_MS) <= 0 || (at[0].revents & POLLIN) == 0)
        return NULL;
    struct line line = {.fd = accept(server->listener, NULL, NULL)};
    if (line.fd < 0)
        return NULL;
    const struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    setsockopt(line.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(line.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    serve(server, &line);
    line_end(&line, server->script.cuts);
    return NULL;
}

void server_start(struct server *server, const struct script *script)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    *server = (struct server){.script = *script};
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(pipe(server->stop), 0);
    server->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

void server_end(struct server *server)
{
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->listener);
}
