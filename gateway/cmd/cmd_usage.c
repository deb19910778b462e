/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"
#include "postern/base/clock.h"
#include "postern/cmd/command.h"
#include "postern/db/keys_store.h"
#include "postern/db/usage_store.h"
#include "postern/usage/record.h"

#include <jansson.h>
#include <string.h>

static const char *by_text = "key";
static const char *from_text, *to_text, *key_text;
static bool as_json, as_csv;

static const struct pst_option options[] = {
    {"by", "WHAT",
     "what to sum by: key, secret, hour, day, route, status, class, method; several with commas (key)",
     &by_text, NULL},
    {"from", "TIME", "from this time on: 2026-11-23 or 2026-11-23T16:00:00Z, to its hour", &from_text, NULL},
    {"to", "TIME", "up to this time", &to_text, NULL},
    {"key", "ID", "of this key only", &key_text, NULL},
    {"json", NULL, "a JSON array of rows", NULL, &as_json},
    {"csv", NULL, "CSV with a heading (RFC 4180)", NULL, &as_csv},
};

static const struct pst_usage usage = {
    .synopsis = "usage [--by key,day,...] [--from TIME] [--to TIME] [--key ID] [--json | --csv]",
    .about = "Sums of what was used, from data_dir's usage.db. It can be asked while the gateway runs; "
             "requests of\n"
             "the last second may not be in it yet. Times are UTC.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

/* The columns, in the order they are shown. */
static const struct {
    const char *name; /* in --by, and of the column but for "key" */
    unsigned bit;
} groups[] = {
    {"hour", PST_BY_HOUR},   {"day", PST_BY_DAY},       {"key", PST_BY_KEY},       {"secret", PST_BY_SECRET},
    {"route", PST_BY_ROUTE}, {"method", PST_BY_METHOD}, {"status", PST_BY_STATUS}, {"class", PST_BY_CLASS},
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static const char *const numbers[] = {"requests",        "errors",          "bytes_in",   "bytes_out",
                                      "duration_ms_avg", "duration_ms_max", "ttfb_ms_avg"};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* A report under way. */
struct report {
    unsigned by;
    struct pst_keys_store *keys; /* for names; NULL: they cannot be read */
    json_t *rows;
    struct pst_table *table;
};

static int parse_by(unsigned *ret_by)
{
    struct pst_str rest = pst_str_of(by_text);
    unsigned by = 0;
    while (rest.p != NULL) {
        struct pst_str word = pst_str_trim(pst_str_cut(rest, ',', &rest));
        size_t i = 0;
        while (i < N_GROUPS && !pst_str_eq(word, pst_str_of(groups[i].name)))
            i++;
        if (i == N_GROUPS)
            return pst_cmd_wrong_usage(&usage,
                                       "--by \"" PST_STR_FMT
                                       "\" is not one of key, secret, hour, day, route, "
                                       "status, class, method",
                                       PST_STR_ARG(word));
        by |= groups[i].bit;
    }
    if ((by & PST_BY_HOUR) != 0 && (by & PST_BY_DAY) != 0)
        return pst_cmd_wrong_usage(&usage, "--by takes hour or day, not both");
    *ret_by = by;
    return -1;
}

static int parse_time(const char *option, const char *text, int64_t *ret_us)
{
    if (text == NULL || pst_time_parse(text, ret_us) == 0)
        return -1;
    return pst_cmd_wrong_usage(&usage, "--%s \"%s\" is no time such as 2026-11-23 or 2026-11-23T16:00:00Z",
                               option, text);
}

/* Cells */

static void key_name(const struct report *report, struct pst_str id, char *out, size_t size)
{
    struct pst_arena arena;
    struct pst_key_row row;
    out[0] = '\0';
    if (report->keys == NULL || id.len == 0)
        return;
    pst_arena_init(&arena, 4096, 1 << 20);
    if (pst_keys_get(report->keys, id, &arena, &row) == 0)
        pst_str_clip(row.name, out, size);
    pst_arena_done(&arena);
}

static void group_text(unsigned bit, const struct pst_usage_line *line, char *out, size_t size)
{
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(line->time_us, when);
    switch (bit) {
    case PST_BY_HOUR:
        snprintf(out, size, "%.13s:00Z", when);
        break;
    case PST_BY_DAY:
        pst_str_clip((struct pst_str){when, 10}, out, size);
        break;
    case PST_BY_KEY:
        pst_str_clip(line->key, out, size);
        break;
    case PST_BY_SECRET:
        pst_str_clip(pst_str_of(line->slot == 1 ? "key1" : line->slot == 2 ? "key2" : ""), out, size);
        break;
    case PST_BY_ROUTE:
        pst_str_clip(line->route, out, size);
        break;
    case PST_BY_METHOD:
        pst_str_clip(pst_str_of(pst_usage_method_text(line->method)), out, size);
        break;
    case PST_BY_CLASS:
        pst_str_clip(pst_str_of(pst_usage_class_text(line->status_class)), out, size);
        break;
    default:
        snprintf(out, size, "%u", line->status);
    }
}

static void number_values(const struct pst_usage_line *line, double values[static N_NUMBERS])
{
    double n = line->requests > 0 ? (double)line->requests : 1;
    values[0] = (double)line->requests;
    values[1] = (double)line->errors;
    values[2] = (double)line->bytes_in;
    values[3] = (double)line->bytes_out;
    values[4] = (double)line->duration_us / 1000 / n;
    values[5] = (double)line->duration_max_us / 1000;
    values[6] = (double)line->ttfb_us / 1000 / n;
}

/* A spreadsheet must not take a cell for a formula: names and paths are other people's words. */
static void print_csv_cell(const char *text, bool first)
{
    bool formula = strchr("=+-@\t\r", text[0]) != NULL && text[0] != '\0';
    printf("%s\"%s", first ? "" : ",", formula ? "'" : "");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"')
            putchar('"');
        putchar(*c);
    }
    putchar('"');
}

/* Lines, in three forms */

static int add_json(struct report *report, const struct pst_usage_line *line)
{
    json_t *row = json_object();
    double values[N_NUMBERS];
    char text[512];
    for (size_t i = 0; i < N_GROUPS; i++) {
        if ((report->by & groups[i].bit) == 0)
            continue;
        group_text(groups[i].bit, line, text, sizeof(text));
        bool is_key = groups[i].bit == PST_BY_KEY;
        json_t *value = groups[i].bit == PST_BY_STATUS ? json_integer(line->status)
                        : text[0] != '\0'              ? json_string(text)
                                                       : json_null();
        json_object_set_new(row, is_key ? "key_id" : groups[i].name, value);
        if (is_key) {
            key_name(report, line->key, text, sizeof(text));
            json_object_set_new(row, "name", text[0] != '\0' ? json_string(text) : json_null());
        }
    }
    number_values(line, values);
    for (size_t i = 0; i < N_NUMBERS; i++)
        json_object_set_new(row, numbers[i],
                            i < 4 ? json_integer((json_int_t)values[i]) : json_real(values[i]));
    return json_array_append_new(report->rows, row) == 0 ? 0 : -PST_ENOMEM;
}

static void cell(struct report *report, const char *text, bool *first)
{
    if (report->table != NULL)
        pst_table_cell(report->table, text);
    else
        print_csv_cell(text, *first);
    *first = false;
}

static int add_cells(struct report *report, const struct pst_usage_line *line)
{
    double values[N_NUMBERS];
    char text[512];
    bool first = true;
    for (size_t i = 0; i < N_GROUPS; i++) {
        if ((report->by & groups[i].bit) == 0)
            continue;
        group_text(groups[i].bit, line, text, sizeof(text));
        cell(report, text[0] == '\0' && report->table != NULL ? "-" : text, &first);
        if (groups[i].bit == PST_BY_KEY) {
            key_name(report, line->key, text, sizeof(text));
            cell(report, text[0] == '\0' && report->table != NULL ? "-" : text, &first);
        }
    }
    number_values(line, values);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        snprintf(text, sizeof(text), i < 4 ? "%.0f" : "%.3f", values[i]);
        cell(report, text, &first);
    }
    if (report->table == NULL)
        fputs("\r\n", stdout);
    return 0;
}

static int add_line(const struct pst_usage_line *line, void *arg)
{
    struct report *report = arg;
    return report->rows != NULL ? add_json(report, line) : add_cells(report, line);
}

/* The report */

static size_t headings(const struct report *report, const char *out[static N_GROUPS + N_NUMBERS + 1])
{
    static const char *const right[] = {">REQUESTS", ">ERRORS", ">BYTES IN",   ">BYTES OUT",
                                        ">AVG MS",   ">MAX MS", ">AVG TTFB MS"};
    static const char *const left[] = {"HOUR", "DAY", "KEY", "SECRET", "ROUTE", "METHOD", "STATUS"};
    size_t n = 0;
    for (size_t i = 0; i < N_GROUPS; i++) {
        if ((report->by & groups[i].bit) == 0)
            continue;
        out[n++] = as_csv ? (groups[i].bit == PST_BY_KEY ? "key_id" : groups[i].name) : left[i];
        if (groups[i].bit == PST_BY_KEY)
            out[n++] = as_csv ? "name" : "NAME";
    }
    for (size_t i = 0; i < N_NUMBERS; i++)
        out[n++] = as_csv ? numbers[i] : right[i];
    return n;
}

static int begin(struct report *report)
{
    const char *columns[N_GROUPS + N_NUMBERS + 1];
    size_t n = headings(report, columns);
    if (as_json) {
        report->rows = json_array();
        return report->rows != NULL ? 0 : -PST_ENOMEM;
    }
    if (!as_csv) {
        report->table = pst_table_new(columns, n);
        return report->table != NULL ? 0 : -PST_ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        print_csv_cell(columns[i], i == 0);
    fputs("\r\n", stdout);
    return 0;
}

static void end(struct report *report)
{
    if (report->rows != NULL) {
        json_dumpf(report->rows, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(8));
        putchar('\n');
        json_decref(report->rows);
    }
    if (report->table != NULL)
        pst_table_print(report->table, stdout);
}

static int run_query(const char *data_dir, struct pst_usage_query *query, struct report *report)
{
    struct pst_usage_store *store = NULL;
    struct pst_db_why why = {""};
    int err = pst_usage_store_open(data_dir, PST_DB_READ, &store, &why);
    if (err < 0 && err != -PST_ENOENT) {
        pst_cmd_error("%s", why.text);
        return err;
    }
    if (pst_keys_open(data_dir, PST_DB_READ, &report->keys, NULL) < 0)
        report->keys = NULL; /* ids alone, then */
    int failed = begin(report);
    if (failed == 0 && store != NULL) /* none yet: nothing was used */
        failed = pst_usage_store_sums(store, query, add_line, report);
    if (failed < 0)
        pst_cmd_error("%s", store != NULL ? pst_usage_store_why(store) : pst_strerror(failed));
    end(report);
    pst_usage_store_close(store);
    pst_keys_close(report->keys);
    return failed;
}

int pst_cmd_usage(int argc, char **argv)
{
    struct pst_args args;
    struct pst_usage_query query = {0};
    struct report report = {0};
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done < 0)
        done = parse_by(&query.by);
    if (done < 0)
        done = parse_time("from", from_text, &query.from_us);
    if (done < 0)
        done = parse_time("to", to_text, &query.to_us);
    if (done < 0 && as_json && as_csv)
        done = pst_cmd_wrong_usage(&usage, "--json and --csv are two different forms");
    if (done >= 0)
        return done;
    struct pst_settings settings;
    if (pst_cmd_settings(&args, &settings) < 0)
        return PST_EXIT_FAILED;
    query.key = pst_str_of(key_text);
    report.by = query.by;
    int err = run_query(settings.data_dir, &query, &report);
    pst_settings_done(&settings);
    return err < 0 ? PST_EXIT_FAILED : pst_cmd_finish();
}
