/* SPDX-License-Identifier: Apache-2.0 */
#include "served.h"

#include "internal.h"

#include <errno.h>
#include <mbedtls/net_sockets.h>
#include <stdlib.h>
#include <sys/socket.h>

struct tls_served {
    mbedtls_ssl_context ssl;
    struct pst_tls_context *context;
    struct pst_client_identity *identity; /* made when it is asked for; NULL until then, or without one */
    struct tls_intake intake;
    int fd;
    bool done; /* the handshake is */
    bool over; /* nothing goes either way any more */
    bool wants_write;
    size_t unsent; /* plaintext of a record that is sealed and not wholly sent */
};

static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct tls_served *served = arg;
    if (tls_plain_http(&served->intake))
        return (int)len; /* an alert, which would stand in front of the response */
    tls_alert_note(&served->intake, data, len);
    ssize_t n = send(served->fd, data, len, MSG_NOSIGNAL);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int bio_recv(void *arg, unsigned char *data, size_t len)
{
    struct tls_served *served = arg;
    int bound = tls_intake_check(&served->intake, data);
    if (bound != 0)
        return bound;
    ssize_t n = recv(served->fd, data, len, 0);
    if (n > 0)
        tls_intake_hand(&served->intake, (size_t)n);
    if (n >= 0)
        return n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

int tls_served_new(struct pst_tls_context *context, struct tls_served **ret_served)
{
    struct tls_served *served = calloc(1, sizeof(*served));
    if (served == NULL)
        return -PST_ENOMEM;
    served->fd = -1;
    served->context = context;
    mbedtls_ssl_init(&served->ssl);
    if (mbedtls_ssl_setup(&served->ssl, &context->config) != 0) {
        mbedtls_ssl_free(&served->ssl);
        free(served);
        return -PST_ENOMEM;
    }
    mbedtls_ssl_set_user_data_p(&served->ssl, context); /* for the choice of the certificate */
    mbedtls_ssl_set_bio(&served->ssl, served, bio_send, bio_recv, NULL);
    *ret_served = served;
    return 0;
}

void tls_served_set_fd(struct tls_served *served, int fd)
{
    served->fd = fd;
}

void tls_served_goodbye(struct tls_served *served)
{
    if (served->done && !served->over)
        (void)mbedtls_ssl_close_notify(&served->ssl);
    served->over = true;
}

void tls_served_free(struct tls_served *served)
{
    if (served == NULL)
        return;
    mbedtls_ssl_free(&served->ssl);
    free(served->identity);
    free(served);
}

/* What the client has sent meanwhile is read, up to a bound: closing with it unread would be a reset, and the
 * response might be lost. */
static void respond_plainly(const struct tls_served *served)
{
    char piece[4096];
    struct pst_str response = tls_plain_http_response(&served->intake);
    (void)!send(served->fd, response.p, response.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(served->fd, SHUT_WR);
    for (int i = 0; i < 16 && recv(served->fd, piece, sizeof(piece), MSG_DONTWAIT) > 0; i++)
        ;
}

/* What a call of mbedTLS that did not succeed means. */
static int result_of(struct tls_served *served, int ret)
{
    served->wants_write = ret == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
        return -PST_EAGAIN;
    served->over = true;
    if (tls_plain_http(&served->intake))
        respond_plainly(served);
    else
        tls_alert_send(&served->ssl, &served->intake, ret);
    return ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? 0 : -PST_ERESET;
}

/* The last call writes the ticket. */
static int shake(struct tls_served *served)
{
    while (!mbedtls_ssl_is_handshake_over(&served->ssl)) {
        tls_intake_begin(&served->intake);
        tls_choose_keys(&served->ssl);
        int ret = mbedtls_ssl_handshake_step(&served->ssl);
        if (ret != 0)
            return ret;
    }
    return mbedtls_ssl_handshake(&served->ssl);
}

int tls_served_handshake(struct tls_served *served)
{
    if (served->done)
        return 0;
    if (served->over)
        return -PST_ETLS;
    int ret = shake(served);
    if (ret == 0) {
        tls_forget_handshake(&served->ssl);
        tls_intake_open(&served->intake);
        served->done = true;
        served->wants_write = false;
        return 0;
    }
    return result_of(served, ret) == -PST_EAGAIN ? -PST_EAGAIN : -PST_ETLS;
}

ssize_t tls_served_read(struct tls_served *served, void *data, size_t len)
{
    if (served->over || len == 0)
        return served->over ? -PST_ERESET : 0;
    tls_intake_begin(&served->intake);
    int ret = mbedtls_ssl_read(&served->ssl, data, len);
    if (ret > 0) {
        served->intake.fruitless = 0;
        return ret;
    }
    return ret == 0 ? result_of(served, MBEDTLS_ERR_SSL_CONN_EOF) : result_of(served, ret);
}

/* mbedTLS keeps a sealed record that the socket did not take, and when it is called again says that all it
 * was given then was sent: so it is given no more than the first time. */
ssize_t tls_served_write(struct tls_served *served, const void *data, size_t len)
{
    if (served->over)
        return -PST_ERESET;
    if (served->unsent > 0 && len > served->unsent)
        len = served->unsent;
    int ret = mbedtls_ssl_write(&served->ssl, data, len);
    if (ret > 0) {
        served->unsent = 0;
        served->wants_write = false;
        return ret;
    }
    if (ret == MBEDTLS_ERR_SSL_WANT_WRITE)
        served->unsent = len < PST_TLS_RECORD_BYTES ? len : PST_TLS_RECORD_BYTES;
    int err = result_of(served, ret);
    return err == 0 ? -PST_ERESET : err;
}

int tls_served_identity(struct tls_served *served, int64_t now_us, const struct pst_client_identity **ret)
{
    int err = 0;
    if (served->identity == NULL && served->done)
        err = tls_identity_new(served->context, &served->ssl, now_us, &served->identity);
    if (err < 0)
        return err;
    if (served->identity != NULL)
        (void)!tls_identity_holds(served->context, &served->ssl, served->identity, now_us);
    *ret = served->identity;
    return 0;
}

size_t tls_served_pending(const struct tls_served *served)
{
    return mbedtls_ssl_get_bytes_avail(&served->ssl);
}

bool tls_served_wants_write(const struct tls_served *served)
{
    return served->wants_write;
}
