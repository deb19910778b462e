/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/log.h"

#include "postern/base/buf.h"
#include "postern/base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* A longer text is cut: a line must go out in one write and must not be a way to fill a disk. */
#define LINE_MAX_BYTES 4096

static atomic_int current_level = PST_LOG_INFO;
static atomic_int current_format = PST_LOG_TEXT;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void pst_log_setup(enum pst_log_level level, enum pst_log_format format)
{
    atomic_store(&current_level, (int)level);
    atomic_store(&current_format, (int)format);
}

bool pst_log_wants(enum pst_log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

static void write_line(const struct pst_buf *line)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, pst_buf_front(line), pst_buf_len(line));
    } while (written < 0 && errno == EINTR);
}

static void format_line(struct pst_buf *line, enum pst_log_level level, const char *module,
                        struct pst_str text)
{
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(pst_clock_real_us(), when);
    bool json = atomic_load(&current_format) == PST_LOG_JSON;
    pst_buf_printf(
        line,
        json ? "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%s\",\"message\":\"" : "%s %-7s %s: ", when,
        level_names[level], module);
    /* What a peer sent cannot forge a line, whichever the format. */
    if (json)
        pst_buf_add_json(line, text);
    else
        pst_buf_add_line(line, text);
    pst_buf_add_cstr(line, json ? "\"}\n" : "\n");
}

void pst_log(enum pst_log_level level, const char *module, const char *fmt, ...)
{
    if (!pst_log_wants(level))
        return;
    int saved_errno = errno;
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    struct pst_buf line;
    pst_buf_init(&line, (size_t)LINE_MAX_BYTES * 8); /* an escape takes at most six bytes for one */
    format_line(&line, level, module, pst_str_of(text));
    write_line(&line);
    pst_buf_done(&line);
    errno = saved_errno;
}
