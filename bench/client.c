/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark's client side: many TLS connections on one thread, OpenSSL with its defaults (TLS 1.3, X25519
 * first; one cipher suite, so that all servers use the same). `client MODE --port N …`; modes:
 *
 *   keepalive   --connections, each sends the next request as soon as its answer is there;
 *               with --rate, requests start on a schedule, and latency counts from the scheduled time;
 *               with --count, ends after so many answers
 *   handshake   a new connection for each request, full handshakes
 *   resume      the same, with the ticket of the connection before
 *   idle        opens --count connections, one request on each; then holds them; a line on standard input
 *               makes it send one more on each
 *   probe       one request; with --retry SECONDS, connects again until an answer comes
 *
 * --body BYTES sends a POST with a body. One line of JSON per event on standard output: "begin" when the
 * warm-up is over, "end" with the results. After "end" it keeps its connections until standard input has a
 * line or ends, so that whoever measures the server's CPU time is not late. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX    16384
#define BATCH       256
#define ERRORS_MAX  1000 /* then it gives up: the server does not work */
#define OPENING_MAX 16   /* handshakes in progress while idle connections are opened */

enum mode { KEEPALIVE, HANDSHAKE, RESUME, IDLE, PROBE };
enum state { CLOSED, CONNECTING, SHAKING, SENDING, WAITING, RESTING };

struct conn {
    enum state state;
    int fd;
    SSL *ssl;
    SSL_SESSION *ticket;
    uint64_t start_ns; /* when the request was sent, or was due */
    size_t out_done;
    size_t head_len;
    bool body;
    size_t body_left, body_len;
    int status;
    bool wants_out;
    char head[HEAD_MAX + 1];
};

static struct {
    enum mode mode;
    int port, n_conns;
    long count;
    double seconds, warmup, rate, retry;
    const char *key, *path, *ciphers;
    size_t body;
    bool plain;
} opt = {.n_conns = 64, .seconds = 2, .path = "/small", .key = "", .ciphers = "TLS_AES_128_GCM_SHA256"};

static SSL_CTX *ctx;
static int ticket_slot, epoll_fd;
static struct conn *conns;
static char *message; /* the request, head and body */
static size_t message_len;
static EVP_MD_CTX *body_hash; /* in probe only */

static struct {
    bool counting;
    long done, resumed, connected, errors, not_200, started;
    uint64_t body_bytes;
    uint32_t *latency_us;
    size_t n_latency, latency_max;
    char tls[32], cipher[64], group[32];
} seen;

/* Scheduled requests that found no free connection yet are owed, oldest first. */
static struct {
    uint64_t next_ns, step_ns;
    struct conn **free; /* a ring: every connection has its turn */
    int first_free, n_free;
} pace;

static void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void watch(struct conn *conn, bool out)
{
    if (conn->wants_out == out)
        return;
    conn->wants_out = out;
    struct epoll_event event = {.events = out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* --- Bytes. > 0 done, 0 later, < 0 the connection is over --- */

static int later_or_over(struct conn *conn, int result)
{
    int why = SSL_get_error(conn->ssl, result);
    if (why == SSL_ERROR_WANT_WRITE)
        watch(conn, true);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return 0;
    ERR_clear_error();
    return -1;
}

static int read_some(struct conn *conn, char *into, size_t room)
{
    if (conn->ssl != NULL) {
        int n = SSL_read(conn->ssl, into, (int)room);
        return n > 0 ? n : later_or_over(conn, n);
    }
    ssize_t n = recv(conn->fd, into, room, 0);
    return n > 0 ? (int)n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static int write_some(struct conn *conn, const char *from, size_t len)
{
    if (conn->ssl != NULL) {
        int n = SSL_write(conn->ssl, from, (int)len);
        return n > 0 ? n : later_or_over(conn, n);
    }
    ssize_t n = send(conn->fd, from, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
        watch(conn, true);
        return 0;
    }
    return n > 0 ? (int)n : -1;
}

/* --- Connections --- */

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct conn *conn = SSL_get_ex_data(ssl, ticket_slot);
    SSL_SESSION_free(conn->ticket);
    conn->ticket = session;
    return 1;
}

static void hang_up(struct conn *conn)
{
    if (conn->state == CLOSED)
        return;
    if (conn->ssl != NULL) {
        SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
        ERR_clear_error();
    }
    close(conn->fd);
    conn->ssl = NULL;
    conn->state = CLOSED;
}

static void dial(struct conn *conn)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    int one = 1;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0)
        die("socket");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    conn->state = CONNECTING;
    conn->wants_out = true;
    conn->start_ns = now_ns();
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
    (void)connect(conn->fd, (void *)&sin, sizeof(sin)); /* the outcome comes with the event */
    if (opt.plain)
        return;
    conn->ssl = SSL_new(ctx);
    if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1)
        die("SSL_new");
    SSL_set_ex_data(conn->ssl, ticket_slot, conn);
    SSL_set_tlsext_host_name(conn->ssl, "localhost");
    if (opt.mode == RESUME && conn->ticket != NULL)
        SSL_set_session(conn->ssl, conn->ticket);
}

static void note_tls(SSL *ssl)
{
    if (seen.cipher[0] != '\0')
        return;
    snprintf(seen.tls, sizeof(seen.tls), "%s", SSL_get_version(ssl));
    snprintf(seen.cipher, sizeof(seen.cipher), "%s", SSL_get_cipher_name(ssl));
    const char *group = SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl));
    snprintf(seen.group, sizeof(seen.group), "%s", group == NULL ? "?" : group);
}

/* --- Requests and answers --- */

static int on_writable(struct conn *conn)
{
    while (conn->out_done < message_len) {
        int n = write_some(conn, message + conn->out_done, message_len - conn->out_done);
        if (n <= 0)
            return n;
        conn->out_done += (size_t)n;
    }
    watch(conn, false);
    conn->state = WAITING;
    return 1;
}

static int send_request(struct conn *conn, uint64_t start_ns)
{
    conn->state = SENDING;
    conn->start_ns = start_ns;
    conn->out_done = conn->head_len = 0;
    conn->body = false;
    seen.started++;
    return on_writable(conn);
}

/* Reads the head once it is whole: status, length. -1: not an answer that the benchmark can take. */
static int read_head(struct conn *conn, const char *end)
{
    conn->head[conn->head_len] = '\0';
    if (strncmp(conn->head, "HTTP/1.1 ", 9) != 0)
        return -1;
    conn->status = (int)strtol(conn->head + 9, NULL, 10);
    const char *length = strcasestr(conn->head, "\r\ncontent-length:");
    if (length == NULL || length > end)
        return -1;
    size_t behind = conn->head_len - (size_t)(end + 4 - conn->head);
    conn->body = true;
    conn->body_len = strtoul(length + 17, NULL, 10);
    if (behind > conn->body_len)
        return -1;
    conn->body_left = conn->body_len - behind;
    if (body_hash != NULL)
        EVP_DigestUpdate(body_hash, end + 4, behind);
    return 1;
}

/* 1 when the answer is there whole, 0 when more is to come, -1 when there will be none. */
static int read_answer(struct conn *conn)
{
    static char sink[65536];
    for (;;) {
        if (conn->body && conn->body_left == 0)
            return 1;
        if (conn->body) {
            int n = read_some(conn, sink, conn->body_left < sizeof(sink) ? conn->body_left : sizeof(sink));
            if (n <= 0)
                return n;
            conn->body_left -= (size_t)n;
            if (body_hash != NULL)
                EVP_DigestUpdate(body_hash, sink, (size_t)n);
            continue;
        }
        int n = read_some(conn, conn->head + conn->head_len, HEAD_MAX - conn->head_len);
        if (n <= 0)
            return n;
        conn->head_len += (size_t)n;
        const char *end = memmem(conn->head, conn->head_len, "\r\n\r\n", 4);
        if (end == NULL ? conn->head_len == HEAD_MAX : read_head(conn, end) < 0)
            return -1;
    }
}

static void note_answer(struct conn *conn)
{
    if (!seen.counting)
        return;
    seen.done++;
    seen.not_200 += conn->status != 200;
    seen.body_bytes += conn->body_len;
    if (conn->ssl != NULL)
        seen.resumed += SSL_session_reused(conn->ssl);
    if (seen.n_latency == seen.latency_max) {
        seen.latency_max = seen.latency_max == 0 ? 65536 : 2 * seen.latency_max;
        seen.latency_us = realloc(seen.latency_us, seen.latency_max * sizeof(uint32_t));
        if (seen.latency_us == NULL)
            die("realloc");
    }
    seen.latency_us[seen.n_latency++] = (uint32_t)((now_ns() - conn->start_ns) / 1000);
}

static void rest(struct conn *conn)
{
    conn->state = RESTING;
    if (pace.step_ns != 0)
        pace.free[(pace.first_free + pace.n_free++) % opt.n_conns] = conn;
}

static struct conn *next_free(void)
{
    struct conn *conn = pace.free[pace.first_free];
    pace.first_free = (pace.first_free + 1) % opt.n_conns;
    pace.n_free--;
    return conn;
}

/* What a connection does when its answer is there. */
static int after_answer(struct conn *conn)
{
    note_answer(conn);
    if (opt.mode == HANDSHAKE || opt.mode == RESUME) {
        hang_up(conn);
        dial(conn);
        return 1;
    }
    if (opt.mode == KEEPALIVE && pace.step_ns == 0 && (opt.count == 0 || seen.started < opt.count))
        return send_request(conn, now_ns());
    rest(conn);
    return 1;
}

static int after_handshake(struct conn *conn)
{
    if (conn->ssl != NULL)
        note_tls(conn->ssl);
    seen.connected++;
    watch(conn, false);
    if (pace.step_ns == 0)
        return opt.count == 0 || seen.started < opt.count ? send_request(conn, conn->start_ns) : 1;
    rest(conn);
    return 1;
}

static int on_event(struct conn *conn, uint32_t events)
{
    int result;
    switch (conn->state) {
    case CONNECTING:
        if ((events & (EPOLLERR | EPOLLHUP)) != 0)
            return -1;
        conn->state = SHAKING;
        watch(conn, false);
        /* fall through */
    case SHAKING:
        result = conn->ssl == NULL ? 1 : SSL_connect(conn->ssl);
        if (result != 1)
            return later_or_over(conn, result);
        return after_handshake(conn);
    case SENDING:
        if ((events & EPOLLOUT) != 0)
            return on_writable(conn);
        result = read_answer(conn); /* a refusal before the body is sent */
        return result > 0 ? -1 : result;
    case WAITING:
        result = read_answer(conn);
        return result > 0 ? after_answer(conn) : result;
    case RESTING: {
        char byte;
        return read_some(conn, &byte, 1) == 0 ? 0 : -1;
    }
    case CLOSED:
        break;
    }
    return 0;
}

/* A connection broke. It is made anew, but not forever. */
static void on_broken(struct conn *conn)
{
    for (int i = 0, n = pace.n_free; i < n; i++) {
        struct conn *other = next_free();
        if (other != conn)
            rest(other);
    }
    hang_up(conn);
    if (++seen.errors > ERRORS_MAX) {
        errno = ECONNABORTED;
        die("too many broken connections");
    }
    if (opt.mode != PROBE && opt.mode != IDLE)
        dial(conn);
}

/* --- The run --- */

static void turn(int timeout_ms)
{
    struct epoll_event events[BATCH];
    struct timespec wait = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    if (pace.step_ns != 0) {
        uint64_t now = now_ns(), gap = pace.n_free > 0 && pace.next_ns > now ? pace.next_ns - now : 0;
        if (pace.n_free == 0)
            gap = 1000000;
        wait = (struct timespec){0, (long)(gap < 1000000 ? gap : 1000000)};
    }
    int n = epoll_pwait2(epoll_fd, events, BATCH, &wait, NULL);
    for (int i = 0; i < n; i++)
        if (on_event(events[i].data.ptr, events[i].events) < 0)
            on_broken(events[i].data.ptr);
    while (pace.step_ns != 0 && pace.n_free > 0 && pace.next_ns <= now_ns()) {
        struct conn *conn = next_free();
        if (send_request(conn, pace.next_ns) < 0)
            on_broken(conn);
        pace.next_ns += pace.step_ns;
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(double share)
{
    if (seen.n_latency == 0)
        return 0;
    size_t at = (size_t)(share * (double)seen.n_latency);
    return seen.latency_us[at < seen.n_latency ? at : seen.n_latency - 1];
}

static void print_end(double seconds)
{
    printf("{\"event\":\"end\",\"seconds\":%.6f,\"done\":%ld,\"not_200\":%ld,\"errors\":%ld,\"resumed\":%ld,"
           "\"connected\":%ld,\"body_bytes\":%llu,\"tls\":\"%s\",\"cipher\":\"%s\",\"group\":\"%s\"",
           seconds, seen.done, seen.not_200, seen.errors, seen.resumed, seen.connected,
           (unsigned long long)seen.body_bytes, seen.tls, seen.cipher, seen.group);
    if (seen.n_latency > 0)
        qsort(seen.latency_us, seen.n_latency, sizeof(uint32_t), by_value);
    printf(",\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u}\n", percentile(0.5),
           percentile(0.9), percentile(0.99), percentile(0.999), percentile(1.0));
    fflush(stdout);
}

/* Waits for a line or the end of standard input while the connections stay; false when it ended. */
static bool hold(int timeout_ms)
{
    struct pollfd pollfd = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    return poll(&pollfd, 1, timeout_ms) == 1 && read(STDIN_FILENO, &byte, 1) == 1;
}

static int run_load(void)
{
    uint64_t start = now_ns(), begin = start + (uint64_t)(opt.warmup * 1e9);
    uint64_t end = begin + (uint64_t)(opt.seconds * 1e9), now = start;
    if (opt.rate > 0) {
        pace.step_ns = (uint64_t)(1e9 / opt.rate);
        pace.next_ns = start + 50000000; /* the connections are up by then */
    }
    for (int i = 0; i < opt.n_conns; i++)
        dial(&conns[i]);
    while (now < end && (opt.count == 0 || seen.done < opt.count)) {
        if (!seen.counting && now >= begin) {
            begin = now;
            end = begin + (uint64_t)(opt.seconds * 1e9);
            seen.counting = true;
            seen.errors = seen.connected = 0;
            printf("{\"event\":\"begin\"}\n");
            fflush(stdout);
        }
        turn(20);
        now = now_ns();
    }
    printf("{\"event\":\"stop\"}\n"); /* before the sorting, which takes a moment */
    fflush(stdout);
    print_end((double)(now - begin) / 1e9);
    hold(5000);
    for (int i = 0; i < opt.n_conns; i++)
        hang_up(&conns[i]);
    return opt.count > 0 && seen.done < opt.count ? 1 : 0;
}

static long count_resting(void)
{
    long n = 0;
    for (int i = 0; i < opt.n_conns; i++)
        n += conns[i].state == RESTING;
    return n;
}

static int run_idle(void)
{
    uint64_t end = now_ns() + (uint64_t)(opt.seconds * 1e9);
    int opened = 0;
    seen.counting = true;
    while (count_resting() < opt.n_conns && seen.errors == 0 && now_ns() < end) {
        while (opened < opt.n_conns && opened - count_resting() < OPENING_MAX)
            dial(&conns[opened++]);
        turn(20);
    }
    printf("{\"event\":\"held\",\"open\":%ld,\"errors\":%ld}\n", count_resting(), seen.errors);
    fflush(stdout);
    if (!hold(120000))
        return 1;
    for (int i = 0; i < opened; i++)
        if (conns[i].state == RESTING && send_request(&conns[i], now_ns()) < 0)
            on_broken(&conns[i]);
    seen.done = 0;
    end = now_ns() + 5000000000u;
    while (seen.done + seen.errors < opened && now_ns() < end)
        turn(20);
    printf("{\"event\":\"end\",\"alive\":%ld,\"errors\":%ld}\n", seen.done - seen.not_200, seen.errors);
    return 0;
}

static int run_probe(void)
{
    uint64_t start = now_ns();
    uint64_t end = start + (uint64_t)((opt.retry > 0 ? opt.retry : 10) * 1e9);
    struct conn *conn = conns;
    while (conn->state != RESTING && now_ns() < end) {
        if (conn->state == CLOSED && seen.errors > 0) {
            if (opt.retry == 0)
                break;
            usleep(500);
        }
        if (conn->state == CLOSED) {
            EVP_DigestInit_ex(body_hash, EVP_sha256(), NULL);
            dial(conn);
        }
        seen.errors = seen.errors > 0; /* as many as there is time for */
        turn(20);
    }
    if (conn->state != RESTING) {
        printf("{\"event\":\"end\",\"status\":0}\n");
        return 1;
    }
    uint64_t done = now_ns();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_DigestFinal_ex(body_hash, digest, &len);
    printf("{\"event\":\"end\",\"at\":%.6f,\"took_us\":%llu,\"status\":%d,\"length\":%zu,\"tls\":\"%s\","
           "\"cipher\":\"%s\",\"group\":\"%s\",\"sha256\":\"",
           (double)done / 1e9, (unsigned long long)(done - conn->start_ns) / 1000, conn->status,
           conn->body_len, seen.tls, seen.cipher, seen.group);
    for (unsigned i = 0; i < len; i++)
        printf("%02x", digest[i]);
    printf("\"}\n");
    hang_up(conn);
    return 0;
}

static void make_message(void)
{
    char head[1024], length[128] = "";
    if (opt.body > 0)
        snprintf(length, sizeof(length), "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n",
                 opt.body);
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
                     "Ocp-Apim-Subscription-Key: %s\r\n%s\r\n",
                     opt.body > 0 ? "POST" : "GET", opt.path, opt.key, length);
    message_len = (size_t)n + opt.body;
    message = malloc(message_len);
    if (n < 0 || (size_t)n >= sizeof(head) || message == NULL)
        die("request too long");
    memcpy(message, head, (size_t)n);
    memset(message + n, 'u', opt.body);
}

static void set_up(void)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL); /* schedules in microseconds */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)opt.n_conns, sizeof(*conns));
    pace.free = calloc((size_t)opt.n_conns, sizeof(struct conn *));
    ctx = SSL_CTX_new(TLS_client_method());
    if (conns == NULL || pace.free == NULL || ctx == NULL || SSL_CTX_set_ciphersuites(ctx, opt.ciphers) != 1)
        die("set-up");
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    if (opt.mode == KEEPALIVE) /* idle mode holds a thousand of them; the others send little */
        SSL_CTX_set_default_read_buffer_len(ctx, 65536);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    ticket_slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    body_hash = opt.mode == PROBE ? EVP_MD_CTX_new() : NULL;
    make_message();
}

static bool read_mode(const char *name)
{
    static const char *const names[] = {"keepalive", "handshake", "resume", "idle", "probe"};
    for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
        opt.mode = (enum mode)i;
        if (name != NULL && strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool read_flags(int argc, char **argv)
{
    static const struct option flags[] = {
        {"port", 1, NULL, 'p'},    {"connections", 1, NULL, 'c'}, {"count", 1, NULL, 'n'},
        {"seconds", 1, NULL, 's'}, {"warmup", 1, NULL, 'w'},      {"rate", 1, NULL, 'r'},
        {"retry", 1, NULL, 't'},   {"key", 1, NULL, 'k'},         {"path", 1, NULL, 'f'},
        {"body", 1, NULL, 'b'},    {"plain", 0, NULL, 'P'},       {"ciphers", 1, NULL, 'C'},
        {NULL, 0, NULL, 0},
    };
    int flag;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        switch (flag) {
        case 'p':
            opt.port = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            opt.n_conns = (int)strtol(optarg, NULL, 10);
            break;
        case 'n':
            opt.count = strtol(optarg, NULL, 10);
            break;
        case 's':
            opt.seconds = strtod(optarg, NULL);
            break;
        case 'w':
            opt.warmup = strtod(optarg, NULL);
            break;
        case 'r':
            opt.rate = strtod(optarg, NULL);
            break;
        case 't':
            opt.retry = strtod(optarg, NULL);
            break;
        case 'k':
            opt.key = optarg;
            break;
        case 'f':
            opt.path = optarg;
            break;
        case 'b':
            opt.body = strtoul(optarg, NULL, 10);
            break;
        case 'P':
            opt.plain = true;
            break;
        case 'C':
            opt.ciphers = optarg;
            break;
        default:
            return false;
        }
    }
    if (opt.mode == IDLE)
        opt.n_conns = (int)opt.count;
    if (opt.mode == PROBE)
        opt.n_conns = 1;
    return opt.port > 0 && opt.n_conns > 0 && opt.n_conns <= 20000;
}

int main(int argc, char **argv)
{
    if (!read_mode(argc > 1 ? argv[1] : NULL) || !read_flags(argc - 1, argv + 1)) {
        fprintf(stderr, "usage: client keepalive|handshake|resume|idle|probe --port N [--FLAG VALUE]…\n");
        return 2;
    }
    set_up();
    return opt.mode == PROBE ? run_probe() : opt.mode == IDLE ? run_idle() : run_load();
}
