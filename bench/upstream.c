/* SPDX-License-Identifier: Apache-2.0 */
/* The container's part in the benchmark: an HTTP/1.1 server that costs as little as one can, so that what is
 * measured is the gateway before it. One thread, keep-alive, bodies by Content-Length.
 *
 *   upstream        listens on a free port of 127.0.0.1, prints it, serves until standard input ends
 *
 *   GET /1m         1 MiB
 *   /verify…        the small answer; also looks whether the head still has the client's key
 *   GET /_stats     what was counted since the start, as JSON
 *   anything else   a small JSON document, when the request's body is read whole
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB       ((size_t)1024 * 1024)
#define HEAD_MAX  ((size_t)16384) /* requests of the benchmark have a few hundred bytes */
#define PEERS_MAX 8192
#define BATCH     256
#define SMALL     "{\"documents\":[{\"id\":\"1\",\"score\":0.98}],\"errors\":[]}"

struct peer {
    char head[HEAD_MAX + 1];
    size_t head_len;
    size_t body_left;
    const char *due; /* what to answer when the body is read */
    size_t due_len;
    const char *out;
    size_t out_len;
    bool wants_out;
};

static struct peer *peers[PEERS_MAX];
static int epoll_fd;
static char small_answer[512], stats_answer[512], *large_answer;
static size_t small_len, large_len;
static unsigned long requests, connections, body_bytes, keys_seen, chunked;

static void die(const char *what)
{
    fprintf(stderr, "upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void make_answers(void)
{
    small_len = (size_t)snprintf(small_answer, sizeof(small_answer),
                                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %zu\r\n\r\n%s",
                                 sizeof(SMALL) - 1, SMALL);
    large_answer = malloc(MIB + 256);
    if (large_answer == NULL)
        die("malloc");
    size_t head = (size_t)snprintf(large_answer, 256,
                                   "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                                   "Content-Length: %zu\r\n\r\n",
                                   MIB);
    for (size_t i = 0; i < MIB; i++)
        large_answer[head + i] = (char)('a' + (i * 7 + i / 1021) % 26);
    large_len = head + MIB;
}

static size_t make_stats(void)
{
    char body[256];
    int n = snprintf(
        body, sizeof(body),
        "{\"requests\":%lu,\"connections\":%lu,\"body_bytes\":%lu,\"keys_seen\":%lu,\"chunked\":%lu}",
        requests, connections, body_bytes, keys_seen, chunked);
    return (size_t)snprintf(stats_answer, sizeof(stats_answer),
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: %d\r\n\r\n%s",
                            n, body);
}

static void drop(int fd)
{
    free(peers[fd]);
    peers[fd] = NULL;
    close(fd);
}

static void watch(int fd, bool out)
{
    if (peers[fd]->wants_out == out)
        return;
    peers[fd]->wants_out = out;
    struct epoll_event event = {.events = out ? EPOLLOUT : EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

/* Sends what is left of the answer. Nothing is read from a peer that does not take its answer. */
static bool push(int fd)
{
    struct peer *peer = peers[fd];
    while (peer->out_len > 0) {
        ssize_t n = send(fd, peer->out, peer->out_len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(fd, true);
            return true;
        }
        if (n < 0)
            return false;
        peer->out += n;
        peer->out_len -= (size_t)n;
    }
    watch(fd, false);
    return true;
}

/* A head is whole: chooses the answer and notes how much body comes before it. */
static void read_head(struct peer *peer)
{
    const char *target = strchr(peer->head, ' ');
    target = target == NULL ? "" : target + 1;
    peer->due = small_answer;
    peer->due_len = small_len;
    peer->body_left = 0;
    if (strncmp(target, "/_stats", 7) == 0) {
        peer->due_len = make_stats();
        peer->due = stats_answer;
        return;
    }
    requests++;
    if (strncmp(target, "/verify", 7) == 0)
        keys_seen += strcasestr(target, "\r\nocp-apim-subscription-key:") != NULL;
    if (strncmp(peer->head, "GET ", 4) != 0) {
        const char *length = strcasestr(target, "\r\ncontent-length:");
        peer->body_left = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        chunked += strcasestr(target, "\r\ntransfer-encoding:") != NULL;
    } else if (strncmp(target, "/1m ", 4) == 0) {
        peer->due = large_answer;
        peer->due_len = large_len;
    }
}

/* Takes what was read behind the head so far. Returns false when the peer is to be dropped: it sent a head
 * that is too long, or something behind a whole request (gateways do not pipeline). */
static bool take(struct peer *peer, size_t fresh)
{
    size_t from = peer->head_len > 3 ? peer->head_len - 3 : 0;
    peer->head_len += fresh;
    peer->head[peer->head_len] = '\0';
    char *end = strstr(peer->head + from, "\r\n\r\n");
    if (end == NULL)
        return peer->head_len < HEAD_MAX;
    size_t behind = peer->head_len - (size_t)(end + 4 - peer->head);
    read_head(peer);
    peer->head_len = 0;
    if (behind > peer->body_left)
        return false;
    peer->body_left -= behind;
    body_bytes += behind;
    return true;
}

static bool pull(int fd)
{
    static char sink[262144];
    struct peer *peer = peers[fd];
    if (peer->body_left > 0) {
        ssize_t n = recv(fd, sink, peer->body_left < sizeof(sink) ? peer->body_left : sizeof(sink), 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        peer->body_left -= (size_t)n;
        body_bytes += (size_t)n;
    } else {
        ssize_t n = recv(fd, peer->head + peer->head_len, HEAD_MAX - peer->head_len, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        if (!take(peer, (size_t)n))
            return false;
    }
    if (peer->body_left > 0 || peer->due == NULL)
        return true;
    peer->out = peer->due;
    peer->out_len = peer->due_len;
    peer->due = NULL;
    return push(fd);
}

static void welcome(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct peer *peer = fd < PEERS_MAX ? calloc(1, sizeof(*peer)) : NULL;
        if (peer == NULL) {
            close(fd);
            continue;
        }
        connections++;
        peers[fd] = peer;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int open_listener(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (void *)&sin, sizeof(sin)) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (void *)&sin, &len) < 0)
        die("cannot listen");
    printf("{\"port\":%d}\n", ntohs(sin.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    make_answers();
    struct rlimit files = {PEERS_MAX, PEERS_MAX};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = open_listener();
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[BATCH];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = STDIN_FILENO;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die("standard input is no pipe");
    for (;;) {
        int n = epoll_wait(epoll_fd, events, BATCH, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener)
                welcome(listener);
            else if (!(events[i].events & EPOLLOUT ? push(fd) : pull(fd)))
                drop(fd);
        }
    }
}
