/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage as CSV (RFC 4180). */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/usage/record.h"

#include <inttypes.h>
#include <string.h>

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

static int put_line(FILE *file, unsigned by, uint64_t n, const struct pst_usage_line *line)
{
    (void)n;
    if ((by & PST_BY_KEY) != 0)
        put_text(file, line->key);
    if ((by & PST_BY_SECRET) != 0)
        fprintf(file, "%s,", admin_secret_name(line->slot));
    if ((by & PST_BY_ROUTE) != 0)
        put_text(file, line->route);
    if ((by & PST_BY_STATUS) != 0)
        fprintf(file, "%" PRIu32 ",", line->status);
    if ((by & PST_BY_CLASS) != 0)
        fprintf(file, "%s,", pst_usage_class_text(line->status_class));
    if ((by & PST_BY_ERROR) != 0)
        put_text(file, line->error);
    if ((by & PST_BY_ENDPOINT) != 0)
        put_text(file, line->endpoint);
    if ((by & (PST_BY_HOUR | PST_BY_DAY)) != 0)
        put_time(file, line->time_us);
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\r\n",
            line->requests, line->errors, line->bytes_in, line->bytes_out, line->duration_us,
            line->duration_max_us, line->ttfb_us);
    return 0;
}

/* The order is put_line()'s. */
static void put_head(FILE *file, const struct pst_usage_query *query)
{
    for (size_t i = 0; i < ADMIN_USAGE_GROUPS; i++) {
        if ((query->by & admin_usage_groups[i].bit) != 0)
            fprintf(file, "%s,", admin_usage_groups[i].name);
    }
    fputs("requests,errors,bytes_in,bytes_out,duration_us,duration_max_us,ttfb_us\r\n", file);
}

static void put_tail(FILE *file)
{
    (void)file;
}

const struct admin_usage_format admin_usage_csv = {
    .name = "csv",
    .type = "text/csv; charset=utf-8",
    .lines_max = UINT64_MAX,
    .head = put_head,
    .line = put_line,
    .tail = put_tail,
};
