/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes, a slice of them in each turn of the loop. Events only note that a handshake has something to
 * do; the work, some 150 us of arithmetic for a new client, is done between turns and step by step, so that
 * requests under way wait for a step of it and not for a storm of them. */
#include "postern/base/clock.h"
#include "session_private.h"

#include <mbedtls/error.h>

void handshake_ready(struct pst_session *s)
{
    if (!pst_list_empty(&s->queued))
        return;
    /* What was begun is finished first: it has cost most of its work already, and holds memory. */
    if (s->begun)
        pst_list_push_front(&s->context->shaking, &s->queued);
    else
        pst_list_push_back(&s->context->shaking, &s->queued);
    s->context->n_shaking++;
}

void handshake_leave(struct pst_session *s)
{
    if (s->phase == HANDSHAKE && !pst_list_empty(&s->queued))
        s->context->n_shaking--;
    pst_list_remove(&s->queued);
}

static void established(struct pst_session *s)
{
    pst_timer_clear(s->loop, &s->timer);
    tls_forget_handshake(&s->ssl);
    tls_intake_open(&s->intake);
    s->phase = OPEN;
    s->events->established(s->arg, s);
}

/* Nothing that mbedTLS may have said about it goes out. */
static void respond_plainly(struct pst_session *s)
{
    pst_str_clip(PST_STR("the client speaks plain HTTP"), s->error_text, sizeof(s->error_text));
    pst_buf_reset(&s->output);
    if (pst_buf_add_str(&s->output, tls_plain_http_response(&s->intake)) < 0)
        s->broken = true;
    s->goodbye = true;
}

static void failed(struct pst_session *s, int ret)
{
    if (tls_plain_http(&s->intake)) {
        respond_plainly(s);
        session_drain_output(s);
        s->outcome = PST_SESSION_HANDSHAKE_FAILED;
        pst_session_close(s);
        return;
    }
    if (ret == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || ret == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE)
        tls_identity_problem(ret == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE
                                 ? MBEDTLS_X509_BADCERT_MISSING
                                 : mbedtls_ssl_get_verify_result(&s->ssl),
                             s->error_text, sizeof(s->error_text));
    else
        mbedtls_strerror(ret, s->error_text, sizeof(s->error_text));
    /* A client that is still sending must not lose the alert to a reset. */
    session_alert(s, ret);
    session_drain_output(s);
    s->outcome = PST_SESSION_HANDSHAKE_FAILED;
    pst_session_close(s);
}

/* True when the time is up before the handshake waits for the client, is over or has failed (*ret). */
static bool advance(struct pst_session *s, uint64_t until_us, int *ret)
{
    s->begun = true;
    while (!mbedtls_ssl_is_handshake_over(&s->ssl)) {
        tls_intake_begin(&s->intake);
        tls_choose_keys(&s->ssl);
        *ret = mbedtls_ssl_handshake_step(&s->ssl);
        if (*ret != 0)
            return false;
        if (pst_clock_mono_us() >= until_us)
            return true;
    }
    *ret = mbedtls_ssl_handshake(&s->ssl); /* the tickets, which are written when it is over */
    return false;
}

static void slice(struct pst_session *s, uint64_t until_us)
{
    int ret = 0;
    bool paused = advance(s, until_us, &ret);
    session_keep_input(s);
    bool more = ret == MBEDTLS_ERR_SSL_WANT_READ && (s->in_len > 0 || s->readable); /* for another step */
    if (paused || more) {
        handshake_ready(s);
        return;
    }
    session_drain_output(s);
    if (ret == 0)
        established(s);
    else if (ret != MBEDTLS_ERR_SSL_WANT_READ && ret != MBEDTLS_ERR_SSL_WANT_WRITE)
        failed(s, ret);
}

size_t pst_tls_handshakes_ready(const struct pst_tls_context *context)
{
    return context->n_shaking;
}

void pst_tls_handshakes_run(struct pst_tls_context *context, uint64_t until_us)
{
    do {
        struct pst_list *node = pst_list_pop_front(&context->shaking);
        if (node == NULL)
            return;
        context->n_shaking--;
        slice(PST_CONTAINER(node, struct pst_session, queued), until_us);
    } while (pst_clock_mono_us() < until_us);
}
