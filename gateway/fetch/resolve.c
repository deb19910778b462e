/* SPDX-License-Identifier: Apache-2.0 */
/* Names. getaddrinfo(3) knows hosts files, search domains and whatever else the system is set up with, but
 * neither a deadline nor a way to call it off: it runs on a thread of its own, and whoever leaves last frees
 * what the two share. */
#include "postern/fetch/dial.h"

#include "postern/base/clock.h"
#include "postern/base/num.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct question {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned owners; /* under the lock, like all below */
    bool done;
    int code;
    struct addrinfo *list;
    char host[PST_URL_HOST_SIZE]; /* not changed after the start */
    char port[8];
};

static struct question *question_new(const char *host, uint16_t port)
{
    struct question *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->answered, &attr);
    pthread_condattr_destroy(&attr);
    q->owners = 2;
    pst_str_clip(pst_str_of(host), q->host, sizeof(q->host));
    snprintf(q->port, sizeof(q->port), "%u", (unsigned)port);
    return q;
}

static void question_leave(struct question *q)
{
    pthread_mutex_lock(&q->lock);
    bool last = --q->owners == 0;
    pthread_mutex_unlock(&q->lock);
    if (!last)
        return;
    if (q->list != NULL)
        freeaddrinfo(q->list);
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static void *ask(void *arg)
{
    struct question *q = arg;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    int code = getaddrinfo(q->host, q->port, &hints, &list);
    pthread_mutex_lock(&q->lock);
    q->done = true;
    q->code = code;
    q->list = code == 0 ? list : NULL;
    pthread_cond_signal(&q->answered);
    pthread_mutex_unlock(&q->lock);
    question_leave(q);
    return NULL;
}

/* Whether the answer came in time. */
static bool wait_for_answer(struct question *q, uint64_t deadline_us)
{
    const struct timespec until = {.tv_sec = (time_t)(deadline_us / 1000000),
                                   .tv_nsec = (long)(deadline_us % 1000000) * 1000};
    pthread_mutex_lock(&q->lock);
    int rc = 0;
    while (!q->done && rc == 0)
        rc = pthread_cond_timedwait(&q->answered, &q->lock, &until);
    bool done = q->done;
    pthread_mutex_unlock(&q->lock);
    return done;
}

static int from_list(const struct addrinfo *list, struct pst_dial_addresses *ret)
{
    ret->n = 0;
    for (const struct addrinfo *it = list; it != NULL && ret->n < PST_DIAL_ADDRESSES_MAX; it = it->ai_next) {
        if (it->ai_addrlen > sizeof(ret->at[0].sa))
            continue;
        memcpy(&ret->at[ret->n].sa, it->ai_addr, it->ai_addrlen);
        ret->at[ret->n++].len = it->ai_addrlen;
    }
    return ret->n > 0 ? 0 : -PST_ENOENT;
}

static int from_code(int code)
{
    switch (code) {
    case EAI_MEMORY:
        return -PST_ENOMEM;
    case EAI_AGAIN:
    case EAI_SYSTEM:
        return -PST_EAGAIN;
    default:
        return -PST_ENOENT;
    }
}

/* The answer of one that is done; nobody writes to it any more. */
static int take_answer(const struct question *q, struct pst_dial_addresses *ret, struct pst_dial_why *ret_why)
{
    int err = q->code == 0 ? from_list(q->list, ret) : from_code(q->code);
    if (err == -PST_EAGAIN)
        snprintf(ret_why->text, sizeof(ret_why->text),
                 "the name %s cannot be looked up: the name server does "
                 "not answer (%s)",
                 q->host, gai_strerror(q->code));
    else if (err < 0)
        snprintf(ret_why->text, sizeof(ret_why->text), "the name %s has no address (%s)", q->host,
                 q->code == 0 ? "none of a known kind" : gai_strerror(q->code));
    return err;
}

static int ask_system(const char *host, uint16_t port, uint64_t deadline_us, struct pst_dial_addresses *ret,
                      struct pst_dial_why *ret_why)
{
    struct question *q = question_new(host, port);
    pthread_t thread;
    if (q == NULL || pthread_create(&thread, NULL, ask, q) != 0) {
        free(q);
        snprintf(ret_why->text, sizeof(ret_why->text), "out of memory");
        return -PST_ENOMEM;
    }
    pthread_detach(thread);
    int err = -PST_ETIMEOUT;
    if (wait_for_answer(q, deadline_us))
        err = take_answer(q, ret, ret_why);
    else
        snprintf(ret_why->text, sizeof(ret_why->text), "the name server did not answer in time about %s",
                 host);
    question_leave(q);
    return err;
}

static bool literal(const char *host, uint16_t port, struct pst_addr *ret)
{
    char text[PST_URL_HOST_SIZE + 16];
    snprintf(text, sizeof(text), strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
    return pst_addr_parse(pst_str_of(text), ret) == 0;
}

int pst_dial_pin_parse(struct pst_str text, struct pst_dial_pin *ret_pin)
{
    struct pst_dial_pin pin = {.port = 0};
    struct pst_str rest, address;
    uint64_t port = 0;
    char plain[64];
    struct pst_str host = pst_str_cut(text, ':', &rest);
    struct pst_str number = pst_str_cut(rest, ':', &address);
    if (address.len > 2 && address.p[0] == '[' && pst_str_ends(address, PST_STR("]")))
        address = (struct pst_str){address.p + 1, address.len - 2};
    if (host.len == 0 || memchr(text.p, '\0', text.len) != NULL ||
        pst_str_copy(host, pin.host, sizeof(pin.host)) < 0 || pst_num_u64(number, &port) < 0 || port == 0 ||
        port > 65535 || pst_str_copy(address, plain, sizeof(plain)) <= 0 ||
        !literal(plain, (uint16_t)port, &pin.address))
        return -PST_EPARSE;
    pin.port = (uint16_t)port;
    *ret_pin = pin;
    return 0;
}

int pst_dial_resolve(const char *host, uint16_t port, const struct pst_dial_pins *pins, uint64_t deadline_us,
                     struct pst_dial_addresses *ret_addresses, struct pst_dial_why *ret_why)
{
    struct pst_dial_addresses found = {.n = 0};
    for (size_t i = 0; pins != NULL && i < pins->n; i++) {
        const struct pst_dial_pin *pin = &pins->at[i];
        if (pin->port == port && pst_str_ieq(pst_str_of(pin->host), pst_str_of(host)) &&
            found.n < PST_DIAL_ADDRESSES_MAX)
            found.at[found.n++] = pin->address;
    }
    if (found.n == 0 && literal(host, port, &found.at[0]))
        found.n = 1;
    int err = found.n > 0 ? 0 : ask_system(host, port, deadline_us, &found, ret_why);
    if (err == 0)
        *ret_addresses = found;
    return err;
}
