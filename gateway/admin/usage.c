/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage: /admin/v1/usage. */
#include "internal.h"

#include <string.h>

/* Beyond it the question is too fine: the answer would not fit into memory set aside for one. */
#define LINES_MAX 100000

static const struct {
    const char *name;
    unsigned bit;
} groups[] = {
    {"key", PST_BY_KEY},   {"secret", PST_BY_SECRET}, {"route", PST_BY_ROUTE},
    {"hour", PST_BY_HOUR}, {"day", PST_BY_DAY},       {"status", PST_BY_STATUS},
};

struct answer {
    unsigned by;
    json_t *items;
    bool too_many;
};

static bool read_by(struct admin_request *r, unsigned *ret_by)
{
    const char *text = admin_query(r, "by");
    struct pst_str rest = pst_str_of(text != NULL ? text : "day");
    *ret_by = 0;
    while (rest.len > 0) {
        struct pst_str name = pst_str_cut(rest, ',', &rest);
        size_t i = 0, n = sizeof(groups) / sizeof(groups[0]);
        while (i < n && !pst_str_eq(name, pst_str_of(groups[i].name)))
            i++;
        if (i == n) {
            admin_fail(r, 400, "BadParameter",
                       "by is a list of key, secret, route, status, hour, day, separated by commas.");
            return false;
        }
        *ret_by |= groups[i].bit;
    }
    if ((*ret_by & PST_BY_HOUR) == 0 || (*ret_by & PST_BY_DAY) == 0)
        return true;
    admin_fail(r, 400, "BadParameter", "by takes hour or day, not both.");
    return false;
}

const char *admin_secret_name(uint32_t slot)
{
    return slot == 1 ? "key1" : slot == 2 ? "key2" : "none";
}

static int add_line(const struct pst_usage_line *line, void *arg)
{
    struct answer *a = arg;
    if (json_array_size(a->items) == LINES_MAX) {
        a->too_many = true;
        return 1;
    }
    json_t *item = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", //
                             "requests", (json_int_t)line->requests, "errors", (json_int_t)line->errors,
                             "bytes_in", (json_int_t)line->bytes_in, "bytes_out", (json_int_t)line->bytes_out,
                             "duration_us", (json_int_t)line->duration_us, "duration_max_us",
                             (json_int_t)line->duration_max_us, "ttfb_us", (json_int_t)line->ttfb_us);
    if ((a->by & PST_BY_KEY) != 0)
        json_object_set_new(item, "key", admin_text(line->key));
    if ((a->by & PST_BY_ROUTE) != 0)
        json_object_set_new(item, "route", admin_text(line->route));
    if ((a->by & PST_BY_SECRET) != 0)
        json_object_set_new(item, "secret", json_string(admin_secret_name(line->slot)));
    if ((a->by & PST_BY_STATUS) != 0)
        json_object_set_new(item, "status", json_integer(line->status));
    if ((a->by & PST_BY_HOUR) != 0)
        json_object_set_new(item, "hour", admin_time(line->time_us));
    if ((a->by & PST_BY_DAY) != 0)
        json_object_set_new(item, "day", admin_time(line->time_us));
    return item != NULL && json_array_append_new(a->items, item) == 0 ? 0 : -PST_ENOMEM;
}

static json_t *names_of(unsigned by)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if ((by & groups[i].bit) != 0)
            json_array_append_new(names, json_string(groups[i].name));
    }
    return names;
}

static bool read_query(struct admin_request *r, struct pst_usage_query *query)
{
    uint64_t status = 0;
    query->key = pst_str_of(admin_query(r, "key"));
    query->route = pst_str_of(admin_query(r, "route"));
    if (!read_by(r, &query->by) || !admin_query_time(r, "from", &query->from_us) ||
        !admin_query_time(r, "to", &query->to_us) || !admin_query_number(r, "status", 100, 599, &status))
        return false;
    query->status = (uint32_t)status;
    if (query->to_us == 0 || query->to_us > query->from_us)
        return true;
    admin_fail(r, 400, "BadParameter", "to is not later than from.");
    return false;
}

static void answer_json(struct admin_request *r, const struct pst_usage_query *query)
{
    struct answer a = {.by = query->by, .items = json_array()};
    int err = pst_usage_store_sums(r->admin->usage, query, add_line, &a);
    if (err < 0 || a.too_many) {
        json_decref(a.items);
        if (err < 0)
            admin_fail_err(r, err, NULL, pst_usage_store_why(r->admin->usage));
        else
            admin_fail(r, 400, "TooManyLines",
                       "This would be more than %d lines: choose a shorter time or a coarser grouping, or "
                       "format=csv.",
                       LINES_MAX);
        return;
    }
    r->status = 200;
    r->output = json_pack("{s:o, s:o, s:o, s:o}", "from", admin_time(query->from_us), "to",
                          admin_time(query->to_us), "by", names_of(query->by), "items", a.items);
}

void admin_usage_get(struct admin_request *r)
{
    struct pst_usage_query query = {0};
    const char *format = admin_query(r, "format");
    if (!read_query(r, &query))
        return;
    if (format == NULL || strcmp(format, "json") == 0)
        answer_json(r, &query);
    else if (strcmp(format, "csv") == 0)
        admin_usage_csv(r, &query);
    else
        admin_fail(r, 400, "BadParameter", "format is json or csv.");
}
