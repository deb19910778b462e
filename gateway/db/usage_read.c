/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about usage, answered from the sums. */
#include "postern/base/buf.h"
#include "usage_private.h"

#include <string.h>

#define HOUR_US   (INT64_C(3600) * 1000000)
#define DAY_US    (24 * HOUR_US)
#define MINUTE_US (INT64_C(60) * 1000000)

/* Sums by day answer whole days; sums by hour all else, as far back as they are kept. */
static bool from_days(const struct pst_usage_query *query)
{
    return (query->by & PST_BY_HOUR) == 0 && query->from_us % DAY_US == 0 && query->to_us % DAY_US == 0;
}

struct column {
    unsigned by;
    const char *expression;
};

static const struct column columns[] = {
    {PST_BY_KEY, "coalesce(key.id, '')"}, {PST_BY_ROUTE, "coalesce(route.path, '')"},
    {PST_BY_HOUR | PST_BY_DAY, NULL},     {PST_BY_SECRET, "s.slot"},
    {PST_BY_STATUS, "s.status"},          {PST_BY_METHOD, "s.method"},
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const char *time_expression(const struct pst_usage_query *query, bool days)
{
    if ((query->by & PST_BY_HOUR) != 0)
        return "s.hour * 3600000000";
    return days ? "s.day * 86400000000" : "s.hour / 24 * 86400000000";
}

static void add_conditions(struct pst_buf *sql, const struct pst_usage_query *query, bool days)
{
    const char *period = days ? "s.day" : "s.hour";
    pst_buf_printf(sql, " WHERE %s >= ?1 AND %s < ?2", period, period);
    if (query->key.len > 0)
        pst_buf_add_cstr(sql, " AND s.key = (SELECT key FROM key WHERE id = ?3)");
    if (query->route.len > 0)
        pst_buf_add_cstr(sql, " AND s.route = (SELECT route FROM route WHERE path = ?4)");
    if (query->status > 0)
        pst_buf_add_cstr(sql, " AND s.status = ?5");
}

/* Six columns that are grouped by (or a constant), then the sums. */
static void write_sql(struct pst_buf *sql, const struct pst_usage_query *query, bool days)
{
    pst_buf_add_cstr(sql, "SELECT ");
    for (size_t i = 0; i < N_COLUMNS; i++) {
        const char *expression =
            columns[i].expression != NULL ? columns[i].expression : time_expression(query, days);
        pst_buf_printf(sql, "%s, ", (query->by & columns[i].by) != 0 ? expression : "0");
    }
    pst_buf_printf(
        sql,
        "sum(s.requests), sum(CASE WHEN s.status >= 400 OR s.status = 0 THEN s.requests ELSE 0 END), "
        "sum(s.bytes_in), sum(s.bytes_out), sum(s.duration_us), max(s.duration_max_us), sum(s.ttfb_us) "
        "FROM %s s LEFT JOIN key ON key.key = s.key LEFT JOIN route ON route.route = s.route",
        days ? "daily" : "hourly");
    add_conditions(sql, query, days);
    const char *separator = " GROUP BY ";
    for (size_t i = 0; i < N_COLUMNS; i++) {
        if ((query->by & columns[i].by) == 0)
            continue;
        pst_buf_printf(sql, "%s%zu", separator, i + 1);
        separator = ", ";
    }
    /* In time's order when there is a time, else the most used first. */
    bool by_time = (query->by & (PST_BY_HOUR | PST_BY_DAY)) != 0;
    if (query->by != 0)
        pst_buf_add_cstr(sql, by_time ? " ORDER BY 3, 7 DESC" : " ORDER BY 7 DESC");
}

static void bind(sqlite3_stmt *stmt, const struct pst_usage_query *query, bool days)
{
    int64_t period = days ? DAY_US : HOUR_US;
    sqlite3_bind_int64(stmt, 1, query->from_us / period);
    sqlite3_bind_int64(stmt, 2, query->to_us > 0 ? (query->to_us + period - 1) / period : INT64_MAX);
    if (query->key.len > 0)
        pst_db_bind_text(stmt, 3, query->key);
    if (query->route.len > 0)
        pst_db_bind_text(stmt, 4, query->route);
    if (query->status > 0)
        sqlite3_bind_int64(stmt, 5, query->status);
}

static struct pst_usage_line read_line(sqlite3_stmt *stmt, const struct pst_usage_query *query)
{
    struct pst_usage_line line = {
        .time_us = sqlite3_column_int64(stmt, 2),
        .slot = (uint32_t)sqlite3_column_int64(stmt, 3),
        .status = (uint32_t)sqlite3_column_int64(stmt, 4),
        .method = (uint32_t)sqlite3_column_int64(stmt, 5),
        .requests = (uint64_t)sqlite3_column_int64(stmt, 6),
        .errors = (uint64_t)sqlite3_column_int64(stmt, 7),
        .bytes_in = (uint64_t)sqlite3_column_int64(stmt, 8),
        .bytes_out = (uint64_t)sqlite3_column_int64(stmt, 9),
        .duration_us = (uint64_t)sqlite3_column_int64(stmt, 10),
        .duration_max_us = (uint64_t)sqlite3_column_int64(stmt, 11),
        .ttfb_us = (uint64_t)sqlite3_column_int64(stmt, 12),
    };
    if ((query->by & PST_BY_KEY) != 0)
        line.key = pst_db_text(stmt, 0);
    if ((query->by & PST_BY_ROUTE) != 0)
        line.route = pst_db_text(stmt, 1);
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
    bool days = from_days(query);
    struct pst_buf sql;
    sqlite3_stmt *stmt = NULL;
    pst_buf_init(&sql, 4096);
    write_sql(&sql, query, days);
    const char *text = pst_buf_cstr(&sql);
    int err = text != NULL ? pst_db_prepare(&store->db, &stmt, text) : -PST_ENOMEM;
    pst_buf_done(&sql);
    if (err == 0) {
        bind(stmt, query, days);
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
