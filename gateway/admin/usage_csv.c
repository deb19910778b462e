/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage as CSV (RFC 4180). They go into a file without a name, so that no answer, however long, sits
 * in memory, and so that what goes wrong is told before the answer has begun. */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct table {
    FILE *file;
    unsigned by;
};

/* Spreadsheets take a text that begins with one of these for a formula. */
static bool is_formula(struct pst_str text)
{
    return text.len > 0 && strchr("=+-@\t\r", text.p[0]) != NULL;
}

static void put_text(FILE *file, struct pst_str text)
{
    fputc('"', file);
    if (is_formula(text))
        fputc('\'', file);
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"')
            fputc('"', file);
        fputc(text.p[i], file);
    }
    fputs("\",", file);
}

static void put_time(FILE *file, int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE];
    pst_time_format(time_us, text);
    fprintf(file, "%s,", text);
}

static int put_line(const struct pst_usage_line *line, void *arg)
{
    const struct table *t = arg;
    if ((t->by & PST_BY_KEY) != 0)
        put_text(t->file, line->key);
    if ((t->by & PST_BY_SECRET) != 0)
        fprintf(t->file, "%s,", admin_secret_name(line->slot));
    if ((t->by & PST_BY_ROUTE) != 0)
        put_text(t->file, line->route);
    if ((t->by & PST_BY_STATUS) != 0)
        fprintf(t->file, "%" PRIu32 ",", line->status);
    if ((t->by & (PST_BY_HOUR | PST_BY_DAY)) != 0)
        put_time(t->file, line->time_us);
    fprintf(t->file,
            "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\r\n",
            line->requests, line->errors, line->bytes_in, line->bytes_out, line->duration_us,
            line->duration_max_us, line->ttfb_us);
    return ferror(t->file) ? -PST_EIO : 0;
}

/* The order is put_line()'s. */
static void put_head(const struct table *t)
{
    static const struct {
        unsigned bit;
        const char *name;
    } groups[] = {{PST_BY_KEY, "key"},       {PST_BY_SECRET, "secret"}, {PST_BY_ROUTE, "route"},
                  {PST_BY_STATUS, "status"}, {PST_BY_HOUR, "hour"},     {PST_BY_DAY, "day"}};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if ((t->by & groups[i].bit) != 0)
            fprintf(t->file, "%s,", groups[i].name);
    }
    fputs("requests,errors,bytes_in,bytes_out,duration_us,duration_max_us,ttfb_us\r\n", t->file);
}

/* Beside the databases, where there is room; in memory on the few file systems that have no nameless files.
 */
static int open_nameless(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("usage.csv", MFD_CLOEXEC);
}

void admin_usage_csv(struct admin_request *r, const struct pst_usage_query *query)
{
    PST_FD fd = open_nameless(r->admin->parts.settings->data_dir);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct table t = {.by = query->by, .file = copy >= 0 ? fdopen(copy, "w") : NULL};
    if (t.file == NULL) {
        pst_fd_close(copy);
        admin_fail(r, 503, "StoreUnavailable", "No file for the answer: %s.", strerror(errno));
        return;
    }
    put_head(&t);
    int err = pst_usage_store_sums(r->admin->usage, query, put_line, &t);
    bool written = fclose(t.file) == 0 && err != -PST_EIO;
    if (err < 0 || !written) {
        admin_fail(r, 503, "StoreUnavailable", "%s",
                   written ? pst_usage_store_why(r->admin->usage)
                           : "There is no room for the answer in data_dir.");
        return;
    }
    r->status = 200;
    r->type = "text/csv; charset=utf-8";
    r->file = fd;
    fd = -1;
}
