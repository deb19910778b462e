/* SPDX-License-Identifier: Apache-2.0 */
/* Writing usage: within a transaction of the keeper's. */
#include "usage_private.h"

#include <string.h>

int pst_usage_store_begin(struct pst_usage_store *store)
{
    return pst_db_begin(&store->db);
}

/* The newest entry of the sparse time index, with the rows that were added since. */
static int write_span(struct pst_usage_store *store)
{
    sqlite3_stmt *stmt;
    if (!store->span_dirty)
        return 0;
    int err = usage_stmt(
        store, USAGE_SET_SPAN,
        "INSERT INTO span VALUES (?, ?, ?, ?) ON CONFLICT (first) DO UPDATE SET last = excluded.last, "
        "min_us = excluded.min_us, max_us = excluded.max_us",
        &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, store->span_first);
    sqlite3_bind_int64(stmt, 2, store->span_last);
    sqlite3_bind_int64(stmt, 3, store->span_min_us);
    sqlite3_bind_int64(stmt, 4, store->span_max_us);
    err = pst_db_run(&store->db, stmt, "adding to the index of times");
    if (err == 0)
        store->span_dirty = false;
    return err;
}

int pst_usage_store_commit(struct pst_usage_store *store)
{
    int err = write_span(store);
    return err < 0 ? err : pst_db_commit(&store->db);
}

void pst_usage_store_rollback(struct pst_usage_store *store)
{
    store->span_first = 0; /* a new span: what was in the old one may be undone */
    store->span_dirty = false;
    store->n_keyless = -1;
    pst_db_rollback(&store->db);
}

/* Journals */

int pst_usage_store_cursor(struct pst_usage_store *store, const uint8_t uuid[static PST_USAGE_UUID_BYTES],
                           uint64_t *ret_drained, uint64_t *ret_lost)
{
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_CURSOR, "SELECT drained, lost FROM journal WHERE uuid = ?", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, uuid, PST_USAGE_UUID_BYTES, SQLITE_STATIC);
    err = pst_db_step(&store->db, stmt, "reading a journal's place");
    if (err < 0)
        return err;
    *ret_drained = err > 0 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    *ret_lost = err > 0 ? (uint64_t)sqlite3_column_int64(stmt, 1) : 0;
    pst_db_reset(stmt);
    return err;
}

int pst_usage_store_set_cursor(struct pst_usage_store *store, const uint8_t uuid[static PST_USAGE_UUID_BYTES],
                               uint64_t drained, uint64_t lost)
{
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_SET_CURSOR, "INSERT OR REPLACE INTO journal VALUES (?, ?, ?)", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, uuid, PST_USAGE_UUID_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (int64_t)drained);
    sqlite3_bind_int64(stmt, 3, (int64_t)lost);
    return pst_db_run(&store->db, stmt, "writing a journal's place");
}

static int drop_cursor(struct pst_usage_store *store, const uint8_t uuid[static PST_USAGE_UUID_BYTES])
{
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_DROP_CURSOR, "DELETE FROM journal WHERE uuid = ?", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, uuid, PST_USAGE_UUID_BYTES, SQLITE_STATIC);
    return pst_db_run(&store->db, stmt, "forgetting a journal");
}

/* A place of a journal that is gone, looked for behind `*after`. 1: found. */
static int next_gone(struct pst_usage_store *store, pst_usage_keep_fn *keep, void *arg,
                     uint8_t after[static PST_USAGE_UUID_BYTES])
{
    sqlite3_stmt *stmt;
    int err =
        usage_stmt(store, USAGE_CURSORS, "SELECT uuid FROM journal WHERE uuid > ? ORDER BY uuid", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, after, PST_USAGE_UUID_BYTES, SQLITE_TRANSIENT);
    while ((err = pst_db_step(&store->db, stmt, "reading the journals' places")) > 0) {
        memcpy(after, sqlite3_column_blob(stmt, 0), PST_USAGE_UUID_BYTES);
        if (!keep(arg, after))
            break;
    }
    if (err > 0)
        pst_db_reset(stmt);
    return err;
}

int pst_usage_store_keep_cursors(struct pst_usage_store *store, pst_usage_keep_fn *keep, void *arg)
{
    uint8_t uuid[PST_USAGE_UUID_BYTES] = {0};
    int err;
    while ((err = next_gone(store, keep, arg, uuid)) > 0) {
        err = drop_cursor(store, uuid);
        if (err < 0)
            return err;
    }
    return err;
}

/* Dictionaries */

static int find_or_add(struct pst_usage_store *store, sqlite3_stmt *find, sqlite3_stmt *add,
                       struct pst_str text, int64_t *ret_number)
{
    pst_db_bind_text(find, 1, text);
    int err = pst_db_step(&store->db, find, "looking up a name");
    if (err < 0)
        return err;
    if (err > 0) {
        *ret_number = sqlite3_column_int64(find, 0);
        pst_db_reset(find);
        return 0;
    }
    pst_db_bind_text(add, 1, text);
    err = pst_db_run(&store->db, add, "adding a name");
    if (err == 0)
        *ret_number = sqlite3_last_insert_rowid(store->db.handle);
    return err;
}

int pst_usage_store_key(struct pst_usage_store *store, struct pst_str id, int64_t *ret_number)
{
    sqlite3_stmt *find, *add;
    if (id.len == 0) {
        *ret_number = 0;
        return 0;
    }
    int err = usage_stmt(store, USAGE_FIND_KEY, "SELECT key FROM key WHERE id = ?", &find);
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD_KEY, "INSERT INTO key (id) VALUES (?)", &add);
    return err < 0 ? err : find_or_add(store, find, add, id, ret_number);
}

int pst_usage_store_route(struct pst_usage_store *store, struct pst_str path, int64_t *ret_number)
{
    sqlite3_stmt *find, *add;
    int err = usage_stmt(store, USAGE_FIND_ROUTE, "SELECT route FROM route WHERE path = ?", &find);
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD_ROUTE, "INSERT INTO route (path) VALUES (?)", &add);
    return err < 0 ? err : find_or_add(store, find, add, path, ret_number);
}

int pst_usage_store_name(struct pst_usage_store *store, struct pst_str text, int64_t *ret_number)
{
    static const char sql[] = "INSERT INTO name (text) VALUES (?)";
    sqlite3_stmt *find, *add;
    int64_t number = 0;
    int err = usage_stmt(store, USAGE_FIND_NAME, "SELECT name FROM name WHERE text = ?", &find);
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD_NAME, sql, &add);
    if (err == 0 && text.len > 0)
        err = find_or_add(store, find, add, text, &number);
    if (err == 0)
        *ret_number = number <= PST_USAGE_NAMES_MAX ? number : 0;
    return err;
}

int pst_usage_store_routes(struct pst_usage_store *store,
                           void (*fn)(void *arg, struct pst_str path, int64_t number), void *arg)
{
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_ROUTES, "SELECT path, route FROM route", &stmt);
    if (err < 0)
        return err;
    while ((err = pst_db_step(&store->db, stmt, "reading the routes")) > 0)
        fn(arg, pst_db_text(stmt, 0), sqlite3_column_int64(stmt, 1));
    return err;
}

/* Rows */

static void grow_span(struct pst_usage_store *store, int64_t n, int64_t time_us)
{
    if (store->span_first == 0 || n - store->span_first >= USAGE_SPAN_ROWS) {
        store->span_first = n;
        store->span_min_us = store->span_max_us = time_us;
    }
    store->span_last = n;
    if (time_us < store->span_min_us)
        store->span_min_us = time_us;
    if (time_us > store->span_max_us)
        store->span_max_us = time_us;
    store->span_dirty = true;
}

int pst_usage_store_add(struct pst_usage_store *store, const struct pst_usage_row *row)
{
    sqlite3_stmt *stmt;
    bool span_full = store->span_first > 0 && store->span_last - store->span_first >= USAGE_SPAN_ROWS - 1;
    int err = span_full ? write_span(store) : 0;
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD,
                         "INSERT INTO request VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, row->time_us);
    sqlite3_bind_int64(stmt, 2, (int64_t)row->duration_us);
    sqlite3_bind_int64(stmt, 3, (int64_t)row->ttfb_us);
    sqlite3_bind_int64(stmt, 4, (int64_t)row->bytes_in);
    sqlite3_bind_int64(stmt, 5, (int64_t)row->bytes_out);
    sqlite3_bind_int64(stmt, 6, row->key);
    sqlite3_bind_int64(stmt, 7, row->route);
    sqlite3_bind_int64(stmt, 8, (int64_t)row->what);
    sqlite3_bind_blob(stmt, 9, row->client, (int)row->client_len, SQLITE_STATIC);
    if (row->request_id_len == 0)
        sqlite3_bind_null(stmt, 10);
    else if (row->request_id_is_text)
        sqlite3_bind_text(stmt, 10, row->request_id, (int)row->request_id_len, SQLITE_STATIC);
    else
        sqlite3_bind_blob(stmt, 10, row->request_id, (int)row->request_id_len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 11, row->error);
    sqlite3_bind_int64(stmt, 12, row->endpoint);
    sqlite3_bind_int64(stmt, 13, row->rule);
    /* Every parameter is bound again for the next row: clearing them in between would only cost. */
    int rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    if (rc != SQLITE_DONE)
        return pst_db_fail(&store->db, rc, "adding a request");
    grow_span(store, sqlite3_last_insert_rowid(store->db.handle), row->time_us);
    return row->key == 0 ? usage_keyless_added(store) : 0;
}

/* Sums */

#define ADD_TO(table, columns, marks)                                                                        \
    "INSERT INTO " table " VALUES (" marks ", ?, ?, ?, ?, ?, ?) ON CONFLICT (" columns                       \
    ") DO UPDATE SET requests = requests + excluded.requests, "                                              \
    "bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out, "                  \
    "duration_us = duration_us + excluded.duration_us, "                                                     \
    "duration_max_us = max(duration_max_us, excluded.duration_max_us), ttfb_us = ttfb_us + excluded.ttfb_us"

#define GROUP       ", key, slot, route, what, status"
#define GROUP_MARKS "?, ?, ?, ?, ?, ?"

static int add_to(struct pst_usage_store *store, sqlite3_stmt *stmt, const int64_t *group, int n,
                  const struct pst_usage_sum *sum)
{
    const uint64_t amounts[] = {sum->requests,    sum->bytes_in,        sum->bytes_out,
                                sum->duration_us, sum->duration_max_us, sum->ttfb_us};
    for (int i = 0; i < n; i++)
        sqlite3_bind_int64(stmt, i + 1, group[i]);
    for (int i = 0; i < 6; i++)
        sqlite3_bind_int64(stmt, n + i + 1, (int64_t)amounts[i]);
    return pst_db_run(&store->db, stmt, "adding to the sums");
}

int pst_usage_store_add_sum(struct pst_usage_store *store, const struct pst_usage_sum *sum)
{
    const int64_t what = sum->method | sum->error << 8 | sum->endpoint << 24;
    int64_t group[] = {sum->hour, sum->key, sum->slot, sum->route, what, sum->status};
    const int64_t total[] = {sum->hour / 24, sum->status};
    sqlite3_stmt *hourly, *daily, *totals;
    int err = usage_stmt(store, USAGE_ADD_HOURLY, ADD_TO("hourly", "hour" GROUP, GROUP_MARKS), &hourly);
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD_DAILY, ADD_TO("daily", "day" GROUP, GROUP_MARKS), &daily);
    if (err == 0)
        err = usage_stmt(store, USAGE_ADD_TOTAL, ADD_TO("daily_total", "day, status", "?, ?"), &totals);
    if (err == 0)
        err = add_to(store, hourly, group, 6, sum);
    group[0] = sum->hour / 24;
    if (err == 0)
        err = add_to(store, daily, group, 6, sum);
    return err < 0 ? err : add_to(store, totals, total, 2, sum);
}

#define TOUCH(column) "UPDATE key SET " column " = max(" column ", ?) WHERE key = ?"

int pst_usage_store_touch(struct pst_usage_store *store, int64_t key, int slot, int64_t time_us)
{
    sqlite3_stmt *stmt;
    int err = slot == 2   ? usage_stmt(store, USAGE_TOUCH2, TOUCH("last2_us"), &stmt)
              : slot == 1 ? usage_stmt(store, USAGE_TOUCH1, TOUCH("last1_us"), &stmt)
                          : usage_stmt(store, USAGE_TOUCH0, TOUCH("last0_us"), &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, time_us);
    sqlite3_bind_int64(stmt, 2, key);
    return pst_db_run(&store->db, stmt, "noting a key's last use");
}

int pst_usage_store_add_old(struct pst_usage_store *store, int64_t key, int slot, int64_t minute,
                            uint64_t requests, int64_t last_us)
{
    static const char sql[] =
        "INSERT INTO old_use VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, slot, minute) DO UPDATE SET "
        "requests = requests + excluded.requests, last_us = max(last_us, excluded.last_us)";
    const int64_t values[] = {key, slot, minute, (int64_t)requests, last_us};
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_ADD_OLD, sql, &stmt);
    if (err < 0)
        return err;
    for (int i = 0; i < 5; i++)
        sqlite3_bind_int64(stmt, i + 1, values[i]);
    return pst_db_run(&store->db, stmt, "counting a use of an old secret");
}

int pst_usage_store_add_loss(struct pst_usage_store *store, int64_t hour, uint64_t requests)
{
    sqlite3_stmt *stmt;
    int err =
        usage_stmt(store, USAGE_ADD_LOSS,
                   "INSERT INTO loss VALUES (?, ?) ON CONFLICT (hour) DO UPDATE SET requests = requests + "
                   "excluded.requests",
                   &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, hour);
    sqlite3_bind_int64(stmt, 2, (int64_t)requests);
    return pst_db_run(&store->db, stmt, "noting a loss");
}

/* Forgetting */

/* Rows of each table that one call may delete: some milliseconds. */
#define FORGET_ROWS 5000

/* Runs one deletion; *deleted says whether it found something. */
static int forget(struct pst_usage_store *store, const char *sql, int64_t before, bool *deleted)
{
    sqlite3_stmt *stmt = NULL;
    *deleted = false;
    if (before <= 0)
        return 0;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, before);
    sqlite3_bind_int64(stmt, 2, FORGET_ROWS);
    err = pst_db_run(&store->db, stmt, "forgetting what is too old");
    *deleted = err == 0 && sqlite3_changes(store->db.handle) > 0;
    pst_db_finalize(&stmt, 1);
    return err;
}

/* A whole span at a time, wherever it is (a clock that was wrong for a while must not hold up the rest); then
 * what is too old in front of the oldest one left, so that a quiet gateway forgets in time too. */
static int forget_raw(struct pst_usage_store *store, int64_t before_us, bool *more)
{
    bool rows, span;
    int err =
        forget(store,
               "DELETE FROM request WHERE n BETWEEN (SELECT min(first) FROM span WHERE max_us < ?1) AND "
               "(SELECT last FROM span WHERE max_us < ?1 ORDER BY first LIMIT 1)",
               before_us, &rows);
    if (err == 0)
        err = forget(store, "DELETE FROM span WHERE first = (SELECT min(first) FROM span WHERE max_us < ?1)",
                     before_us, &span);
    if (err < 0)
        return err;
    *more |= span;
    if (span)
        return 0;
    return forget(store,
                  "DELETE FROM request WHERE n IN (SELECT n FROM (SELECT n, time_us FROM request ORDER BY n "
                  "LIMIT ?2) WHERE time_us < ?1)",
                  before_us, &rows);
}

#define FORGET_SUMS(table, period)                                                                           \
    "DELETE FROM " table " WHERE (" period ", key, slot, route, what, status) IN (SELECT " period            \
    ", key, slot, route, what, status FROM " table " WHERE " period " < ?1 ORDER BY " period " LIMIT ?2)"
#define MOVE_HORIZON(table) "UPDATE horizon SET value = max(value, ?1) WHERE name = '" table "'"

static int forget_sums(struct pst_usage_store *store, const char *sql, const char *horizon_sql,
                       int64_t before, bool *more)
{
    bool deleted, moved = false;
    int err = forget(store, sql, before, &deleted);
    if (err < 0 || !deleted)
        return err;
    *more = true;
    return forget(store, horizon_sql, before, &moved);
}

int pst_usage_store_forget(struct pst_usage_store *store, int64_t raw_before_us, int64_t hour_before,
                           int64_t day_before, int64_t old_minute_before)
{
    static const char old_sql[] = "DELETE FROM old_use WHERE (key, slot, minute) IN "
                                  "(SELECT key, slot, minute FROM old_use WHERE minute < ?1 LIMIT ?2)";
    bool more = false, old = false;
    int err = pst_db_begin(&store->db);
    if (err < 0)
        return err;
    store->n_keyless = -1;
    err = forget_raw(store, raw_before_us, &more);
    if (err == 0)
        err = forget_sums(store, FORGET_SUMS("hourly", "hour"), MOVE_HORIZON("hourly"), hour_before, &more);
    if (err == 0)
        err = forget_sums(store, FORGET_SUMS("daily", "day"), MOVE_HORIZON("daily"), day_before, &more);
    if (err == 0)
        err = forget(store, "DELETE FROM daily_total WHERE day < ?1", day_before, &old);
    if (err == 0)
        err = forget(store, old_sql, old_minute_before, &old);
    more |= old;
    if (err == 0)
        err = pst_db_commit(&store->db);
    if (err < 0) {
        pst_db_rollback(&store->db);
        return err;
    }
    err = pst_db_exec(&store->db, "PRAGMA incremental_vacuum(256)", "giving space back");
    return err < 0 ? err : more;
}
