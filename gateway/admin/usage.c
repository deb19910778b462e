/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage: /admin/v1/usage. They go into a file without a name, so that no answer, however long, sits
 * in memory, and so that what goes wrong is told before the answer has begun. */
#include "internal.h"
#include "postern/base/fd.h"
#include "postern/base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Large answers that may be on their way at once: a reader who takes their time must not fill the disk that
 * the databases are on. Answers up to EXPORT_BYTES are not counted. */
#define EXPORTS_MAX    8
#define EXPORT_BYTES   (1024 * 1024)
#define EXPORT_RETRY_S 10
/* Lines that are written before the CPU is offered to others, some 10 us. */
#define LINES_AT_ONCE 8
/* As large as a number of JSON is exact (RFC 8259 section 6). */
#define LINES_MAX ((UINT64_C(1) << 53) - 1)

const struct admin_usage_group admin_usage_groups[ADMIN_USAGE_GROUPS] = {
    {PST_BY_KEY, "key"},           {PST_BY_SECRET, "secret"}, {PST_BY_ROUTE, "route"},
    {PST_BY_STATUS, "status"},     {PST_BY_CLASS, "class"},   {PST_BY_ERROR, "error"},
    {PST_BY_ENDPOINT, "endpoint"}, {PST_BY_HOUR, "hour"},     {PST_BY_DAY, "day"},
};

static void fail_by(struct admin_request *r)
{
    char names[128];
    size_t used = 0;
    for (size_t i = 0; i < ADMIN_USAGE_GROUPS && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
                                 admin_usage_groups[i].name);
    admin_fail(r, 400, "BadParameter", "by must be a comma-separated list of %s.", names);
}

static bool read_by(struct admin_request *r, unsigned *ret_by)
{
    const char *text = admin_query(r, "by");
    struct pst_str rest = pst_str_of(text != NULL ? text : "day");
    *ret_by = 0;
    for (bool more = true; more;) {
        more = pst_str_find(rest, ',') >= 0; /* else this is the last, be it empty */
        struct pst_str name = pst_str_cut(rest, ',', &rest);
        size_t i = 0;
        while (i < ADMIN_USAGE_GROUPS && !pst_str_eq(name, pst_str_of(admin_usage_groups[i].name)))
            i++;
        if (i == ADMIN_USAGE_GROUPS) {
            fail_by(r);
            return false;
        }
        *ret_by |= admin_usage_groups[i].bit;
    }
    if ((*ret_by & PST_BY_HOUR) == 0 || (*ret_by & PST_BY_DAY) == 0)
        return true;
    admin_fail(r, 400, "BadParameter", "by may have hour or day, not both.");
    return false;
}

const char *admin_secret_name(uint32_t slot)
{
    return slot == 1 ? "key1" : slot == 2 ? "key2" : "none";
}

static bool read_query(struct admin_request *r, struct pst_usage_query *query)
{
    uint64_t status = 0;
    query->route = pst_str_of(admin_query(r, "route"));
    query->error = pst_str_of(admin_query(r, "error"));
    if (!admin_query_ids(r, "key", &query->key) || !read_by(r, &query->by) ||
        !admin_query_time(r, "from", &query->from_us) || !admin_query_time(r, "to", &query->to_us) ||
        !admin_query_number(r, "status", 100, 599, &status) ||
        !admin_query_number(r, "limit", 1, LINES_MAX, &query->lines_max))
        return false;
    query->status = (uint32_t)status;
    if (query->to_us == 0 || query->to_us > query->from_us)
        return true;
    admin_fail(r, 400, "BadParameter", "to must be later than from.");
    return false;
}

/* Beside the databases, where there is room; in memory on the few file systems that have no nameless files.
 */
static int open_nameless(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("usage", MFD_CLOEXEC);
}

struct writing {
    const struct admin_usage_format *format;
    FILE *file;
    unsigned by;
    uint64_t lines;
    bool too_many;
    int failed; /* errno of a write to `file` */
};

static int put_line(const struct pst_usage_line *line, void *arg)
{
    struct writing *w = arg;
    w->too_many = w->lines == w->format->lines_max;
    if (w->too_many)
        return 1;
    if (w->lines % LINES_AT_ONCE == 0)
        pst_thread_offer_cpu(); /* as SQLite's statements do: db/sqlite.c */
    errno = 0;
    int err = w->format->line(w->file, w->by, w->lines++, line);
    if (err < 0 || !ferror(w->file))
        return err;
    w->failed = errno != 0 ? errno : EIO;
    return -PST_EIO;
}

/* What kept the response from being written: the file it goes into, or the database. */
static void fail_write(struct admin_request *r, const struct writing *w)
{
    if (w->failed == 0)
        admin_fail(r, 503, "StoreUnavailable", "%s", pst_usage_store_why(r->usage));
    else if (pst_err_from_errno(w->failed) == -PST_EFULL)
        admin_fail(r, 503, "StoreUnavailable", "There is no room for the response in data_dir: %s.",
                   strerror(w->failed));
    else
        admin_fail(r, 503, "StoreUnavailable", "The response cannot be written to data_dir: %s.",
                   strerror(w->failed));
}

/* The whole response. False: why not has been said. */
static bool write_all(struct admin_request *r, const struct pst_usage_query *query, struct writing *w)
{
    w->format->head(w->file, query);
    int err = pst_usage_store_sums(r->usage, query, put_line, w);
    w->format->tail(w->file);
    if (fclose(w->file) != 0 && w->failed == 0)
        w->failed = errno;
    if (err < 0 || w->failed != 0)
        fail_write(r, w);
    else if (w->too_many)
        admin_fail(r, 400, "TooManyLines",
                   "More than %llu lines: choose a shorter time, a coarser grouping or format=csv.",
                   (unsigned long long)w->format->lines_max);
    return !admin_failed(r);
}

static bool count_export(struct admin_request *r, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size <= EXPORT_BYTES)
        return true;
    if (atomic_fetch_add(&r->admin->exports, 1) < EXPORTS_MAX) {
        r->is_export = true;
        return true;
    }
    atomic_fetch_sub(&r->admin->exports, 1);
    r->retry_after_s = EXPORT_RETRY_S;
    admin_fail(r, 503, "TooManyExports", "%d large responses are being sent already; try again later.",
               EXPORTS_MAX);
    return false;
}

void admin_usage_done(struct admin_request *r)
{
    if (r->is_export)
        atomic_fetch_sub(&r->admin->exports, 1);
}

static void answer_in(struct admin_request *r, const struct pst_usage_query *query,
                      const struct admin_usage_format *format)
{
    PST_FD fd = open_nameless(r->admin->parts.settings->data_dir);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    struct writing w = {.format = format, .by = query->by, .file = copy >= 0 ? fdopen(copy, "w") : NULL};
    if (w.file == NULL) {
        admin_fail(r, 503, "StoreUnavailable", "No file for the response: %s.", strerror(errno));
        pst_fd_close(copy);
        return;
    }
    if (!write_all(r, query, &w) || !count_export(r, fd))
        return;
    r->status = 200;
    r->type = format->type;
    r->file = fd;
    fd = -1;
}

void admin_usage_get(struct admin_request *r)
{
    static const struct admin_usage_format *const formats[] = {&admin_usage_json, &admin_usage_csv};
    struct pst_usage_query query = {0};
    const char *wanted = admin_query(r, "format");
    if (!read_query(r, &query))
        return;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(wanted != NULL ? wanted : "json", formats[i]->name) == 0) {
            answer_in(r, &query, formats[i]);
            return;
        }
    }
    admin_fail(r, 400, "BadParameter", "format must be json or csv.");
}
