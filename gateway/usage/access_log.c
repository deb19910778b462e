/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/access_log.h"

#include "access_line.h"
#include "journal_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_MAX_BYTES (1024 * 1024)
#define FLUSH_AT_BYTES   (64 * 1024)
#define LINES_MAX        (BUFFER_MAX_BYTES / ACCESS_LINE_MIN) /* a power of two */
/* poll() promises room for this much in a pipe (PIPE_BUF): a write of it does not block, and is not torn. */
#define PIPE_PIECE 4096
/* Waiting for the reader holds up counting, so it is rationed: a flush waits FLUSH_WAIT_MS at most, and with
 * the buffer full as long as patience lasts. Patience is STALL_MS when the reader has taken everything; each
 * wait costs its time, and a reader that only trickles earns back little, so in the end its lines are
 * dropped. */
#define STALL_MS      1000
#define FLUSH_WAIT_MS 20
#define BYTES_PER_MS  4096

/* A line in the buffer. */
struct queued {
    struct pst_journal *journal; /* of its record; NULL: it is gone, with all of its records written down */
    uint64_t n;
    size_t len;
};

struct pst_access_log {
    int fd;
    enum pst_access_format format;
    bool is_file;   /* a regular file never blocks for long: it is written in large pieces */
    bool is_socket; /* poll() promises nothing about how much it takes (journald's is one) */
    dev_t device;   /* of a file */
    ino_t inode;
    int patience_ms;
    uint64_t dropped;
    struct pst_buf buf;
    struct access_line line;
    struct queued queue[LINES_MAX]; /* as the buffer has them; a ring */
    size_t first, n_queued;
    size_t front_written; /* of the first of them */
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
    if (log->is_file) {
        log->device = st.st_dev;
        log->inode = st.st_ino;
    }
    log->patience_ms = STALL_MS;
    pst_buf_init(&log->buf, BUFFER_MAX_BYTES);
    log->line = (struct access_line){.buf = &log->buf, .second = -1};
    *ret = log;
    return 0;
}

/* Writing */

static struct queued *queued_at(struct pst_access_log *log, size_t i)
{
    return &log->queue[(log->first + i) % LINES_MAX];
}

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

/* The next piece: whole lines of one journal, so that what was written of them can be told afterwards.
 * Returns its bytes; *ret_lines says how many lines end in it. */
static size_t next_piece(struct pst_access_log *log, size_t *ret_lines)
{
    size_t max = log->is_file ? FLUSH_AT_BYTES : PIPE_PIECE, bytes = 0, lines = 0;
    for (; lines < log->n_queued; lines++) {
        const struct queued *line = queued_at(log, lines);
        size_t len = line->len - (lines == 0 ? log->front_written : 0);
        bool fits = bytes + len <= max && line->journal == queued_at(log, 0)->journal;
        if (lines > 0 && !fits)
            break;
        bytes += len;
    }
    *ret_lines = lines;
    return !log->is_file && bytes > PIPE_PIECE ? PIPE_PIECE : bytes;
}

/* Where a file's next byte goes. */
static off_t place_of(const struct pst_access_log *log)
{
    struct stat st;
    int flags = fcntl(log->fd, F_GETFL);
    if (flags >= 0 && (flags & O_APPEND) != 0)
        return fstat(log->fd, &st) == 0 ? st.st_size : -1;
    return lseek(log->fd, 0, SEEK_CUR);
}

/* Before a piece: where its lines will be, should we be killed before we know. */
static void announce(struct pst_access_log *log, size_t lines)
{
    const struct queued *first = queued_at(log, 0), *last = queued_at(log, lines - 1);
    off_t place = log->is_file && first->journal != NULL ? place_of(log) : -1;
    if (place < (off_t)log->front_written)
        return;
    journal_announce(first->journal, &(struct journal_lines){
                                         .device = (uint64_t)log->device,
                                         .inode = (uint64_t)log->inode,
                                         .offset = (uint64_t)place - log->front_written,
                                         .from = first->n,
                                         .to = last->n + 1,
                                     });
}

static void take_off(struct pst_access_log *log, size_t bytes)
{
    pst_buf_consume(&log->buf, bytes);
    bytes += log->front_written;
    while (log->n_queued > 0 && queued_at(log, 0)->len <= bytes) {
        const struct queued *line = queued_at(log, 0);
        if (line->journal != NULL)
            journal_set_logged(line->journal, line->n + 1);
        bytes -= line->len;
        log->first = (log->first + 1) % LINES_MAX;
        log->n_queued--;
    }
    log->front_written = bytes;
    if (log->n_queued == 0)
        log->first = 0; /* memory that a burst needed is not touched again */
}

static ssize_t write_some(struct pst_access_log *log)
{
    size_t lines, len = next_piece(log, &lines);
    announce(log, lines);
    if (log->is_socket)
        return send(log->fd, pst_buf_front(&log->buf), len, MSG_DONTWAIT | MSG_NOSIGNAL);
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
        take_off(log, (size_t)n);
        log->patience_ms += (int)((size_t)n / BYTES_PER_MS);
        if (pst_buf_len(&log->buf) == 0 || log->patience_ms > STALL_MS)
            log->patience_ms = STALL_MS;
    }
}

void pst_access_log_flush(struct pst_access_log *log)
{
    flush(log, FLUSH_WAIT_MS);
}

static bool is_full(const struct pst_access_log *log)
{
    return pst_buf_len(&log->buf) + ACCESS_LINE_MAX > BUFFER_MAX_BYTES || log->n_queued == LINES_MAX;
}

void pst_access_log_add(struct pst_access_log *log, struct pst_journal *journal, uint64_t n,
                        const struct pst_usage_record *record, const struct pst_usage_names *names)
{
    if (log->format == PST_ACCESS_OFF)
        return;
    if (is_full(log))
        flush(log, STALL_MS);
    if (is_full(log)) {
        log->dropped++;
        return;
    }
    size_t before = pst_buf_len(&log->buf);
    access_line_add(&log->line, log->format, record, names);
    *queued_at(log, log->n_queued++) = (struct queued){journal, n, pst_buf_len(&log->buf) - before};
    if (pst_buf_len(&log->buf) >= FLUSH_AT_BYTES)
        flush(log, 0);
}

void pst_access_log_forget(struct pst_access_log *log, const struct pst_journal *journal)
{
    for (size_t i = 0; i < log->n_queued; i++) {
        if (queued_at(log, i)->journal == journal)
            queued_at(log, i)->journal = NULL;
    }
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

/* After a kill */

/* The file as it can be read; our own descriptor is most often for writing only. */
static int open_to_read(const struct pst_access_log *log)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", log->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || (fstat(fd, &st) == 0 && st.st_dev == log->device && st.st_ino == log->inode))
        return fd;
    close(fd);
    return -1;
}

/* How much of the line that was just added is in the file at `offset`: all of it, a beginning at the file's
 * very end, or nothing. */
static size_t found_at(int fd, uint64_t offset, struct pst_str line)
{
    char text[ACCESS_LINE_MAX + 1];
    ssize_t n = pread(fd, text, line.len, (off_t)offset);
    size_t len = n > 0 ? (size_t)n : 0;
    return memcmp(text, line.p, len) == 0 ? len : 0;
}

uint64_t pst_access_log_recover(struct pst_access_log *log, struct pst_journal *journal)
{
    struct journal_lines lines;
    struct pst_usage_record record;
    if (log->format == PST_ACCESS_OFF || !log->is_file || pst_buf_len(&log->buf) > 0 ||
        !journal_announced(journal, &lines) || lines.device != (uint64_t)log->device ||
        lines.inode != (uint64_t)log->inode)
        return journal_logged(journal);
    uint64_t logged = journal_logged(journal);
    int fd = open_to_read(log);
    for (uint64_t n = lines.from; fd >= 0 && n < lines.to; n++) {
        if (!journal_read(journal, n, &record))
            continue;
        const struct pst_usage_names names = journal_names(journal, &record);
        access_line_add(&log->line, log->format, &record, &names);
        size_t len = pst_buf_len(&log->buf), found = found_at(fd, lines.offset, pst_buf_str(&log->buf));
        if (found == 0) {
            pst_buf_consume(&log->buf, len);
            break;
        }
        logged = n + 1;
        pst_buf_consume(&log->buf, found);
        if (found < len) { /* the rest of a torn line is what is written first */
            *queued_at(log, 0) = (struct queued){journal, n, len};
            log->n_queued = 1;
            log->front_written = found;
            break;
        }
        lines.offset += len;
        journal_set_logged(journal, logged);
    }
    if (fd >= 0)
        close(fd);
    return logged;
}
