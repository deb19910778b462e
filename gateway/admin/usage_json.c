/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage as JSON. */
#include "internal.h"
#include "postern/usage/record.h"

static void put(FILE *file, json_t *value)
{
    json_dumpf(value, file, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
}

static void put_head(FILE *file, const struct pst_usage_query *query)
{
    json_t *by = json_array();
    for (size_t i = 0; i < ADMIN_USAGE_GROUPS; i++) {
        if ((query->by & admin_usage_groups[i].bit) != 0)
            json_array_append_new(by, json_string(admin_usage_groups[i].name));
    }
    fputs("{\"from\":", file);
    put(file, admin_time(query->from_us));
    fputs(",\"to\":", file);
    put(file, admin_time(query->to_us));
    fputs(",\"by\":", file);
    put(file, by);
    fputs(",\"items\":[", file);
}

static int put_line(FILE *file, unsigned by, uint64_t n, const struct pst_usage_line *line)
{
    json_t *item = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", //
                             "requests", (json_int_t)line->requests, "errors", (json_int_t)line->errors,
                             "bytes_in", (json_int_t)line->bytes_in, "bytes_out", (json_int_t)line->bytes_out,
                             "duration_us", (json_int_t)line->duration_us, "duration_max_us",
                             (json_int_t)line->duration_max_us, "ttfb_us", (json_int_t)line->ttfb_us);
    if ((by & PST_BY_KEY) != 0)
        json_object_set_new(item, "key", admin_text(line->key));
    if ((by & PST_BY_ROUTE) != 0)
        json_object_set_new(item, "route", admin_text(line->route));
    if ((by & PST_BY_SECRET) != 0)
        json_object_set_new(item, "secret", json_string(admin_secret_name(line->slot)));
    if ((by & PST_BY_STATUS) != 0)
        json_object_set_new(item, "status", json_integer(line->status));
    if ((by & PST_BY_CLASS) != 0)
        json_object_set_new(item, "class", json_string(pst_usage_class_text(line->status_class)));
    if ((by & PST_BY_ERROR) != 0)
        json_object_set_new(item, "error", admin_text(line->error));
    if ((by & PST_BY_ENDPOINT) != 0)
        json_object_set_new(item, "endpoint", admin_text(line->endpoint));
    if ((by & PST_BY_HOUR) != 0)
        json_object_set_new(item, "hour", admin_time(line->time_us));
    if ((by & PST_BY_DAY) != 0)
        json_object_set_new(item, "day", admin_time(line->time_us));
    if (item == NULL)
        return -PST_ENOMEM;
    if (n > 0)
        fputc(',', file);
    put(file, item);
    return 0;
}

static void put_tail(FILE *file)
{
    fputs("]}", file);
}

/* The bound is for those who read it: a JSON text is taken in whole. */
const struct admin_usage_format admin_usage_json = {
    .name = "json",
    .type = "application/json; charset=utf-8",
    .lines_max = 100000,
    .head = put_head,
    .line = put_line,
    .tail = put_tail,
};
