/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/session.h"

#include "internal.h"
#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "session_private.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a closing session may take to get its last bytes out, and then how long, and how much, it reads
 * and drops what the client still sends. */
#define DRAIN_US         30000000
#define LINGER_US        2000000
#define LINGER_MAX_BYTES (1024 * 1024)
/* Ciphertext that the socket did not take: a record with its overhead, tickets and alerts. */
#define OUTPUT_MAX_BYTES (64 * 1024)

static void on_socket(struct pst_watch *watch, uint32_t events, void *arg);
static void on_timer(struct pst_timer *timer, void *arg);
static void on_end(struct pst_deferred *deferred, void *arg);

/* Input */

/* Between calls the input buffer belongs to other sessions: what is left of it is kept aside. */
static void keep_input(struct pst_session *s)
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

static int receive(struct pst_session *s)
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

/* mbedTLS asks for a record's 5-byte head, then for its body; the socket is read in large pieces. */
static int bio_recv(void *arg, unsigned char *data, size_t len)
{
    struct pst_session *s = arg;
    if (s->record_in == NULL)
        s->record_in = data;
    s->between_records = data == s->record_in && s->in_len == 0;
    if (s->in_len == 0) {
        if (!s->readable || s->broken)
            return s->broken ? MBEDTLS_ERR_SSL_INTERNAL_ERROR
                             : (s->eof ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ);
        int err = receive(s);
        if (err != 0)
            return err;
    }
    size_t n = s->in_len < len ? s->in_len : len;
    memcpy(data, s->in, n);
    s->between_records = false;
    s->in += n;
    s->in_len -= n;
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

/* Never answers WANT_WRITE: what the socket does not take is kept, and nothing more is sealed before it has
 * gone out. */
static int bio_send(void *arg, const unsigned char *data, size_t len)
{
    struct pst_session *s = arg;
    s->record_out = data;
    if (s->broken)
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    /* mbedTLS hands over a handshake's messages one by one; they go out together (step_handshake()). */
    bool waits = s->phase == HANDSHAKE || pst_buf_len(&s->output) > 0;
    size_t sent = waits ? 0 : send_some(s, data, len);
    if (s->broken || (sent < len && pst_buf_add(&s->output, data + sent, len - sent) < 0)) {
        s->broken = true;
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    return (int)len;
}

static void drain_output(struct pst_session *s)
{
    if (pst_buf_len(&s->output) == 0)
        return;
    size_t sent = send_some(s, (const unsigned char *)pst_buf_front(&s->output), pst_buf_len(&s->output));
    pst_buf_consume(&s->output, sent);
    if (pst_buf_len(&s->output) == 0)
        pst_buf_done(&s->output);
}

static int seal(struct pst_session *s, const unsigned char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        int n = mbedtls_ssl_write(&s->ssl, data + done, len - done);
        if (n <= 0) {
            s->broken = true;
            return -PST_ERESET;
        }
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

static void drop_block(struct pst_session *s)
{
    if (s->block != NULL)
        tls_block_put(s->context, s->block);
    s->block = NULL;
    s->block_len = 0;
}

static void touch(struct pst_session *s)
{
    if (pst_list_empty(&s->touched))
        pst_list_push_back(&s->context->touched, &s->touched);
}

static void flush(struct pst_session *s)
{
    if (s->broken || pst_buf_len(&s->output) > 0)
        return;
    if (seal_block(s) == 0)
        drop_block(s);
}

void pst_session_flush_all(struct pst_tls_context *context)
{
    for (struct pst_list *node; (node = pst_list_pop_front(&context->touched)) != NULL;)
        flush(PST_CONTAINER(node, struct pst_session, touched));
}

/* One block's worth at a time. The last of it always stays in the block until the flush at the end of the
 * turn, so that what is noted about an exchange (usage) is noted before its last byte can leave. */
static ssize_t add_piece(struct pst_session *s, const unsigned char *data, size_t len)
{
    if (s->block_len == 0 && len > RECORD_BYTES)
        return seal(s, data, RECORD_BYTES) == 0 ? RECORD_BYTES : -PST_ERESET;
    if (s->block_len == RECORD_BYTES && seal_block(s) < 0)
        return -PST_ERESET;
    if (s->block == NULL)
        s->block = tls_block_get(s->context);
    if (s->block == NULL)
        return -PST_ENOMEM;
    size_t room = RECORD_BYTES - s->block_len;
    size_t n = len < room ? len : room;
    memcpy(s->block->data + s->block_len, data, n);
    s->block_len += n;
    return (ssize_t)n;
}

ssize_t pst_session_write(struct pst_session *s, const void *data, size_t len)
{
    if (s->broken || s->phase != OPEN)
        return -PST_ERESET;
    size_t took = 0;
    while (took < len && pst_buf_len(&s->output) == 0) {
        ssize_t n = add_piece(s, (const unsigned char *)data + took, len - took);
        if (n < 0)
            return n;
        took += (size_t)n;
    }
    if (s->block_len > 0)
        touch(s);
    return took > 0 || len == 0 ? (ssize_t)took : -PST_EAGAIN;
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
        s->broken = true;
        mbedtls_strerror(ret, s->error_text, sizeof(s->error_text));
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
    while (got < len && !s->read_over) {
        int ret = mbedtls_ssl_read(&s->ssl, (unsigned char *)data + got, len - got);
        if (ret <= 0) {
            why = read_result(s, ret);
            break;
        }
        got += (size_t)ret;
    }
    keep_input(s);
    s->bytes_read += got;
    return got > 0 ? (ssize_t)got : why;
}

void pst_session_rest(struct pst_session *s)
{
    bool idle = s->phase == OPEN && s->between_records && s->in_len == 0 && !s->readable && !s->broken &&
                s->block == NULL && pst_buf_len(&s->output) == 0 && mbedtls_ssl_check_pending(&s->ssl) == 0;
    if (idle)
        tls_memory_rest(s->record_in, s->record_out);
}

bool pst_session_has_pending(const struct pst_session *s)
{
    return !s->read_over && (s->in_len > 0 || mbedtls_ssl_check_pending(&s->ssl) != 0 || s->readable);
}

/* Life */

static void finish(struct pst_session *s, enum pst_session_end outcome)
{
    if (s->phase == DEAD)
        return;
    s->phase = DEAD;
    s->outcome = outcome;
    pst_timer_clear(s->loop, &s->timer);
    pst_list_remove(&s->touched);
    int fd = s->watch.fd;
    pst_loop_remove(s->loop, &s->watch);
    pst_fd_close(fd);
    pst_loop_defer(s->loop, &s->end);
}

static void on_end(struct pst_deferred *deferred, void *arg)
{
    (void)deferred;
    struct pst_session *s = arg;
    s->events->closed(s->arg, s, s->outcome);
    drop_block(s);
    pst_buf_done(&s->output);
    free(s->in_own);
    mbedtls_ssl_free(&s->ssl);
    free(s);
}

int pst_session_accept(struct pst_tls_context *context, struct pst_loop *loop, int fd,
                       const struct pst_session_events *events, void *arg, uint64_t handshake_timeout_us,
                       struct pst_session **ret_session)
{
    struct pst_session *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        pst_fd_close(fd);
        return -PST_ENOMEM;
    }
    s->context = context;
    s->loop = loop;
    s->events = events;
    s->arg = arg;
    mbedtls_ssl_init(&s->ssl);
    pst_watch_init(&s->watch, on_socket, s);
    pst_timer_init(&s->timer, on_timer, s);
    pst_deferred_init(&s->end, on_end, s);
    pst_list_init(&s->touched);
    pst_buf_init(&s->output, OUTPUT_MAX_BYTES);
    int err = mbedtls_ssl_setup(&s->ssl, &context->config) != 0 ? -PST_ENOMEM : 0;
    if (err == 0)
        err = pst_loop_add(loop, &s->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    if (err < 0) {
        mbedtls_ssl_free(&s->ssl);
        free(s);
        pst_fd_close(fd);
        return err;
    }
    mbedtls_ssl_set_user_data_p(&s->ssl, context); /* for the choice of the certificate */
    mbedtls_ssl_set_bio(&s->ssl, s, bio_send, bio_recv, NULL);
    pst_timer_set(loop, &s->timer, handshake_timeout_us);
    *ret_session = s;
    return 0;
}

static void step_handshake(struct pst_session *s)
{
    int ret = mbedtls_ssl_handshake(&s->ssl);
    keep_input(s);
    drain_output(s);
    if (ret == 0) {
        pst_timer_clear(s->loop, &s->timer);
        tls_forget_handshake(&s->ssl);
        s->phase = OPEN;
        s->events->established(s->arg, s);
        return;
    }
    if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE)
        return;
    if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || ret == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        tls_identity_problem(ret == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE
                                 ? MBEDTLS_X509_BADCERT_MISSING
                                 : mbedtls_ssl_get_verify_result(&s->ssl),
                             s->error_text, sizeof(s->error_text));
    else
        mbedtls_strerror(ret, s->error_text, sizeof(s->error_text));
    /* mbedTLS has handed its alert to bio_send() already; a client that is still sending must not lose it
     * to a reset. */
    s->outcome = PST_SESSION_HANDSHAKE_FAILED;
    s->goodbye = true;
    pst_session_close(s);
}

static void note_events(struct pst_session *s, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        s->readable = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0)
        s->peer_shut = true;
    if ((events & EPOLLERR) != 0)
        s->broken = true;
    if ((events & EPOLLOUT) != 0)
        drain_output(s);
}

static void on_open_event(struct pst_session *s, uint32_t events, bool was_blocked)
{
    if (s->readable)
        s->events->readable(s->arg, s);
    if (s->phase == OPEN && was_blocked && pst_buf_len(&s->output) == 0) {
        if (s->block_len > 0)
            touch(s);
        s->events->writable(s->arg, s);
    }
    (void)events;
    if (s->phase == OPEN && (s->peer_shut || s->broken) && !s->told_gone) {
        s->told_gone = true;
        s->events->peer_gone(s->arg, s);
    }
}

/* Reads and drops what a client sends after we said goodbye. */
static void linger(struct pst_session *s)
{
    while (s->readable && s->lingered < LINGER_MAX_BYTES) {
        if (receive(s) == 0)
            s->lingered += s->in_len;
        s->in_len = 0;
    }
    if (s->eof || s->broken || s->lingered >= LINGER_MAX_BYTES)
        finish(s, s->outcome);
}

/* Flush, say goodbye, shut our side, wait for the client's: each as far as the socket allows now. */
static void step_closing(struct pst_session *s)
{
    if (pst_buf_len(&s->output) == 0 && !s->broken && s->block_len > 0)
        flush(s);
    if (pst_buf_len(&s->output) == 0 && !s->broken && !s->goodbye) {
        s->goodbye = true;
        (void)mbedtls_ssl_close_notify(&s->ssl);
    }
    if (s->broken) {
        bool in_order = s->write_shut || s->outcome != PST_SESSION_CLOSED;
        finish(s, in_order ? s->outcome : PST_SESSION_BROKEN);
        return;
    }
    if (pst_buf_len(&s->output) > 0)
        return;
    if (!s->write_shut) {
        s->write_shut = true;
        shutdown(s->watch.fd, SHUT_WR);
        pst_timer_set(s->loop, &s->timer, LINGER_US);
    }
    linger(s);
}

static void on_socket(struct pst_watch *watch, uint32_t events, void *arg)
{
    (void)watch;
    struct pst_session *s = arg;
    bool was_blocked = pst_buf_len(&s->output) > 0;
    note_events(s, events);
    switch (s->phase) {
    case HANDSHAKE:
        if (s->broken) {
            pst_str_clip(PST_STR("the client broke the connection"), s->error_text, sizeof(s->error_text));
            finish(s, PST_SESSION_HANDSHAKE_FAILED);
        } else {
            step_handshake(s);
        }
        break;
    case OPEN:
        on_open_event(s, events, was_blocked);
        break;
    case CLOSING:
        step_closing(s);
        break;
    case DEAD:
        break;
    }
}

static void on_timer(struct pst_timer *timer, void *arg)
{
    (void)timer;
    struct pst_session *s = arg;
    finish(s, s->phase == HANDSHAKE ? PST_SESSION_HANDSHAKE_TIMEOUT : s->outcome);
}

void pst_session_close(struct pst_session *s)
{
    if (s->phase == CLOSING || s->phase == DEAD)
        return;
    if (s->phase == HANDSHAKE && !s->goodbye) {
        finish(s, PST_SESSION_CLOSED);
        return;
    }
    s->phase = CLOSING;
    pst_timer_set(s->loop, &s->timer, DRAIN_US);
    step_closing(s);
}

void pst_session_abort(struct pst_session *s)
{
    if (s->phase == OPEN)
        flush(s); /* what was written before goes out as far as the socket takes it: the cut is behind it */
    finish(s, PST_SESSION_BROKEN);
}

void pst_session_set_owner(struct pst_session *s, const struct pst_session_events *events, void *arg)
{
    s->events = events;
    s->arg = arg;
}

void *pst_session_owner(const struct pst_session *s)
{
    return s->arg;
}

bool pst_session_output_waits(const struct pst_session *s)
{
    return pst_buf_len(&s->output) > 0 || s->block_len > 0;
}

uint64_t pst_session_bytes_read(const struct pst_session *s)
{
    return s->bytes_read;
}

uint64_t pst_session_bytes_sent(const struct pst_session *s)
{
    return s->bytes_sent;
}

const char *pst_session_error_text(const struct pst_session *s)
{
    return s->error_text;
}

const char *pst_session_version(const struct pst_session *s)
{
    return mbedtls_ssl_get_version(&s->ssl);
}
