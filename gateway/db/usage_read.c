/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about usage, answered from the sums. */
#include "postern/base/buf.h"
#include "usage_private.h"

#include <string.h>

#define HOUR_US   (INT64_C(3600) * 1000000)
#define MINUTE_US (INT64_C(60) * 1000000)
#define SQL_MAX   8192

static const struct table {
    const char *name;
    const char *period;
} hourly = {"hourly", "hour"}, daily = {"daily", "day"}, daily_total = {"daily_total", "day"};

/* Sums by day answer whole days, sums by hour the hours before and after them, as far back as those are kept.
 */
struct part {
    const struct table *table;
    int64_t low, high; /* days or hours, `high` excluded */
};

#define PARTS_MAX 3

static int64_t rounded_up(int64_t value, int64_t step)
{
    return value / step + (value % step != 0);
}

/* The table of days to ask: keys and routes are of no interest to most who ask, and there may be many. */
static const struct table *days_of(const struct pst_usage_query *query)
{
    bool total = (query->by & ~(unsigned)(PST_BY_DAY | PST_BY_STATUS | PST_BY_CLASS)) == 0;
    bool any = query->key.len == 0 && query->route.len == 0 && query->error.len == 0;
    return total && any ? &daily_total : &daily;
}

static size_t split(const struct pst_usage_query *query, struct part parts[PARTS_MAX])
{
    int64_t low = query->from_us / HOUR_US;
    int64_t high = query->to_us > 0 ? rounded_up(query->to_us, HOUR_US) : INT64_MAX;
    int64_t low_day = rounded_up(low, 24), high_day = high / 24;
    size_t n = 0;
    if ((query->by & PST_BY_HOUR) != 0 || low_day >= high_day) {
        parts[n++] = (struct part){&hourly, low, high};
        return n;
    }
    parts[n++] = (struct part){days_of(query), low_day, high_day};
    if (low < low_day * 24)
        parts[n++] = (struct part){&hourly, low, low_day * 24};
    if (query->to_us > 0 && high > high_day * 24)
        parts[n++] = (struct part){&hourly, high_day * 24, high};
    return n;
}

#define ERROR    "s.what >> 8 & 65535"
#define ENDPOINT "s.what >> 24 & 65535"

/* What may be grouped by. In the tables' rows it is a number; the names are looked up when the rows are few.
 */
static const struct column {
    unsigned by;
    const char *name;
    const char *number; /* in a table's row */
    const char *shown;
} columns[] = {
    {PST_BY_KEY, "key", "s.key", "coalesce(key.id, '')"},
    {PST_BY_ROUTE, "route", "s.route", "coalesce(route.path, '')"},
    {PST_BY_HOUR | PST_BY_DAY, "time", NULL, NULL},
    {PST_BY_SECRET, "slot", "s.slot", "u.slot"},
    {PST_BY_STATUS, "status", "s.status", "u.status"},
    {PST_BY_METHOD, "method", "s.what & 255", "u.method"},
    {PST_BY_CLASS, "class", "s.status / 100", "u.class"},
    {PST_BY_ERROR, "error", ERROR, "coalesce(e.text, '')"},
    {PST_BY_ENDPOINT, "endpoint", ENDPOINT, "coalesce(c.text, '')"},
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void add_grouping(struct pst_buf *sql, const struct pst_usage_query *query, const char *prefix)
{
    const char *separator = " GROUP BY ";
    for (size_t i = 0; i < N_COLUMNS; i++) {
        if ((query->by & columns[i].by) == 0)
            continue;
        pst_buf_printf(sql, "%s%s%s", separator, prefix, columns[i].name);
        separator = ", ";
    }
}

/* The sums of one part. A day of the table that has days is grouped by as it stands, so that the table's
 * order does for it. */
static void write_part(struct pst_buf *sql, const struct pst_usage_query *query, const struct part *part)
{
    const char *period = part->table->period;
    bool hours_to_days = part->table == &hourly && (query->by & PST_BY_HOUR) == 0;
    pst_buf_add_cstr(sql, "SELECT ");
    for (size_t i = 0; i < N_COLUMNS; i++) {
        if ((query->by & columns[i].by) == 0)
            continue;
        if (columns[i].number == NULL)
            pst_buf_printf(sql, "s.%s%s AS time, ", period, hours_to_days ? " / 24" : "");
        else
            pst_buf_printf(sql, "%s AS %s, ", columns[i].number, columns[i].name);
    }
    pst_buf_printf(
        sql,
        "sum(s.requests) AS requests, "
        "sum(CASE WHEN s.status >= 400 OR s.status = 0 THEN s.requests ELSE 0 END) AS errors, "
        "sum(s.bytes_in) AS bytes_in, sum(s.bytes_out) AS bytes_out, sum(s.duration_us) AS duration_us, "
        "max(s.duration_max_us) AS duration_max_us, sum(s.ttfb_us) AS ttfb_us FROM %s s "
        "WHERE s.%s >= %lld AND s.%s < %lld",
        part->table->name, period, (long long)part->low, period, (long long)part->high);
    if (pst_str_find(query->key, ',') >= 0)
        pst_buf_add_cstr(
            sql, " AND s.key IN (SELECT key FROM key WHERE instr(',' || ?1 || ',', ',' || id || ','))");
    else if (query->key.len > 0)
        pst_buf_add_cstr(sql, " AND s.key = (SELECT key FROM key WHERE id = ?1)");
    if (query->route.len > 0)
        pst_buf_add_cstr(sql, " AND s.route = (SELECT route FROM route WHERE path = ?2)");
    if (query->status > 0)
        pst_buf_add_cstr(sql, " AND s.status = ?3");
    if (query->error.len > 0)
        pst_buf_add_cstr(sql, " AND " ERROR " = (SELECT name FROM name WHERE text = ?4)");
    add_grouping(sql, query, "");
}

/* The columns that are grouped by (or a constant), then the sums. */
static void write_sql(struct pst_buf *sql, const struct pst_usage_query *query)
{
    struct part parts[PARTS_MAX];
    size_t n = split(query, parts);
    pst_buf_add_cstr(sql, "SELECT ");
    for (size_t i = 0; i < N_COLUMNS; i++) {
        const char *shown = columns[i].shown != NULL         ? columns[i].shown
                            : (query->by & PST_BY_HOUR) != 0 ? "u.time * 3600000000"
                                                             : "u.time * 86400000000";
        pst_buf_printf(sql, "%s, ", (query->by & columns[i].by) != 0 ? shown : "0");
    }
    pst_buf_add_cstr(sql, n > 1 ? "sum(u.requests), sum(u.errors), sum(u.bytes_in), sum(u.bytes_out), "
                                  "sum(u.duration_us), max(u.duration_max_us), sum(u.ttfb_us) FROM ("
                                : "u.requests, u.errors, u.bytes_in, u.bytes_out, u.duration_us, "
                                  "u.duration_max_us, u.ttfb_us FROM (");
    for (size_t i = 0; i < n; i++) {
        pst_buf_add_cstr(sql, i > 0 ? " UNION ALL " : "");
        write_part(sql, query, &parts[i]);
    }
    pst_buf_add_cstr(sql, ") u");
    if ((query->by & PST_BY_KEY) != 0)
        pst_buf_add_cstr(sql, " LEFT JOIN key ON key.key = u.key");
    if ((query->by & PST_BY_ROUTE) != 0)
        pst_buf_add_cstr(sql, " LEFT JOIN route ON route.route = u.route");
    if ((query->by & PST_BY_ERROR) != 0)
        pst_buf_add_cstr(sql, " LEFT JOIN name e ON e.name = u.error");
    if ((query->by & PST_BY_ENDPOINT) != 0)
        pst_buf_add_cstr(sql, " LEFT JOIN name c ON c.name = u.endpoint");
    if (n > 1)
        add_grouping(sql, query, "u.");
    /* In time's order when there is a time, else the most used first. */
    bool by_time = (query->by & (PST_BY_HOUR | PST_BY_DAY)) != 0;
    if (query->by != 0)
        pst_buf_add_cstr(sql, by_time ? " ORDER BY 3, 10 DESC" : " ORDER BY 10 DESC");
    if (query->lines_max > 0)
        pst_buf_printf(sql, " LIMIT %llu", (unsigned long long)query->lines_max);
}

static void bind(sqlite3_stmt *stmt, const struct pst_usage_query *query)
{
    if (query->key.len > 0)
        pst_db_bind_text(stmt, 1, query->key);
    if (query->route.len > 0)
        pst_db_bind_text(stmt, 2, query->route);
    if (query->status > 0)
        sqlite3_bind_int64(stmt, 3, query->status);
    if (query->error.len > 0)
        pst_db_bind_text(stmt, 4, query->error);
}

static struct pst_usage_line read_line(sqlite3_stmt *stmt, const struct pst_usage_query *query)
{
    struct pst_usage_line line = {
        .time_us = sqlite3_column_int64(stmt, 2),
        .slot = (uint32_t)sqlite3_column_int64(stmt, 3),
        .status = (uint32_t)sqlite3_column_int64(stmt, 4),
        .method = (uint32_t)sqlite3_column_int64(stmt, 5),
        .status_class = (uint32_t)sqlite3_column_int64(stmt, 6),
        .requests = (uint64_t)sqlite3_column_int64(stmt, 9),
        .errors = (uint64_t)sqlite3_column_int64(stmt, 10),
        .bytes_in = (uint64_t)sqlite3_column_int64(stmt, 11),
        .bytes_out = (uint64_t)sqlite3_column_int64(stmt, 12),
        .duration_us = (uint64_t)sqlite3_column_int64(stmt, 13),
        .duration_max_us = (uint64_t)sqlite3_column_int64(stmt, 14),
        .ttfb_us = (uint64_t)sqlite3_column_int64(stmt, 15),
    };
    if ((query->by & PST_BY_KEY) != 0)
        line.key = pst_db_text(stmt, 0);
    if ((query->by & PST_BY_ROUTE) != 0)
        line.route = pst_db_text(stmt, 1);
    if ((query->by & PST_BY_ERROR) != 0)
        line.error = pst_db_text(stmt, 7);
    if ((query->by & PST_BY_ENDPOINT) != 0)
        line.endpoint = pst_db_text(stmt, 8);
    return line;
}

static int each_line(struct pst_usage_store *store, sqlite3_stmt *stmt, const struct pst_usage_query *query,
                     pst_usage_line_fn *fn, void *arg)
{
    int err;
    while ((err = pst_db_step(&store->db, stmt, "summing up")) > 0) {
        struct pst_usage_line line = read_line(stmt, query);
        if (line.requests == 0) /* the one line of an empty sum */
            continue;
        int stop = fn(&line, arg);
        if (stop != 0)
            return stop < 0 ? stop : 0;
    }
    return err;
}

int pst_usage_store_sums(struct pst_usage_store *store, const struct pst_usage_query *query,
                         pst_usage_line_fn *fn, void *arg)
{
    struct pst_buf sql;
    sqlite3_stmt *stmt = NULL;
    pst_buf_init(&sql, SQL_MAX);
    write_sql(&sql, query);
    const char *text = pst_buf_cstr(&sql);
    int err = text != NULL ? pst_db_prepare(&store->db, &stmt, text) : -PST_ENOMEM;
    pst_buf_done(&sql);
    if (err == 0) {
        bind(stmt, query);
        err = each_line(store, stmt, query, fn, arg);
    }
    pst_db_finalize(&stmt, 1);
    return err;
}

int pst_usage_store_last_used(struct pst_usage_store *store, struct pst_str key_id,
                              struct pst_usage_last *ret)
{
    static const char sql[] =
        "SELECT last1_us, last2_us, max(last0_us, last1_us, last2_us) FROM key WHERE id = ?";
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_LAST_USED, sql, &stmt);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, key_id);
    err = pst_db_step(&store->db, stmt, "reading a key's last use");
    if (err < 0)
        return err;
    *ret = (struct pst_usage_last){0};
    if (err > 0)
        *ret = (struct pst_usage_last){
            .any_us = sqlite3_column_int64(stmt, 2),
            .slot_us = {sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1)},
        };
    pst_db_reset(stmt);
    return 0;
}

int pst_usage_store_old_uses(struct pst_usage_store *store, struct pst_str key_id, int slot, int64_t since_us,
                             struct pst_usage_old *ret)
{
    static const char sql[] =
        "SELECT coalesce(sum(requests), 0), coalesce(max(last_us), 0) FROM old_use "
        "WHERE key = (SELECT key FROM key WHERE id = ?1) AND slot = ?2 AND minute >= ?3";
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_OLD_USES, sql, &stmt);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, key_id);
    sqlite3_bind_int(stmt, 2, slot);
    sqlite3_bind_int64(stmt, 3, since_us / MINUTE_US);
    err = pst_db_step(&store->db, stmt, "counting uses of an old secret");
    if (err < 0)
        return err;
    *ret = (struct pst_usage_old){(uint64_t)sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1)};
    pst_db_reset(stmt);
    return 0;
}

int pst_usage_store_losses(struct pst_usage_store *store, uint64_t *ret_requests)
{
    int64_t requests = 0;
    int err = pst_db_number(&store->db, "SELECT coalesce(sum(requests), 0) FROM loss", 0, &requests);
    if (err == 0)
        *ret_requests = (uint64_t)requests;
    return err;
}
