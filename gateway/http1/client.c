/* SPDX-License-Identifier: Apache-2.0 */
/* The session's events become wake-ups of the virtual socket; the limits on idle connections, slow heads and
 * slow bodies are watched here, because a suspended connection of libmicrohttpd's has none. */
#include "client.h"

#include "certificate.h"
#include "front_private.h"
#include "link.h"
#include "mhd_error.h"
#include "mhd_memory.h"
#include "places.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/tls/seam.h"
#include "stream.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

/* What is read and dropped at a time of a body nobody wants any more. */
#define DISCARD_BYTES 16384
/* Of the time for a handshake, when many are in progress: 1.25 s of the default, which is three round trips
 * of a slow line. */
#define CROWDED_SHARE 8
/* What is kept for a client that takes nothing: one piece of body with its head, and more than once. */
#define WAITING_MAX_BYTES ((size_t)256 * 1024)
/* The rate of a body is looked at this often, once its grace is over. */
#define RATE_CHECK_US 2000000

static void free_when_gone(struct client *client)
{
    if (client->session != NULL || client->mhd != NULL)
        return;
    struct pst_front *front = client->front;
    pst_timer_clear(front->parts.loop, &client->timer);
    pst_list_remove(&client->node);
    pst_list_remove(&client->fresh);
    place_leave(client);
    virtual_socket_close(&front->sockets, client->socket);
    certificate_drop(client);
    pst_buf_done(&client->waiting);
    if (front->reading == client)
        front->reading = NULL;
    front->n_clients--;
    atomic_fetch_sub_explicit(&front->parts.stats->connections_open, 1, memory_order_relaxed);
    free(client);
}

/* What libmicrohttpd does on its virtual socket */

static ssize_t on_mhd_read(void *arg, void *data, size_t len)
{
    struct client *client = arg;
    client->front->reading = client;
    if (client->detached)
        return client->end_of_mhd ? 0 : -PST_EAGAIN;
    if (client->session == NULL)
        return -PST_ERESET;
    return pst_session_read(client->session, data, len);
}

/* It has three things to say: 100 (Continue), which goes out; the response that stands for ours; and an error
 * page of its own. */
static ssize_t on_mhd_write(void *arg, const void *data, size_t len)
{
    struct client *client = arg;
    if (client->hush)
        return (ssize_t)len;
    if (client->session == NULL)
        return -PST_ERESET;
    bool is_continue = mhd_error_is_continue(data, len);
    if (client->response != RESPONSE_NONE) {
        if (is_continue)
            return (ssize_t)len;           /* never behind a final head */
        client->hush = client->cut = true; /* the upload is malformed, and a response is half out */
        return (ssize_t)len;
    }
    if (client->detached)
        return -PST_ERESET;
    if (is_continue)
        return pst_session_write(client->session, data, len);
    stream_complain(client, data, len);
    return (ssize_t)len;
}

/* libmicrohttpd has let go; it has closed the virtual socket itself. */
static void on_mhd_closed(void *arg, bool orderly)
{
    (void)orderly; /* it says goodbye in every case; we know better */
    struct client *client = arg;
    /* Out of memory for a response it gives up without a word to us either. */
    if (client->stream.exchange != NULL)
        stream_on_closed(client);
    /* What is no HTTP at all it drops without a response. */
    bool unanswered = client->state != CLIENT_ENDING && !client->hush && !client->left &&
                      client->session != NULL && pst_session_bytes_read(client->session) > client->idle_mark;
    if (unanswered)
        stream_complain(client, NULL, 0);
    client->mhd = NULL;
    client->socket = -1;
    client->state = CLIENT_ENDING;
    if (client->session == NULL)
        free_when_gone(client);
    else if (client->cut)
        pst_session_abort(client->session);
    else
        pst_session_close(client->session);
}

static const struct pst_seam_events seam_events = {
    .read = on_mhd_read,
    .write = on_mhd_write,
    .closed = on_mhd_closed,
};

/* The session's events */

static void on_established(void *arg, struct pst_session *session)
{
    (void)session;
    struct client *client = arg;
    struct pst_front *front = client->front;
    bool taken = certificate_take(client);
    client->peer.tls_1_3 = strcmp(pst_session_version(client->session), "TLSv1.3") == 0;
    front->n_handshakes--;
    atomic_fetch_sub_explicit(&front->parts.stats->handshakes_open, 1, memory_order_relaxed);
    client_idle(client);
    place_take(client);
    client->socket = virtual_socket_open(&front->sockets);
    if (front->stopping || client->socket < 0 || !taken) {
        pst_session_close(client->session);
        return;
    }
    pst_seam_adopt(&seam_events, client);
    int err = front_add_to_mhd(client);
    (void)pst_seam_disown();
    if (err < 0) {
        client->mhd = NULL;
        client->socket = -1; /* closed by libmicrohttpd */
        if (client->session != NULL)
            pst_session_close(client->session);
        return;
    }
    /* The client's first request may have come with its last handshake message. */
    client_wake(client);
    if (pst_list_empty(&client->fresh))
        pst_list_push_back(&front->fresh, &client->fresh);
}

/* Reads and drops: the response is decided, the rest of the body is not wanted. */
static void discard_input(struct client *client)
{
    char piece[DISCARD_BYTES];
    ssize_t n;
    do {
        n = pst_session_read(client->session, piece, sizeof(piece));
    } while (n > 0);
}

static void on_readable(void *arg, struct pst_session *session)
{
    (void)session;
    struct client *client = arg;
    if (client->response == RESPONSE_UPGRADED) {
        client->front->parts.events->bytes(&client->stream);
        return;
    }
    if (client->detached) {
        discard_input(client);
        return;
    }
    if ((client->state == CLIENT_IDLE || client->state == CLIENT_HEAD) && pst_list_empty(&client->fresh))
        pst_list_push_back(&client->front->fresh, &client->fresh);
    if (!client->suspended)
        client_wake(client);
}

static void on_writable(void *arg, struct pst_session *session)
{
    (void)session;
    struct client *client = arg;
    client->send_waits = false;
    if (pst_buf_len(&client->waiting) > 0)
        stream_on_writable(client);
    else if (client->response == RESPONSE_UPGRADED)
        client->front->parts.events->bytes(&client->stream);
    else if (client->mhd != NULL && !client->suspended)
        client_wake(client);
}

static void on_peer_gone(void *arg, struct pst_session *session)
{
    (void)session;
    struct client *client = arg;
    client->left = true;
    if (client->stream.exchange != NULL && client->began && client->state == CLIENT_BUSY)
        stream_on_left(client);
    else
        client_wake(client); /* libmicrohttpd reads what came before, then the end */
}

static void on_closed(void *arg, struct pst_session *session, enum pst_session_end end)
{
    struct client *client = arg;
    struct pst_front *front = client->front;
    if (client->state == CLIENT_HANDSHAKE) {
        front->n_handshakes--;
        atomic_fetch_sub_explicit(&front->parts.stats->handshakes_open, 1, memory_order_relaxed);
        if (end == PST_SESSION_HANDSHAKE_TIMEOUT)
            count(&front->parts.stats->handshakes_timed_out);
        else
            count(&front->parts.stats->handshakes_failed);
        pst_debug("tls", "handshake with %s failed: %s", client->peer.address_text,
                  end == PST_SESSION_HANDSHAKE_TIMEOUT ? "took too long" : pst_session_error_text(session));
    }
    client->session = NULL;
    client->stream.over = true;
    if (client->mhd != NULL)
        client_end(client);
    free_when_gone(client);
}

static const struct pst_session_events session_events = {
    .established = on_established,
    .readable = on_readable,
    .writable = on_writable,
    .peer_gone = on_peer_gone,
    .closed = on_closed,
};

/* Limits */

/* Half of a request may have come since the loop looked: then there is something to do, and no time for it.
 */
static void give_memory_back(struct client *client)
{
    struct pst_front *front = client->front;
    client->idle_memory_given_back = true;
    pst_timer_set(front->parts.loop, &client->timer,
                  front->parts.settings->idle_timeout_us - GIVE_MEMORY_BACK_AFTER_US);
    if (client->stream.exchange != NULL || !pst_list_empty(&client->fresh) ||
        pst_session_bytes_read(client->session) != client->idle_mark)
        return;
    pst_session_rest(client->session);
    mhd_memory_rest(client->mhd_memory);
}

void client_check_fresh(struct pst_front *front)
{
    for (struct pst_list *node; (node = pst_list_pop_front(&front->fresh)) != NULL;) {
        struct client *client = PST_CONTAINER(node, struct client, fresh);
        if (client->state != CLIENT_IDLE || client->session == NULL)
            continue;
        if (client->stream.exchange == NULL && pst_session_bytes_read(client->session) == client->idle_mark)
            continue;
        client->state = CLIENT_HEAD;
        pst_timer_set(front->parts.loop, &client->timer, front->parts.settings->head_timeout_us);
    }
}

static void check_rate(struct client *client)
{
    struct pst_front *front = client->front;
    const struct pst_front_settings *settings = front->parts.settings;
    if (client->stream.exchange == NULL || !client->request.has_body || client->where == AT_END ||
        settings->min_rate_bytes == 0 || client->response != RESPONSE_NONE)
        return;
    uint64_t bytes = pst_session_bytes_read(client->session) - client->rate_mark;
    uint64_t elapsed_us = now_us(front) - client->rate_mark_us;
    /* While the container takes nothing the client is not to blame. */
    if (!client->suspended && bytes * 1000000 < settings->min_rate_bytes * elapsed_us) {
        stream_error(client, PST_ERROR_BODY_TOO_SLOW, (struct pst_str){NULL, 0});
        return;
    }
    client->rate_mark += bytes;
    client->rate_mark_us = now_us(front);
    pst_timer_set(front->parts.loop, &client->timer, RATE_CHECK_US);
}

static void on_timer(struct pst_timer *timer, void *arg)
{
    (void)timer;
    struct client *client = arg;
    if (client->session == NULL)
        return;
    if (client->send_waits) {
        if (client->stream.exchange != NULL)
            client->front->parts.events->gone(&client->stream, PST_GONE_STALLED);
        client_cut(client);
        return;
    }
    switch (client->state) {
    case CLIENT_IDLE:
        if (client->idle_memory_given_back)
            client_end(client);
        else
            give_memory_back(client);
        break;
    case CLIENT_HEAD:
        stream_error(client, PST_ERROR_REQUEST_TIMEOUT, (struct pst_str){NULL, 0});
        client_end(client);
        break;
    case CLIENT_BUSY:
        check_rate(client);
        break;
    case CLIENT_HANDSHAKE: /* the session watches over it */
    case CLIENT_ENDING:
        break;
    }
}

static void set_address(struct client *client, const struct sockaddr *peer)
{
    const struct pst_front_settings *settings = client->front->parts.settings;
    pst_addr_to_v6(peer, client->peer.address, &client->peer.port);
    pst_addr_format_host(peer, client->peer.address_text, sizeof(client->peer.address_text));
    for (size_t i = 0; i < settings->n_trusted_proxies; i++) {
        if (pst_cidr_contains(&settings->trusted_proxies[i], client->peer.address))
            client->peer.trusted = true;
    }
}

/* Clients that say nothing hold their places among the handshakes for as long as they may, and whoever comes
 * waits. When half of the places are taken the rest is for those who hurry: to hold all of them takes many
 * more connections then. */
static uint64_t handshake_timeout_us(const struct pst_front *front)
{
    const struct pst_front_settings *settings = front->parts.settings;
    bool crowded = front->n_handshakes > settings->max_handshakes / 2;
    return settings->handshake_timeout_us / (crowded ? CROWDED_SHARE : 1);
}

void client_new(struct pst_front *front, struct pst_tls_context *tls, int fd, const struct sockaddr *peer)
{
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        pst_fd_close(fd);
        return;
    }
    client->front = front;
    client->stream.ops = &stream_ops;
    client->stream.peer = &client->peer;
    client->socket = -1;
    client->peer.over_limit = !place_make(front);
    pst_list_init(&client->fresh);
    pst_list_init(&client->place);
    pst_timer_init(&client->timer, on_timer, client);
    pst_buf_init(&client->waiting, WAITING_MAX_BYTES);
    set_address(client, peer);
    int err = pst_session_accept(tls, front->parts.loop, fd, &session_events, client,
                                 handshake_timeout_us(front), &client->session);
    if (err < 0) {
        pst_warn("proxy", "cannot accept a connection from %s: %s", client->peer.address_text,
                 pst_strerror(err));
        free(client);
        return;
    }
    pst_list_push_back(&front->clients, &client->node);
    front->n_clients++;
    front->n_handshakes++;
    count(&front->parts.stats->connections_accepted);
    atomic_fetch_add_explicit(&front->parts.stats->connections_open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&front->parts.stats->handshakes_open, 1, memory_order_relaxed);
}
