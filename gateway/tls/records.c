/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a session: ciphertext from and to the socket, plaintext into records and out of them. */
#include "postern/base/buf.h"
#include "session_private.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The first records of an answer are so small that each fits a segment, head and all, also over IPv6 with
 * timestamps (1,428 bytes): the client can use each as it comes, and need not wait for the last of twelve
 * segments on a slow line. With the byte that says its type the plaintext is a multiple of 16, which mbedTLS
 * pads it to. So many of them are what a connection may send at once when it begins (RFC 6928). */
#define SMALL_RECORD_BYTES 1391
#define SMALL_RECORDS      10
/* After a pause the line may be another: an event stream begins anew, too. */
#define PAUSE_US 1000000
/* A step of a handshake ends after so much ciphertext, and another handshake has its turn. */
#define STEP_BYTES 16384
/* A read ends after so much, however little is in it: eight full records, or thousands of a byte
 * each. */
#define READ_BYTES (8 * (16384 + 261))

/* How long keys last. AES-GCM's are good for some 2^24.5 full records (RFC 8446 section 5.5). After that TLS
 * 1.3 would have new ones by KeyUpdate, which mbedTLS does not speak; so a connection ends before: in order
 * after half as many, with the answer that is under way; at the limit, after 256 GiB, at once. */
#define SEALED_MAX  (UINT64_C(1) << 24)
#define SEALED_WORN (SEALED_MAX / 2)

/* Input */

/* Between calls the input buffer belongs to other sessions: what is left of it is kept aside. */
void session_keep_input(struct pst_session *s)
{
    if (s->in_len > 0 && !s->in_shared)
        return; /* still the part kept before */
    unsigned char *own = s->in_len > 0 ? malloc(s->in_len) : NULL;
    if (own != NULL)
        memcpy(own, s->in, s->in_len);
    else if (s->in_len > 0)
        s->broken = true;
    free(s->in_own);
    s->in_own = own;
    s->in = own;
    s->in_len = own != NULL ? s->in_len : 0;
    s->in_shared = false;
}

int session_receive(struct pst_session *s)
{
    ssize_t n;
    do {
        n = recv(s->watch.fd, s->context->input, INPUT_BYTES, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        s->readable = false;
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (n <= 0) {
        s->readable = false;
        s->eof = n == 0;
        s->broken = n < 0;
        return n == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    /* A short read emptied the socket; with the peer's side shut one more read is due, to see the end. */
    if ((size_t)n < INPUT_BYTES && !s->peer_shut)
        s->readable = false;
    s->in = s->context->input;
    s->in_len = (size_t)n;
    s->in_shared = true;
    return 0;
}

int session_bio_recv(void *arg, unsigned char *data, size_t len)
{
    struct pst_session *s = arg;
    int bound = tls_intake_check(&s->intake, data);
    if (bound != 0)
        return bound;
    if (s->phase == HANDSHAKE && s->intake.handed >= STEP_BYTES)
        return MBEDTLS_ERR_SSL_WANT_READ;
    s->between_records = data == s->intake.head && s->in_len == 0;
    if (s->in_len == 0) {
        if (!s->readable || s->broken)
            return s->broken ? MBEDTLS_ERR_SSL_INTERNAL_ERROR
                             : (s->eof ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ);
        int err = session_receive(s);
        if (err != 0)
            return err;
    }
    size_t n = s->in_len < len ? s->in_len : len;
    memcpy(data, s->in, n);
    s->between_records = false;
    s->in += n;
    s->in_len -= n;
    tls_intake_hand(&s->intake, n);
    return (int)n;
}

/* Output */

static size_t send_some(struct pst_session *s, const unsigned char *data, size_t len)
{
    size_t sent = 0;
    while (sent < len && !s->broken) {
        ssize_t n = send(s->watch.fd, data + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0)
            s->broken = true;
        else
            sent += (size_t)n;
    }
    return sent;
}

/* Sends, and keeps what the socket does not take. */
static void send_or_keep(struct pst_session *s, const unsigned char *data, size_t len)
{
    size_t sent = send_some(s, data, len);
    if (!s->broken && sent < len && pst_buf_add(&s->output, data + sent, len - sent) < 0)
        s->broken = true;
}

/* Sends the records that one call gathered. */
static void send_gathered(struct pst_session *s)
{
    size_t len = s->context->output_len;
    s->context->output_len = 0;
    if (len > 0)
        send_or_keep(s, s->context->output, len);
}

static void gather(struct pst_session *s, const unsigned char *data, size_t len)
{
    struct pst_tls_context *context = s->context;
    if (len > OUTPUT_BYTES - context->output_len)
        send_gathered(s);
    if (pst_buf_len(&s->output) > 0) { /* the socket is full */
        if (pst_buf_add(&s->output, data, len) < 0)
            s->broken = true;
        return;
    }
    memcpy(context->output + context->output_len, data, len);
    context->output_len += len;
}

int session_bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct pst_session *s = arg;
    s->record_out = data;
    tls_alert_note(&s->intake, data, len);
    if (!s->broken && (s->phase == HANDSHAKE || pst_buf_len(&s->output) > 0)) {
        /* mbedTLS hands over a handshake's messages one by one; they go out together (handshakes.c). */
        if (pst_buf_add(&s->output, data, len) < 0)
            s->broken = true;
    } else if (!s->broken && s->gathers) {
        gather(s, data, len);
    } else if (!s->broken) {
        send_or_keep(s, data, len);
    }
    return s->broken ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)len;
}

void session_drain_output(struct pst_session *s)
{
    if (pst_buf_len(&s->output) == 0)
        return;
    size_t sent = send_some(s, (const unsigned char *)pst_buf_front(&s->output), pst_buf_len(&s->output));
    pst_buf_consume(&s->output, sent);
    if (pst_buf_len(&s->output) == 0)
        pst_buf_done(&s->output);
}

void session_alert(struct pst_session *s, int error)
{
    session_drop_block(s);
    if (!s->broken)
        tls_alert_send(&s->ssl, &s->intake, error);
    s->goodbye = true;
}

/* Records */

static size_t record_bytes(const struct pst_session *s)
{
    return s->small_records > 0 ? SMALL_RECORD_BYTES : PST_TLS_RECORD_BYTES;
}

static int seal(struct pst_session *s, const unsigned char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t left = len - done, most = record_bytes(s);
        bool lasts = s->sealed++ < SEALED_MAX;
        int n = lasts ? mbedtls_ssl_write(&s->ssl, data + done, left < most ? left : most) : -1;
        if (n <= 0) {
            s->broken = true;
            return -PST_ERESET;
        }
        if (s->small_records > 0)
            s->small_records--;
        done += (size_t)n;
    }
    s->bytes_sent += len;
    return 0;
}

static int seal_block(struct pst_session *s)
{
    if (s->block == NULL)
        return 0;
    int err = s->block_len > 0 ? seal(s, s->block->data, s->block_len) : 0;
    s->block_len = 0;
    return err;
}

void session_drop_block(struct pst_session *s)
{
    if (s->block != NULL)
        tls_block_put(s->context, s->block);
    s->block = NULL;
    s->block_len = 0;
}

void session_touch(struct pst_session *s)
{
    if (pst_list_empty(&s->queued))
        pst_list_push_back(&s->context->touched, &s->queued);
}

void session_flush(struct pst_session *s)
{
    if (s->broken || pst_buf_len(&s->output) > 0)
        return;
    s->gathers = s->block_len > record_bytes(s);
    int err = seal_block(s);
    if (s->gathers)
        send_gathered(s);
    s->gathers = false;
    if (err == 0)
        session_drop_block(s);
}

void pst_session_flush_all(struct pst_tls_context *context)
{
    for (struct pst_list *node; (node = pst_list_pop_front(&context->touched)) != NULL;)
        session_flush(PST_CONTAINER(node, struct pst_session, queued));
}

/* One block's worth at a time. The last of it always stays in the block until the flush at the end of the
 * turn, so that what is noted about an exchange (usage) is noted before its last byte can leave. */
static ssize_t add_piece(struct pst_session *s, const unsigned char *data, size_t len)
{
    if (s->block_len == 0 && len > PST_TLS_RECORD_BYTES)
        return seal(s, data, PST_TLS_RECORD_BYTES) == 0 ? PST_TLS_RECORD_BYTES : -PST_ERESET;
    if (s->block_len == PST_TLS_RECORD_BYTES && seal_block(s) < 0)
        return -PST_ERESET;
    if (s->block == NULL)
        s->block = tls_block_get(s->context);
    if (s->block == NULL)
        return -PST_ENOMEM;
    size_t room = PST_TLS_RECORD_BYTES - s->block_len;
    size_t n = len < room ? len : room;
    memcpy(s->block->data + s->block_len, data, n);
    s->block_len += n;
    return (ssize_t)n;
}

static ssize_t add_pieces(struct pst_session *s, const unsigned char *data, size_t len)
{
    size_t took = 0;
    while (took < len && pst_buf_len(&s->output) == 0) {
        ssize_t n = add_piece(s, data + took, len - took);
        if (n < 0)
            return n;
        took += (size_t)n;
    }
    return (ssize_t)took;
}

ssize_t pst_session_write(struct pst_session *s, const void *data, size_t len)
{
    if (s->broken || s->goodbye || s->phase != OPEN)
        return -PST_ERESET;
    uint64_t now_us = pst_loop_now_us(s->loop);
    if (now_us - s->written_us > PAUSE_US)
        s->small_records = SMALL_RECORDS;
    s->written_us = now_us;
    /* Several records go out in one system call, which costs more than the copy. */
    s->gathers = s->block_len + len > 2 * PST_TLS_RECORD_BYTES || s->small_records > 0;
    ssize_t took = add_pieces(s, data, len);
    if (s->gathers)
        send_gathered(s);
    s->gathers = false;
    if (took < 0)
        return took;
    if (s->block_len > 0)
        session_touch(s);
    return took > 0 || len == 0 ? took : -PST_EAGAIN;
}

bool pst_session_is_worn(const struct pst_session *s)
{
    return s->sealed >= SEALED_WORN;
}

bool pst_session_output_waits(const struct pst_session *s)
{
    return pst_buf_len(&s->output) > 0 || s->block_len > 0;
}

/* Reading */

/* `ret` is what mbedtls_ssl_read() returned instead of bytes. Its 0 is the end of the connection without
 * close_notify: whoever could cut a message short there must not pass for the client. */
static ssize_t read_result(struct pst_session *s, int ret)
{
    if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
        return -PST_EAGAIN;
    s->read_over = true;
    if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        s->read_end = 0;
    } else if (ret == 0 || ret == MBEDTLS_ERR_SSL_CONN_EOF || s->broken) {
        s->read_end = -PST_ERESET;
    } else {
        mbedtls_strerror(ret, s->error_text, sizeof(s->error_text));
        session_alert(s, ret);
        s->outcome = PST_SESSION_BROKEN;
        s->read_end = -PST_ETLS;
    }
    return s->read_end;
}

ssize_t pst_session_read(struct pst_session *s, void *data, size_t len)
{
    if (s->phase != OPEN)
        return -PST_ERESET;
    size_t got = 0;
    ssize_t why = s->read_over ? s->read_end : 0;
    tls_intake_begin(&s->intake);
    while (got < len && !s->read_over && s->intake.handed < READ_BYTES) {
        int ret = mbedtls_ssl_read(&s->ssl, (unsigned char *)data + got, len - got);
        if (ret <= 0) {
            why = read_result(s, ret);
            break;
        }
        got += (size_t)ret;
        s->intake.fruitless = 0;
    }
    session_keep_input(s);
    if (got == 0)
        return why;
    s->bytes_read += got;
    s->small_records = SMALL_RECORDS; /* a request: an answer will begin */
    return (ssize_t)got;
}

bool pst_session_has_pending(const struct pst_session *s)
{
    return !s->read_over && (s->in_len > 0 || mbedtls_ssl_check_pending(&s->ssl) != 0 || s->readable);
}

void pst_session_rest(struct pst_session *s)
{
    bool idle = s->phase == OPEN && s->between_records && s->in_len == 0 && !s->readable && !s->broken &&
                s->block == NULL && pst_buf_len(&s->output) == 0 && mbedtls_ssl_check_pending(&s->ssl) == 0;
    if (idle)
        tls_memory_rest(s->intake.head, s->record_out);
}
