/* SPDX-License-Identifier: Apache-2.0 */
/* The server name of the TLS inside a tunnel, compared with the host that the tunnel was asked for. */
#include "client_hello.h"
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* How long a client may take to send its ClientHello, and how large one may be. */
#define HELLO_US  5000000
#define HELLO_MAX 16640

/* What was sent first. */
struct first_bytes {
    unsigned char data[REQUEST_HEAD_MAX + HELLO_MAX];
    size_t len;
    unsigned char scratch[REQUEST_HEAD_MAX + HELLO_MAX];
    enum client_hello hello;
    struct pst_str name;   /* in `scratch` */
    bool server_was_first; /* TLS begins with the client */
};

/* Looks at what the client has sent, and leaves it in the socket. False: nothing more will tell. */
static bool look(const struct tunnel *t, size_t rest_len, struct first_bytes *first)
{
    ssize_t n = recv(t->client, first->data + rest_len, HELLO_MAX, MSG_PEEK | MSG_DONTWAIT);
    size_t before = first->len;
    if (n == 0 || n == HELLO_MAX)
        return false;
    if (n < 0)
        return true;
    first->len = rest_len + (size_t)n;
    if (first->len == before)
        (void)poll(NULL, 0, 10); /* the same bytes again: the rest is on its way */
    else
        first->hello = client_hello_read(first->data, first->len, first->scratch, &first->name);
    return true;
}

/* Until the client's first message is whole, is something else, or does not come. */
static void read_first_bytes(const struct tunnel *t, const struct connect_request *request,
                             struct first_bytes *first)
{
    uint64_t until_us = pst_clock_mono_us() + HELLO_US;
    bool more = true;
    first->hello = CLIENT_HELLO_MORE;
    memcpy(first->data, request->rest, request->rest_len);
    first->len = request->rest_len;
    if (first->len > 0)
        first->hello = client_hello_read(first->data, first->len, first->scratch, &first->name);
    while (more && first->hello == CLIENT_HELLO_MORE && pst_clock_mono_us() < until_us) {
        struct pollfd at[2] = {{.fd = t->client, .events = POLLIN}, {.fd = t->server, .events = POLLIN}};
        if (poll(at, 2, 100) <= 0)
            continue;
        if (at[0].revents != 0)
            more = look(t, request->rest_len, first);
        if (first->hello == CLIENT_HELLO_MORE && at[1].revents != 0) {
            first->server_was_first = true;
            more = false;
        }
    }
}

static void describe(const struct first_bytes *first, char *text, size_t size)
{
    if (first->hello == CLIENT_HELLO_NAME)
        snprintf(text, size, "the TLS handshake names " PST_STR_FMT, PST_STR_ARG(first->name));
    else if (first->hello == CLIENT_HELLO_NO_NAME)
        snprintf(text, size, "the TLS handshake names no host (SNI)");
    else if (first->server_was_first)
        snprintf(text, size, "the server spoke first, which is not TLS");
    else
        snprintf(text, size, "no TLS handshake could be read");
}

bool server_name_fits(struct tunnel *t, const struct connect_request *request)
{
    struct first_bytes first = {.len = 0};
    char text[400];
    read_first_bytes(t, request, &first);
    if (first.hello == CLIENT_HELLO_NAME && pst_str_ieq(first.name, pst_str_of(t->host)))
        return true;
    bool refuses = t->egress->options.sni == PST_EGRESS_SNI_REFUSE && !t->egress->options.observe;
    describe(&first, text, sizeof(text));
    pst_warn("egress", "%s asked for %s, but %s%s", t->peer, t->host, text, refuses ? "; cut off" : "");
    return !refuses;
}
