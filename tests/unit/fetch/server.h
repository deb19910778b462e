/* SPDX-License-Identifier: Apache-2.0 */
/* A server for one connection on loopback, on a thread of its own, that does what its script says. */
#ifndef POSTERN_TESTS_FETCH_SERVER_H
#define POSTERN_TESTS_FETCH_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script {
    const char
        *proxy_answer; /* first a request is read and answered with this, before any TLS; NULL: no proxy */
    const char *certificate; /* PEM chain; NULL: no TLS */
    const char *key;
    const char *answer;    /* written after a request was read; NULL: nothing at all */
    size_t repeat;         /* the answer is followed by this many 'x' */
    unsigned piece_ms;     /* the answer goes byte by byte with this pause; 0: at once */
    bool cuts;             /* closes TCP without close_notify */
    bool hangs_before_tls; /* accepts and says nothing */
};

struct server {
    struct script script;
    pthread_t thread;
    int listener;
    uint16_t port;
    int stop[2]; /* a pipe: closed to let a hanging server go */
    char proxy_request[1024];
    char request[4096];
    bool handshake_done;
};

void server_start(struct server *server, const struct script *script);
/* Waits for its end; what it read can be looked at then. */
void server_end(struct server *server);

#endif
