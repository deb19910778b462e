/* SPDX-License-Identifier: Apache-2.0 */
/* A storm of new clients: `storm --port N --rate PER_SECOND --seconds S`. Each connects, sends a ClientHello
 * (TLS 1.3, X25519), waits for the first bytes of the server's answer, which has made and signed its keys by
 * then, and is gone with a reset. It costs this side a tenth of what it costs the server, so that one CPU can
 * ask for several times what another can do. A client whose answer has not come after a second gives up. At
 * most 24,000 are under way; attempts that find no place or no port are counted ("skipped"). Prints one line
 * of JSON at the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS       24000
#define BATCH       8
#define PATIENCE_NS 1000000000u
/* Then the CPU is offered: who measures has the same, and must not wait for a tick of the scheduler's. */
#define ATTEMPTS_PER_TURN 4
#define SLOTS_PER_TURN    64

struct attempt {
    int fd; /* -1: free */
    bool said_hello;
    uint64_t start_ns;
};

static struct attempt slots[SLOTS];
static int free_slots[SLOTS], n_free;
static unsigned char hello[2048];
static int hello_len, epoll_fd;
static struct {
    long attempts, answered, gave_up, refused, skipped;
} seen;

static void die(const char *what)
{
    fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* One ClientHello does for all: a server cannot tell, and does not care. */
static void make_hello(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
    BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new(BIO_s_mem());
    if (ssl == NULL || out == NULL || in == NULL)
        die("SSL_new");
    SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
    SSL_set1_groups_list(ssl, "X25519");
    SSL_set_tlsext_host_name(ssl, "localhost");
    SSL_set_bio(ssl, in, out);
    (void)SSL_connect(ssl);
    hello_len = BIO_read(out, hello, sizeof(hello));
    if (hello_len <= 0)
        die("no ClientHello");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void end(struct attempt *attempt)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0}; /* no TIME_WAIT: ports would run out */
    setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(attempt->fd);
    attempt->fd = -1;
    free_slots[n_free++] = (int)(attempt - slots);
}

static void begin(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    seen.attempts++;
    if (n_free == 0) {
        seen.skipped++;
        return;
    }
    struct attempt *attempt = &slots[free_slots[--n_free]];
    attempt->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0)
        die("socket");
    attempt->said_hello = false;
    attempt->start_ns = now_ns();
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = attempt};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, attempt->fd, &event);
    if (connect(attempt->fd, (void *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        seen.skipped++; /* no port is free */
        end(attempt);
    }
}

static void on_event(struct attempt *attempt, uint32_t events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        seen.refused++;
        end(attempt);
    } else if ((events & EPOLLIN) != 0) {
        seen.answered++;
        end(attempt);
    } else if (!attempt->said_hello) {
        attempt->said_hello = true;
        (void)!send(attempt->fd, hello, (size_t)hello_len, MSG_NOSIGNAL);
    }
}

/* Looks at some of them each time, so that never many go at once. */
static void give_up(uint64_t now)
{
    static int at;
    for (int i = 0; i < SLOTS_PER_TURN; i++, at = (at + 1) % SLOTS) {
        if (slots[at].fd >= 0 && now - slots[at].start_ns > PATIENCE_NS) {
            seen.gave_up++;
            end(&slots[at]);
        }
    }
}

static void run(int port, double rate, double seconds)
{
    struct epoll_event events[BATCH];
    uint64_t start = now_ns(), stop = start + (uint64_t)(seconds * 1e9), next = start;
    uint64_t step = (uint64_t)(1e9 / rate);
    for (uint64_t now = start; now < stop; now = now_ns()) {
        for (int i = 0; i < ATTEMPTS_PER_TURN && next <= now; i++, next += step)
            begin(port);
        int n = epoll_wait(epoll_fd, events, BATCH, next > now ? 1 : 0);
        (void)sched_yield();
        for (int i = 0; i < n; i++)
            if (((struct attempt *)events[i].data.ptr)->fd >= 0)
                on_event(events[i].data.ptr, events[i].events);
        give_up(now);
    }
    seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"event\":\"end\",\"seconds\":%.6f,\"wanted\":%.0f,\"attempts\":%ld,\"answered\":%ld,\"gave_"
           "up\":%ld,"
           "\"refused\":%ld,\"skipped\":%ld}\n",
           seconds, seconds * rate, seen.attempts, seen.answered, seen.gave_up, seen.refused, seen.skipped);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"port", 1, NULL, 'p'}, {"rate", 1, NULL, 'r'}, {"seconds", 1, NULL, 's'}, {NULL, 0, NULL, 0}};
    struct rlimit files = {SLOTS + 64, SLOTS + 64};
    double rate = 0, seconds = 0;
    int flag, port = 0;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        port = flag == 'p' ? (int)strtol(optarg, NULL, 10) : port;
        rate = flag == 'r' ? strtod(optarg, NULL) : rate;
        seconds = flag == 's' ? strtod(optarg, NULL) : seconds;
    }
    if (port <= 0 || rate < 1 || rate > 1000000 || seconds <= 0 || seconds > 60) {
        fprintf(stderr, "usage: storm --port N --rate PER_SECOND --seconds S\n");
        return 2;
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    make_hello();
    for (int i = 0; i < SLOTS; i++) {
        slots[i].fd = -1;
        free_slots[n_free++] = i;
    }
    run(port, rate, seconds);
    return 0;
}
