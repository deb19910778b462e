/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests, read in pages. */
#include "postern/base/buf.h"
#include "usage_private.h"

/* Rows that one page may cost to look at: a fifth of a second on a slow machine. */
#define WINDOW_ROWS 200000

/* Rows are numbered in the order they were written, which is nearly that of time; the spans tell where a time
 * is. Rows [bottom, top) may answer. */
static int find_range(struct pst_usage_store *store, const struct pst_usage_request_query *query,
                      int64_t *ret_bottom, int64_t *ret_top)
{
    static const char sql[] = "SELECT coalesce((SELECT min(first) FROM span WHERE max_us >= ?1), (SELECT "
                              "max(n) + 1 FROM request), 0),"
                              " coalesce((SELECT max(last) + 1 FROM span WHERE min_us < ?2), 0)";
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, query->from_us);
    sqlite3_bind_int64(stmt, 2, query->to_us > 0 ? query->to_us : INT64_MAX);
    err = pst_db_step(&store->db, stmt, "finding requests");
    if (err > 0) {
        *ret_bottom = sqlite3_column_int64(stmt, 0);
        *ret_top = sqlite3_column_int64(stmt, 1);
        if (query->before > 0 && (int64_t)query->before < *ret_top)
            *ret_top = (int64_t)query->before;
    }
    pst_db_finalize(&stmt, 1);
    return err < 0 ? err : 0;
}

static int prepare(struct pst_usage_store *store, const struct pst_usage_request_query *query,
                   sqlite3_stmt **ret)
{
    struct pst_buf sql;
    pst_buf_init(&sql, 4096);
    pst_buf_add_cstr(
        &sql, "SELECT r.n, r.time_us, r.duration_us, r.ttfb_us, r.bytes_in, r.bytes_out, r.what, r.client, "
              "r.request_id, typeof(r.request_id) = 'text', coalesce(key.id, ''), coalesce(route.path, ''), "
              "coalesce(e.text, ''), coalesce(c.text, ''), coalesce(u.text, '') "
              "FROM request r LEFT JOIN key ON key.key = r.key LEFT JOIN route ON route.route = r.route "
              "LEFT JOIN name e ON e.name = r.error LEFT JOIN name c ON c.name = r.endpoint "
              "LEFT JOIN name u ON u.name = r.rule "
              "WHERE r.n >= ?1 AND r.n < ?2 AND r.time_us >= ?3 AND r.time_us < ?4");
    if (query->key.len > 0)
        pst_buf_add_cstr(&sql, " AND r.key = (SELECT key FROM key WHERE id = ?5)");
    if (query->route.len > 0)
        pst_buf_add_cstr(&sql, " AND r.route = (SELECT route FROM route WHERE path = ?6)");
    if (query->status > 0)
        pst_buf_add_cstr(&sql, " AND r.what & 1023 = ?7");
    if (query->error.len > 0)
        pst_buf_add_cstr(&sql, " AND r.error = (SELECT name FROM name WHERE text = ?9)");
    pst_buf_add_cstr(&sql, " ORDER BY r.n DESC LIMIT ?8");
    const char *text = pst_buf_cstr(&sql);
    int err = text != NULL ? pst_db_prepare(&store->db, ret, text) : -PST_ENOMEM;
    pst_buf_done(&sql);
    return err;
}

static void bind(sqlite3_stmt *stmt, const struct pst_usage_request_query *query, int64_t low, int64_t top)
{
    sqlite3_bind_int64(stmt, 1, low);
    sqlite3_bind_int64(stmt, 2, top);
    sqlite3_bind_int64(stmt, 3, query->from_us);
    sqlite3_bind_int64(stmt, 4, query->to_us > 0 ? query->to_us : INT64_MAX);
    if (query->key.len > 0)
        pst_db_bind_text(stmt, 5, query->key);
    if (query->route.len > 0)
        pst_db_bind_text(stmt, 6, query->route);
    if (query->status > 0)
        sqlite3_bind_int64(stmt, 7, query->status);
    sqlite3_bind_int64(stmt, 8, (int64_t)query->limit);
    if (query->error.len > 0)
        pst_db_bind_text(stmt, 9, query->error);
}

static struct pst_usage_request read_request(sqlite3_stmt *stmt)
{
    return (struct pst_usage_request){
        .row =
            {
                .time_us = sqlite3_column_int64(stmt, 1),
                .duration_us = (uint64_t)sqlite3_column_int64(stmt, 2),
                .ttfb_us = (uint64_t)sqlite3_column_int64(stmt, 3),
                .bytes_in = (uint64_t)sqlite3_column_int64(stmt, 4),
                .bytes_out = (uint64_t)sqlite3_column_int64(stmt, 5),
                .what = (uint64_t)sqlite3_column_int64(stmt, 6),
                .client = sqlite3_column_blob(stmt, 7),
                .client_len = (size_t)sqlite3_column_bytes(stmt, 7),
                .request_id = sqlite3_column_blob(stmt, 8),
                .request_id_len = (size_t)sqlite3_column_bytes(stmt, 8),
                .request_id_is_text = sqlite3_column_int(stmt, 9) != 0,
            },
        .key = pst_db_text(stmt, 10),
        .route = pst_db_text(stmt, 11),
        .error = pst_db_text(stmt, 12),
        .endpoint = pst_db_text(stmt, 13),
        .rule = pst_db_text(stmt, 14),
    };
}

/* Where a page's window ends: some rows below `top`. Numbers may have gaps, where rows without a key were. */
static int find_low(struct pst_usage_store *store, int64_t bottom, int64_t top, int64_t *ret_low)
{
    static const char sql[] =
        "SELECT n FROM request WHERE n >= ?1 AND n < ?2 ORDER BY n DESC LIMIT 1 OFFSET ?3";
    sqlite3_stmt *stmt = NULL;
    *ret_low = bottom;
    if (top - bottom <= WINDOW_ROWS)
        return 0;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, bottom);
    sqlite3_bind_int64(stmt, 2, top);
    sqlite3_bind_int64(stmt, 3, WINDOW_ROWS - 1);
    err = pst_db_step(&store->db, stmt, "finding requests");
    if (err > 0)
        *ret_low = sqlite3_column_int64(stmt, 0);
    pst_db_finalize(&stmt, 1);
    return err < 0 ? err : 0;
}

int pst_usage_store_requests(struct pst_usage_store *store, const struct pst_usage_request_query *query,
                             pst_usage_request_fn *fn, void *arg, uint64_t *ret_next)
{
    int64_t bottom = 0, top = 0, low = 0, last = 0;
    uint64_t got = 0;
    sqlite3_stmt *stmt = NULL;
    int err = find_range(store, query, &bottom, &top);
    if (err == 0)
        err = find_low(store, bottom, top, &low);
    if (err == 0)
        err = prepare(store, query, &stmt);
    if (err < 0)
        return err;
    bind(stmt, query, low, top);
    while ((err = pst_db_step(&store->db, stmt, "reading requests")) > 0) {
        const struct pst_usage_request request = read_request(stmt);
        last = sqlite3_column_int64(stmt, 0);
        got++;
        int stop = fn(&request, arg);
        if (stop != 0) {
            err = stop < 0 ? stop : 0;
            break;
        }
    }
    pst_db_finalize(&stmt, 1);
    int64_t next = got == query->limit ? last : low;
    *ret_next = next > bottom ? (uint64_t)next : 0;
    return err;
}
