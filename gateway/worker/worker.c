/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/worker/worker.h"

#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/tls/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What new connections get of a turn, with a step of a handshake more: what a request waits for them on its
 * way to the container, and once more on the way of its answer. */
#define NEWCOMERS_US 100
/* While so many handshakes have something to do, none is added: new connections wait in the kernel's queue,
 * where they cost nothing. */
#define HANDSHAKES_READY_MAX 16
/* When accept() says that descriptors or memory are at their end, it is tried again after this long. */
#define ACCEPT_PAUSE_US 100000
/* And said again after this long. */
#define COMPLAINT_US 10000000

/* Clients are asked for certificates in the handshake, so what differs there has a TLS context of its own. */
#define N_MODES (PST_CERTIFICATE_REQUIRED + 1)

struct listener {
    struct pst_worker *worker;
    struct pst_watch watch;
    int fd;
    struct pst_tls_context *tls;
    bool ready; /* connections may be waiting */
};

struct pst_worker {
    pthread_t thread;
    unsigned index;
    struct pst_loop *loop;
    struct pst_tls_context *tls[N_MODES]; /* one for each mode that a listener has, close together */
    enum pst_certificate_mode modes[N_MODES];
    size_t n_tls;
    struct pst_pool *pool;
    struct pst_exchanges *exchanges;
    struct pst_front *front;
    struct pst_keyring *keyring;
    struct listener *listeners;
    size_t n_listeners;
    struct pst_timer accept_timer;
    bool accept_paused;
    uint64_t complain_us; /* monotonic: not before */
    bool stopping;
    atomic_bool ended;
    struct pst_front_stats stats;
};

/* Accepting */

static void on_listener(struct pst_watch *watch, uint32_t events, void *arg)
{
    (void)watch, (void)events;
    struct listener *listener = arg;
    listener->ready = true;
}

static void on_accept_timer(struct pst_timer *timer, void *arg)
{
    (void)timer;
    struct pst_worker *worker = arg;
    worker->accept_paused = false;
}

static void pause_accepting(struct pst_worker *worker, int errno_value)
{
    uint64_t now_us = pst_clock_mono_us();
    if (now_us >= worker->complain_us) {
        worker->complain_us = now_us + COMPLAINT_US;
        pst_warn("worker", "cannot accept connections: %s; the limit of open files is the usual cause",
                 strerror(errno_value));
    }
    worker->accept_paused = true;
    pst_timer_set(worker->loop, &worker->accept_timer, ACCEPT_PAUSE_US);
}

static size_t handshakes_ready(const struct pst_worker *worker)
{
    size_t n = 0;
    for (size_t i = 0; i < worker->n_tls; i++)
        n += pst_tls_handshakes_ready(worker->tls[i]);
    return n;
}

static bool may_accept(const struct pst_worker *worker)
{
    return handshakes_ready(worker) < HANDSHAKES_READY_MAX && !worker->accept_paused &&
           pst_front_may_accept(worker->front);
}

static void accept_one(struct listener *listener)
{
    struct pst_worker *worker = listener->worker;
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        int one = 1; /* a turn's output goes out in one send(): nothing is gained by waiting for more */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        pst_front_accept(worker->front, listener->tls, fd, (const struct sockaddr *)&peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause_accepting(worker, errno);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        listener->ready = false;
    }
}

static bool connections_wait(const struct pst_worker *worker)
{
    bool wait = false;
    for (size_t i = 0; i < worker->n_listeners; i++)
        wait |= worker->listeners[i].ready && worker->listeners[i].fd >= 0;
    return wait;
}

/* The listeners take turns: a busy one does not keep the others waiting. */
static void accept_some(struct pst_worker *worker, uint64_t until_us)
{
    while (connections_wait(worker) && may_accept(worker)) {
        for (size_t i = 0; i < worker->n_listeners; i++) {
            struct listener *listener = &worker->listeners[i];
            if (listener->ready && listener->fd >= 0 && may_accept(worker))
                accept_one(listener);
        }
        if (pst_clock_mono_us() >= until_us)
            return;
    }
}

/* Handshakes and new connections, as far as the time goes. True when some are left that can go on at once. */
static bool take_newcomers(struct pst_worker *worker)
{
    if (handshakes_ready(worker) == 0 && !connections_wait(worker))
        return false;
    uint64_t until_us = pst_clock_mono_us() + NEWCOMERS_US;
    for (size_t i = 0; i < worker->n_tls; i++)
        pst_tls_handshakes_run(worker->tls[i], until_us);
    accept_some(worker, until_us);
    return handshakes_ready(worker) > 0 || (connections_wait(worker) && may_accept(worker));
}

static void close_listeners(struct pst_worker *worker)
{
    for (size_t i = 0; i < worker->n_listeners; i++) {
        struct listener *listener = &worker->listeners[i];
        if (worker->loop != NULL)
            pst_loop_remove(worker->loop, &listener->watch);
        listener->fd = pst_fd_close(listener->fd);
        listener->ready = false;
    }
}

/* The thread */

static void before_sleep(void *arg)
{
    struct pst_worker *worker = arg;
    pst_keyring_reader_idle(worker->keyring, worker->index);
}

static void after_sleep(void *arg)
{
    struct pst_worker *worker = arg;
    pst_keyring_reader_enter(worker->keyring, worker->index);
}

static void *run(void *arg)
{
    struct pst_worker *worker = arg;
    char name[16];
    snprintf(name, sizeof(name), "worker-%u", worker->index);
    (void)pthread_setname_np(pthread_self(), name);
    pst_loop_on_sleep(worker->loop, before_sleep, after_sleep, worker);
    bool more = false;
    while (!worker->stopping || pst_front_n_clients(worker->front) > 0) {
        pst_keyring_reader_enter(worker->keyring, worker->index);
        if (pst_loop_turn(worker->loop, !more) < 0) {
            pst_error("worker", "epoll_wait failed: %s", strerror(errno));
            break;
        }
        more = pst_front_run(worker->front);
        more |= take_newcomers(worker);
        more |= pst_front_has_work(worker->front);
    }
    pst_keyring_reader_idle(worker->keyring, worker->index);
    atomic_store(&worker->ended, true);
    return NULL;
}

/* Messages */

struct origin_message {
    struct pst_worker *worker;
    struct pst_origin *origin;
};

static void take_origin(void *arg)
{
    struct origin_message *message = arg;
    pst_pool_set_origin(message->worker->pool, message->origin);
    pst_origin_unref(message->origin);
    free(message);
}

void pst_worker_set_origin(struct pst_worker *worker, struct pst_origin *origin)
{
    struct origin_message *message = malloc(sizeof(*message));
    if (message == NULL)
        return;
    *message = (struct origin_message){worker, pst_origin_ref(origin)};
    if (pst_loop_post(worker->loop, take_origin, message) == 0)
        return;
    pst_origin_unref(message->origin);
    free(message);
}

struct trust_message {
    struct pst_worker *worker;
    struct pst_client_trust *trust;
};

/* In every context that asks for certificates. */
static int set_trust(struct pst_worker *worker, struct pst_client_trust *trust)
{
    int err = 0;
    for (size_t i = 0; i < worker->n_tls; i++) {
        bool required = worker->modes[i] == PST_CERTIFICATE_REQUIRED;
        if (worker->modes[i] == PST_CERTIFICATE_OFF)
            continue;
        int failed = pst_tls_context_trust(worker->tls[i], trust, required);
        err = failed < 0 ? failed : err;
    }
    return err;
}

static void take_trust(void *arg)
{
    struct trust_message *message = arg;
    if (set_trust(message->worker, message->trust) < 0)
        pst_warn("tls", "the CAs for client certificates could not be changed; the old ones stay in effect");
    pst_client_trust_unref(message->trust);
    free(message);
}

int pst_worker_set_trust(struct pst_worker *worker, struct pst_client_trust *trust)
{
    struct trust_message *message = malloc(sizeof(*message));
    if (message == NULL)
        return -PST_ENOMEM;
    *message = (struct trust_message){worker, pst_client_trust_ref(trust)};
    int err = pst_loop_post(worker->loop, take_trust, message);
    if (err == 0)
        return 0;
    pst_client_trust_unref(message->trust);
    free(message);
    return err;
}

struct key_message {
    struct pst_worker *worker;
    struct pst_ticket_key key;
};

static int rotate(struct pst_worker *worker, const struct pst_ticket_key *key)
{
    int err = 0;
    for (size_t i = 0; i < worker->n_tls; i++) {
        int failed = pst_tls_context_rotate(worker->tls[i], key);
        err = failed < 0 ? failed : err;
    }
    return err;
}

static void take_key(void *arg)
{
    struct key_message *message = arg;
    if (rotate(message->worker, &message->key) < 0)
        pst_warn("tls", "the session ticket key could not be changed; the old one stays in use");
    explicit_bzero(message, sizeof(*message));
    free(message);
}

void pst_worker_rotate(struct pst_worker *worker, const struct pst_ticket_key *key)
{
    struct key_message *message = malloc(sizeof(*message));
    if (message == NULL)
        return;
    *message = (struct key_message){worker, *key};
    if (pst_loop_post(worker->loop, take_key, message) < 0) {
        explicit_bzero(message, sizeof(*message));
        free(message);
    }
}

static void take_stop(void *arg)
{
    struct pst_worker *worker = arg;
    worker->stopping = true;
    close_listeners(worker);
    pst_front_stop(worker->front);
    pst_exchanges_stop(worker->exchanges);
}

void pst_worker_stop(struct pst_worker *worker)
{
    if (pst_loop_post(worker->loop, take_stop, worker) < 0)
        pst_warn("worker", "worker %u accepts no messages", worker->index);
}

static void take_abort(void *arg)
{
    struct pst_worker *worker = arg;
    pst_front_abort(worker->front);
}

void pst_worker_abort(struct pst_worker *worker)
{
    if (pst_loop_post(worker->loop, take_abort, worker) < 0)
        pst_warn("worker", "worker %u accepts no messages", worker->index);
}

bool pst_worker_ended(const struct pst_worker *worker)
{
    return atomic_load(&worker->ended);
}

const struct pst_front_stats *pst_worker_stats(const struct pst_worker *worker)
{
    return &worker->stats;
}

struct pst_reach *pst_worker_reach(struct pst_worker *worker)
{
    return &worker->stats.reach;
}

/* Life */

static int add_listeners(struct pst_worker *worker, const struct pst_worker_parts *parts)
{
    worker->listeners = calloc(parts->n_listeners, sizeof(*worker->listeners));
    if (worker->listeners == NULL) {
        for (size_t i = 0; i < parts->n_listeners; i++)
            pst_fd_close(parts->listeners[i].fd);
        return -PST_ENOMEM;
    }
    worker->n_listeners = parts->n_listeners;
    for (size_t i = 0; i < parts->n_listeners; i++) {
        struct listener *listener = &worker->listeners[i];
        listener->worker = worker;
        listener->fd = parts->listeners[i].fd;
        pst_watch_init(&listener->watch, on_listener, listener);
    }
    return 0;
}

static int watch_listeners(struct pst_worker *worker)
{
    for (size_t i = 0; i < worker->n_listeners; i++) {
        struct listener *listener = &worker->listeners[i];
        int err = pst_loop_add(worker->loop, &listener->watch, listener->fd, EPOLLIN);
        if (err < 0)
            return err;
    }
    return 0;
}

static int make_exchanges(struct pst_worker *worker, const struct pst_worker_parts *parts)
{
    const struct pst_exchange_parts exchanges = {
        .settings = parts->front,
        .loop = worker->loop,
        .pool = worker->pool,
        .keyring = parts->keyring,
        .reader = parts->index,
        .sts = parts->sts,
        .oidc = parts->oidc,
        .certificates = parts->certificates,
        .jobs = parts->jobs,
        .journal = parts->journal,
        .stats = &worker->stats,
    };
    return pst_exchanges_new(&exchanges, &worker->exchanges);
}

static int make_front(struct pst_worker *worker, const struct pst_worker_parts *parts)
{
    const struct pst_front_parts front = {
        .settings = parts->front,
        .loop = worker->loop,
        .tls = worker->tls,
        .n_tls = worker->n_tls,
        .certificates = parts->certificates,
        .events = &pst_exchange_events,
        .exchanges = worker->exchanges,
        .stats = &worker->stats,
    };
    return pst_front_new(&front, &worker->front);
}

/* The context of listeners of this mode, made for the first of them. */
static int context_for(struct pst_worker *worker, const struct pst_worker_parts *parts,
                       enum pst_certificate_mode mode, struct pst_tls_context **ret)
{
    size_t i = 0;
    while (i < worker->n_tls && worker->modes[i] != mode)
        i++;
    if (i == worker->n_tls) {
        int err = pst_tls_context_new(parts->tls_profile, parts->material, &worker->tls[i]);
        if (err < 0)
            return err;
        worker->modes[i] = mode;
        worker->n_tls++;
    }
    *ret = worker->tls[i];
    return 0;
}

static int make_contexts(struct pst_worker *worker, const struct pst_worker_parts *parts)
{
    int err = 0;
    for (size_t i = 0; err == 0 && i < worker->n_listeners; i++)
        err = context_for(worker, parts, parts->listeners[i].certificate, &worker->listeners[i].tls);
    return err;
}

static int make_parts(struct pst_worker *worker, const struct pst_worker_parts *parts)
{
    int err = add_listeners(worker, parts);
    if (err == 0)
        err = pst_loop_new(&worker->loop);
    if (err == 0)
        err = watch_listeners(worker);
    if (err == 0)
        err = make_contexts(worker, parts);
    if (err == 0)
        err = rotate(worker, parts->ticket_key);
    if (err == 0 && parts->trust != NULL)
        err = set_trust(worker, parts->trust);
    if (err == 0)
        err = pst_pool_new(worker->loop, &parts->pool, &worker->pool);
    if (err < 0)
        return err;
    pst_pool_set_origin(worker->pool, parts->origin);
    pst_timer_init(&worker->accept_timer, on_accept_timer, worker);
    err = make_exchanges(worker, parts);
    return err < 0 ? err : make_front(worker, parts);
}

static void free_parts(struct pst_worker *worker)
{
    close_listeners(worker);
    pst_loop_drain(worker->loop); /* messages that came too late own what they carry */
    pst_front_free(worker->front);
    pst_exchanges_free(worker->exchanges);
    pst_loop_drain(worker->loop); /* sessions that ended with it */
    pst_pool_free(worker->pool);
    for (size_t i = 0; i < worker->n_tls; i++)
        pst_tls_context_free(worker->tls[i]);
    pst_loop_free(worker->loop);
    free(worker->listeners);
    free(worker);
}

int pst_worker_start(const struct pst_worker_parts *parts, struct pst_worker **ret_worker)
{
    struct pst_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return -PST_ENOMEM;
    worker->index = parts->index;
    worker->keyring = parts->keyring;
    int err = make_parts(worker, parts);
    if (err == 0 && pthread_create(&worker->thread, NULL, run, worker) != 0)
        err = -PST_EIO;
    if (err < 0) {
        free_parts(worker);
        return err;
    }
    *ret_worker = worker;
    return 0;
}

void pst_worker_free(struct pst_worker *worker)
{
    if (worker == NULL)
        return;
    pthread_join(worker->thread, NULL);
    free_parts(worker);
}
