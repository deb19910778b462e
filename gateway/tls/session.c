/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/session.h"

#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "session_private.h"

#include <stdlib.h>
#include <sys/socket.h>

/* How long a closing session may take to get its last bytes out, and then how long, and how much, it reads
 * and drops what the client still sends. */
#define DRAIN_US         30000000
#define LINGER_US        2000000
#define LINGER_MAX_BYTES (1024 * 1024)
/* Ciphertext that the socket did not take: what one call may gather and one record more, tickets, alerts. */
#define OUTPUT_MAX_BYTES (2 * OUTPUT_BYTES)

static void on_socket(struct pst_watch *watch, uint32_t events, void *arg);
static void on_timer(struct pst_timer *timer, void *arg);
static void on_end(struct pst_deferred *deferred, void *arg);

static void finish(struct pst_session *s, enum pst_session_end outcome)
{
    if (s->phase == DEAD)
        return;
    handshake_leave(s);
    s->phase = DEAD;
    s->outcome = outcome;
    pst_timer_clear(s->loop, &s->timer);
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
    session_drop_block(s);
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
    pst_list_init(&s->queued);
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
    mbedtls_ssl_set_bio(&s->ssl, s, session_bio_send, session_bio_recv, NULL);
    pst_timer_set(loop, &s->timer, handshake_timeout_us);
    *ret_session = s;
    return 0;
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
        session_drain_output(s);
}

static void on_open_event(struct pst_session *s, uint32_t events, bool was_blocked)
{
    if (s->readable)
        s->events->readable(s->arg, s);
    if (s->phase == OPEN && was_blocked && pst_buf_len(&s->output) == 0) {
        if (s->block_len > 0)
            session_touch(s);
        s->events->writable(s->arg, s);
    }
    (void)events;
    if (s->phase == OPEN && (s->peer_shut || s->broken || s->goodbye) && !s->told_gone) {
        s->told_gone = true;
        s->events->peer_gone(s->arg, s);
    }
}

/* Reads and drops what a client sends after we said goodbye. */
static void linger(struct pst_session *s)
{
    while (s->readable && s->lingered < LINGER_MAX_BYTES) {
        if (session_receive(s) == 0)
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
        session_flush(s);
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
        if (!s->eof) /* else the socket is closed at once */
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
        } else if (s->readable || s->in_len > 0) {
            handshake_ready(s);
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
        session_flush(
            s); /* what was written before goes out as far as the socket takes it: the cut is behind it */
    finish(s, PST_SESSION_BROKEN);
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
