/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"
#include "postern/base/clock.h"
#include "postern/cmd/command.h"
#include "postern/db/keys_store.h"
#include "postern/db/usage_store.h"
#include "postern/usage/record.h"

#include "key_internal.h"

#include <jansson.h>
#include <string.h>

static const char *by_text = "key";
static const char *from_text, *to_text, *key_text;
static bool as_json, as_csv;

/* What can be summed by: the columns in the order they are shown. --by, its help, the headings and the fields
 * of all three forms come from here. */

static void text_hour(const struct pst_usage_line *line, char *out, size_t size)
{
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(line->time_us, when);
    snprintf(out, size, "%.13s:00Z", when);
}

static void text_day(const struct pst_usage_line *line, char *out, size_t size)
{
    char when[PST_TIME_TEXT_SIZE];
    pst_time_format(line->time_us, when);
    pst_str_clip((struct pst_str){when, 10}, out, size);
}

static void text_key(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(line->key, out, size);
}

static void text_secret(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(pst_str_of(line->slot == 1 ? "key1" : line->slot == 2 ? "key2" : ""), out, size);
}

static void text_route(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(line->route, out, size);
}

static void text_method(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(pst_str_of(pst_usage_method_text(line->method)), out, size);
}

static void text_status(const struct pst_usage_line *line, char *out, size_t size)
{
    snprintf(out, size, "%u", line->status);
}

static void text_class(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(pst_str_of(pst_usage_class_text(line->status_class)), out, size);
}

static void text_error(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(line->error, out, size);
}

static void text_endpoint(const struct pst_usage_line *line, char *out, size_t size)
{
    pst_str_clip(line->endpoint, out, size);
}

static const struct group {
    const char *name;    /* in --by */
    const char *field;   /* in JSON and CSV */
    const char *heading; /* in the table */
    unsigned bit;
    void (*text)(const struct pst_usage_line *line, char *out, size_t size);
} groups[] = {
    {"hour", "hour", "HOUR", PST_BY_HOUR, text_hour},
    {"day", "day", "DAY", PST_BY_DAY, text_day},
    {"key", "key_id", "KEY", PST_BY_KEY, text_key},
    {"secret", "secret", "SECRET", PST_BY_SECRET, text_secret},
    {"route", "route", "ROUTE", PST_BY_ROUTE, text_route},
    {"method", "method", "METHOD", PST_BY_METHOD, text_method},
    {"status", "status", "STATUS", PST_BY_STATUS, text_status},
    {"class", "class", "CLASS", PST_BY_CLASS, text_class},
    {"error", "error", "ERROR", PST_BY_ERROR, text_error},
    {"endpoint", "endpoint", "ENDPOINT", PST_BY_ENDPOINT, text_endpoint},
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static const struct number {
    const char *field;
    const char *heading;
    bool whole;
} numbers[] = {
    {"requests", ">REQUESTS", true},        {"errors", ">ERRORS", true},
    {"bytes_in", ">BYTES IN", true},        {"bytes_out", ">BYTES OUT", true},
    {"duration_ms_avg", ">AVG MS", false},  {"duration_ms_max", ">MAX MS", false},
    {"ttfb_ms_avg", ">AVG TTFB MS", false},
};

#define N_NUMBERS   (sizeof(numbers) / sizeof(numbers[0]))
#define N_COLUMNS   (N_GROUPS + N_NUMBERS + 1) /* a key has two: its id and its name */
#define NAMES_BYTES 128

/* "hour, day, key, ..." */
static const char *group_names(void)
{
    static char names[NAMES_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < N_GROUPS && used < sizeof(names); i++)
        used +=
            (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "", groups[i].name);
    return names;
}

static char by_help[NAMES_BYTES + 128];

static const struct pst_option options[] = {
    {"by", "WHAT", by_help, &by_text, NULL},
    {"from", "TIME",
     "from this hour on: 2026-11-23, 2026-11-23T16:00:00Z, or how long ago (7d, 12h); the time is rounded "
     "down to "
     "the hour",
     &from_text, NULL},
    {"to", "TIME", "up to this time, written in the same ways", &to_text, NULL},
    {"key", "KEY", "of this key only, by id or name", &key_text, NULL},
    {"json", NULL, "print a JSON array of rows", NULL, &as_json},
    {"csv", NULL, "print CSV with a header row (RFC 4180)", NULL, &as_csv},
};

static const struct pst_usage usage = {
    .synopsis = "usage [--by key,day,...] [--from TIME] [--to TIME] [--key KEY] [--json | --csv]",
    .about = "Prints usage totals from usage.db in data_dir, also while the gateway is running. Requests of "
             "the last "
             "second may not be included yet. Times are UTC.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .takes_settings = true,
};

/* A report under way. */
struct report {
    unsigned by;
    struct pst_keys_store *keys;      /* for names; NULL: they cannot be read */
    char key_id[PST_KEYS_ID_MAX + 1]; /* of --key */
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
            return pst_cmd_wrong_usage(&usage, "--by \"" PST_STR_FMT "\" is not one of %s", PST_STR_ARG(word),
                                       group_names());
        by |= groups[i].bit;
    }
    if ((by & PST_BY_HOUR) != 0 && (by & PST_BY_DAY) != 0)
        return pst_cmd_wrong_usage(&usage, "--by takes either hour or day, not both");
    *ret_by = by;
    return -1;
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
        groups[i].text(line, text, sizeof(text));
        bool is_key = groups[i].bit == PST_BY_KEY;
        json_t *value = groups[i].bit == PST_BY_STATUS ? json_integer(line->status)
                        : text[0] != '\0'              ? json_string(text)
                                                       : json_null();
        json_object_set_new(row, groups[i].field, value);
        if (is_key) {
            key_name(report, line->key, text, sizeof(text));
            json_object_set_new(row, "name", text[0] != '\0' ? json_string(text) : json_null());
        }
    }
    number_values(line, values);
    for (size_t i = 0; i < N_NUMBERS; i++)
        json_object_set_new(row, numbers[i].field,
                            numbers[i].whole ? json_integer((json_int_t)values[i]) : json_real(values[i]));
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
        groups[i].text(line, text, sizeof(text));
        cell(report, text[0] == '\0' && report->table != NULL ? "-" : text, &first);
        if (groups[i].bit == PST_BY_KEY) {
            key_name(report, line->key, text, sizeof(text));
            cell(report, text[0] == '\0' && report->table != NULL ? "-" : text, &first);
        }
    }
    number_values(line, values);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        snprintf(text, sizeof(text), numbers[i].whole ? "%.0f" : "%.3f", values[i]);
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

static size_t headings(const struct report *report, const char *out[static N_COLUMNS])
{
    size_t n = 0;
    for (size_t i = 0; i < N_GROUPS; i++) {
        if ((report->by & groups[i].bit) == 0)
            continue;
        out[n++] = as_csv ? groups[i].field : groups[i].heading;
        if (groups[i].bit == PST_BY_KEY)
            out[n++] = as_csv ? "name" : "NAME";
    }
    for (size_t i = 0; i < N_NUMBERS; i++)
        out[n++] = as_csv ? numbers[i].field : numbers[i].heading;
    return n;
}

static int begin(struct report *report)
{
    const char *columns[N_COLUMNS];
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

static int take_any(const struct pst_usage_line *line, void *arg)
{
    (void)line;
    *(bool *)arg = true;
    return 1;
}

/* A deleted key is in the totals for as long as they are kept, though no name leads to it any more. */
static int find_used(struct pst_usage_store *store, const char *word, char id[static PST_KEYS_ID_MAX + 1])
{
    struct pst_str given = pst_str_of(word);
    if (pst_str_starts(given, PST_STR(PST_KEY_PREFIX)))
        given = pst_str_skip(given, sizeof(PST_KEY_PREFIX) - 1);
    const struct pst_usage_query query = {.by = PST_BY_KEY, .key = given};
    bool used = false;
    int err = store != NULL && given.len > 0 && given.len <= PST_KEYS_ID_MAX
                  ? pst_usage_store_sums(store, &query, take_any, &used)
                  : 0;
    pst_str_clip(given, id, PST_KEYS_ID_MAX + 1);
    return used ? 0 : err < 0 ? err : -PST_ENOENT;
}

/* --key. 0, or an error after a message. */
static int find_key(struct report *report, struct pst_usage_store *store, struct pst_usage_query *query)
{
    if (key_text == NULL)
        return 0;
    int err = report->keys != NULL ? key_find_in(report->keys, key_text, report->key_id) : -PST_ENOENT;
    if (err == -PST_ENOENT)
        err = find_used(store, key_text, report->key_id);
    query->key = pst_str_of(report->key_id);
    if (err == -PST_ENOENT)
        (void)key_unknown(key_text);
    else if (err < 0 && err != -PST_EEXIST)
        pst_cmd_error("%s", pst_strerror(err));
    return err;
}

static int sum_up(struct report *report, struct pst_usage_store *store, const struct pst_usage_query *query)
{
    int err = begin(report);
    if (err == 0 && store != NULL) /* no store yet: nothing was used */
        err = pst_usage_store_sums(store, query, add_line, report);
    if (err < 0)
        pst_cmd_error("%s", store != NULL ? pst_usage_store_why(store) : pst_strerror(err));
    end(report);
    return err;
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
    err = find_key(report, store, query);
    if (err == 0)
        err = sum_up(report, store, query);
    pst_usage_store_close(store);
    pst_keys_close(report->keys);
    return err;
}

int pst_cmd_usage(int argc, char **argv)
{
    struct pst_args args;
    struct pst_usage_query query = {0};
    struct report report = {0};
    snprintf(by_help, sizeof(by_help), "what to group by: %s; several separated by commas (default: key)",
             group_names());
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done < 0)
        done = parse_by(&query.by);
    if (done < 0)
        done = pst_cmd_take_time(&usage, "from", from_text, PST_CMD_AGO, &query.from_us);
    if (done < 0)
        done = pst_cmd_take_time(&usage, "to", to_text, PST_CMD_AGO, &query.to_us);
    if (done < 0 && as_json && as_csv)
        done = pst_cmd_wrong_usage(&usage, "use either --json or --csv, not both");
    if (done >= 0)
        return done;
    struct pst_settings settings;
    if (pst_cmd_settings(&args, &settings) < 0)
        return PST_EXIT_FAILED;
    report.by = query.by;
    int err = run_query(settings.data_dir, &query, &report);
    pst_settings_done(&settings);
    return err < 0 ? PST_EXIT_FAILED : pst_cmd_finish();
}
