/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/access_log.h"

#include "postern/base/buf.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"
#include "postern/usage/journal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_MAX_BYTES (1024 * 1024)
#define FLUSH_AT_BYTES   (64 * 1024)
/* poll() promises room for this much in a pipe (PIPE_BUF): a write of it does not block. */
#define PIPE_PIECE 4096
/* Waiting for the reader holds up counting, so it is rationed: a flush waits FLUSH_WAIT_MS at most, and with
 * the buffer full as long as patience lasts. Patience is STALL_MS when the reader has taken everything; each
 * wait costs its time, and a reader that only trickles earns back little, so in the end its lines are
 * dropped. */
#define STALL_MS      1000
#define FLUSH_WAIT_MS 20
#define BYTES_PER_MS  4096

struct pst_access_log {
    int fd;
    enum pst_access_format format;
    bool is_file;   /* a regular file never blocks for long: it is written in one piece */
    bool is_socket; /* poll() promises nothing about how much it takes (journald's is one) */
    int patience_ms;
    uint64_t dropped;
    struct pst_buf buf;
    int64_t second; /* whose text is kept below: a busy second has thousands of lines */
    char second_text[PST_TIME_TEXT_SIZE];
};

int pst_access_log_new(int fd, enum pst_access_format format, struct pst_access_log **ret)
{
    struct pst_access_log *log = calloc(1, sizeof(*log));
    if (log == NULL)
        return -PST_ENOMEM;
    struct stat st;
    log->fd = fd;
    log->format = format;
    bool known = fstat(fd, &st) == 0;
    log->is_file = known && S_ISREG(st.st_mode);
    log->is_socket = known && S_ISSOCK(st.st_mode);
    log->patience_ms = STALL_MS;
    log->second = -1;
    pst_buf_init(&log->buf, BUFFER_MAX_BYTES);
    *ret = log;
    return 0;
}

/* Formatting. By hand, because a line is made for every request: printf alone would cost more than SQLite. */

static void add_time(struct pst_access_log *log, int64_t time_us)
{
    int64_t second = time_us / 1000000;
    if (second != log->second) {
        pst_time_format(second * 1000000, log->second_text);
        log->second = second;
    }
    unsigned ms = (unsigned)(time_us / 1000 % 1000);
    char tail[4] = {(char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z'};
    pst_buf_add(&log->buf, log->second_text, 20); /* up to and with the dot */
    pst_buf_add(&log->buf, tail, sizeof(tail));
}

static void add_ms(struct pst_buf *buf, uint64_t us)
{
    char decimals[4] = {'.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10)};
    pst_buf_add_u64(buf, us / 1000);
    pst_buf_add(buf, decimals, sizeof(decimals));
}

static void add_client(struct pst_buf *buf, const uint8_t client[static 16])
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(client, v4_prefix, sizeof(v4_prefix)) == 0) {
        for (int i = 12; i < 16; i++) {
            pst_buf_add_u64(buf, client[i]);
            if (i < 15)
                pst_buf_add_char(buf, '.');
        }
        return;
    }
    char text[INET6_ADDRSTRLEN];
    pst_buf_add_cstr(buf, inet_ntop(AF_INET6, client, text, sizeof(text)) != NULL ? text : "unknown");
}

#define ADD(buf, literal) pst_buf_add((buf), (literal), sizeof(literal) - 1)

static void add_quoted(struct pst_buf *buf, struct pst_str s)
{
    pst_buf_add_char(buf, '"');
    pst_buf_add_json(buf, s);
    pst_buf_add_char(buf, '"');
}

static void add_or_null(struct pst_buf *buf, struct pst_str s)
{
    if (s.len == 0)
        ADD(buf, "null");
    else
        add_quoted(buf, s);
}

static void add_outcome(struct pst_buf *buf, const struct pst_usage_record *r,
                        const struct pst_usage_names *names)
{
    ADD(buf, ",\"end\":\"");
    pst_buf_add_cstr(buf, pst_usage_end_text(r->end));
    ADD(buf, "\",\"error\":");
    add_or_null(buf, names->error);
    ADD(buf, ",\"rule\":");
    add_or_null(buf, names->rule);
    ADD(buf, ",\"endpoint\":");
    add_or_null(buf, names->endpoint);
    ADD(buf, ",\"attempts\":");
    pst_buf_add_u64(buf, r->attempts);
}

static void add_json_line(struct pst_access_log *log, const struct pst_usage_record *r,
                          const struct pst_usage_names *names)
{
    struct pst_buf *buf = &log->buf;
    ADD(buf, "{\"time\":\"");
    add_time(log, r->time_us);
    ADD(buf, "\",\"request_id\":");
    add_or_null(buf, (struct pst_str){r->request_id, r->request_id_len});
    ADD(buf, ",\"client\":\"");
    add_client(buf, r->client);
    ADD(buf, "\",\"key_id\":");
    add_or_null(buf, pst_str_of(r->key_id));
    ADD(buf, ",\"secret\":");
    pst_buf_add_cstr(buf, r->secret_slot == 1 ? "\"key1\"" : r->secret_slot == 2 ? "\"key2\"" : "null");
    ADD(buf, ",\"method\":\"");
    pst_buf_add_cstr(buf, pst_usage_method_text(r->method));
    ADD(buf, "\",\"path\":");
    add_or_null(buf, (struct pst_str){r->path, r->path_len});
    ADD(buf, ",\"status\":");
    if (r->status > 0)
        pst_buf_add_u64(buf, r->status);
    else
        ADD(buf, "null");
    ADD(buf, ",\"bytes_in\":");
    pst_buf_add_u64(buf, r->bytes_in);
    ADD(buf, ",\"bytes_out\":");
    pst_buf_add_u64(buf, r->bytes_out);
    ADD(buf, ",\"duration_ms\":");
    add_ms(buf, r->duration_us);
    ADD(buf, ",\"ttfb_ms\":");
    if (r->ttfb_us > 0)
        add_ms(buf, r->ttfb_us);
    else
        ADD(buf, "null");
    add_outcome(buf, r, names);
    ADD(buf, ",\"tls\":");
    add_or_null(buf, pst_str_of(pst_usage_tls_text(r->tls)));
    if ((r->flags & PST_USAGE_STREAM) != 0)
        pst_buf_add_cstr(buf, (r->flags & PST_USAGE_GOES_ON) != 0 ? ",\"stream\":\"goes_on\""
                                                                  : ",\"stream\":\"ended\"");
    ADD(buf, "}\n");
}

static void add_or_dash(struct pst_buf *buf, struct pst_str s)
{
    if (s.len == 0)
        ADD(buf, "-");
    else
        pst_buf_add_json(buf, s); /* the same escapes keep a line a line */
}

static void add_text_line(struct pst_access_log *log, const struct pst_usage_record *r,
                          const struct pst_usage_names *names)
{
    struct pst_buf *buf = &log->buf;
    add_client(buf, r->client);
    ADD(buf, " - ");
    add_or_dash(buf, pst_str_of(r->key_id));
    ADD(buf, " [");
    add_time(log, r->time_us);
    ADD(buf, "] \"");
    pst_buf_add_cstr(buf, pst_usage_method_text(r->method));
    ADD(buf, " ");
    add_or_dash(buf, (struct pst_str){r->path, r->path_len});
    ADD(buf, " ");
    add_or_dash(buf, pst_str_of(pst_usage_http_text(r->http)));
    ADD(buf, "\" ");
    pst_buf_add_u64(buf, r->status);
    ADD(buf, " ");
    pst_buf_add_u64(buf, r->bytes_out);
    ADD(buf, " ");
    add_or_dash(buf, (struct pst_str){r->request_id, r->request_id_len});
    ADD(buf, " ");
    pst_buf_add_cstr(buf, r->secret_slot == 1 ? "key1" : r->secret_slot == 2 ? "key2" : "-");
    ADD(buf, " ");
    add_ms(buf, r->duration_us);
    ADD(buf, " ");
    pst_buf_add_cstr(buf, (r->flags & PST_USAGE_GOES_ON) != 0 ? "goes_on" : pst_usage_end_text(r->end));
    ADD(buf, " ");
    add_or_dash(buf, names->error);
    ADD(buf, " ");
    add_or_dash(buf, names->endpoint);
    ADD(buf, "\n");
}

/* Writing */

static int wait_for_reader(struct pst_access_log *log, struct pollfd *poll_fd, int *wait_ms)
{
    int limit = *wait_ms < log->patience_ms ? *wait_ms : log->patience_ms;
    if (limit <= 0)
        return 0;
    uint64_t begin = pst_clock_mono_us();
    int n = poll(poll_fd, 1, limit);
    int waited_ms = (int)((pst_clock_mono_us() - begin) / 1000) + 1;
    log->patience_ms -= waited_ms;
    *wait_ms -= waited_ms;
    return n;
}

static bool may_write(struct pst_access_log *log, int *wait_ms)
{
    struct pollfd poll_fd = {.fd = log->fd, .events = POLLOUT};
    if (log->is_file)
        return true;
    int n = poll(&poll_fd, 1, 0);
    if (n == 0)
        n = wait_for_reader(log, &poll_fd, wait_ms);
    return n > 0 && (poll_fd.revents & POLLOUT) != 0;
}

static ssize_t write_some(struct pst_access_log *log)
{
    size_t len = pst_buf_len(&log->buf);
    if (log->is_socket)
        return send(log->fd, pst_buf_front(&log->buf), len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!log->is_file && len > PIPE_PIECE)
        len = PIPE_PIECE;
    return write(log->fd, pst_buf_front(&log->buf), len);
}

/* Writes while the reader takes it, waiting for it at most `wait_ms` in all. */
static void flush(struct pst_access_log *log, int wait_ms)
{
    while (pst_buf_len(&log->buf) > 0 && may_write(log, &wait_ms)) {
        ssize_t n = write_some(log);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody reads (EPIPE), or the disk is full: the buffer's bound decides */
        pst_buf_consume(&log->buf, (size_t)n);
        log->patience_ms += (int)((size_t)n / BYTES_PER_MS);
        if (pst_buf_len(&log->buf) == 0 || log->patience_ms > STALL_MS)
            log->patience_ms = STALL_MS;
    }
}

void pst_access_log_flush(struct pst_access_log *log)
{
    flush(log, FLUSH_WAIT_MS);
}

/* The longest line: every byte of the path, the id and the names escaped, and the rest. */
#define LINE_MAX_BYTES                                                                                       \
    ((PST_USAGE_PATH_SIZE + PST_USAGE_REQUEST_ID_SIZE + PST_USAGE_KEY_ID_SIZE + 3 * PST_JOURNAL_NAME_MAX) *  \
         6 +                                                                                                 \
     512)

void pst_access_log_add(struct pst_access_log *log, const struct pst_usage_record *record,
                        const struct pst_usage_names *names)
{
    if (log->format == PST_ACCESS_OFF)
        return;
    if (pst_buf_len(&log->buf) + LINE_MAX_BYTES > BUFFER_MAX_BYTES)
        flush(log, STALL_MS);
    if (pst_buf_len(&log->buf) + LINE_MAX_BYTES > BUFFER_MAX_BYTES) {
        log->dropped++;
        return;
    }
    if (log->format == PST_ACCESS_JSON)
        add_json_line(log, record, names);
    else
        add_text_line(log, record, names);
    if (pst_buf_len(&log->buf) >= FLUSH_AT_BYTES)
        flush(log, 0);
}

uint64_t pst_access_log_dropped(const struct pst_access_log *log)
{
    return log->dropped;
}

void pst_access_log_free(struct pst_access_log *log)
{
    if (log == NULL)
        return;
    flush(log, STALL_MS);
    pst_buf_done(&log->buf);
    free(log);
}
