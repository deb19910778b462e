/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of requests without a key: how many there are, and the bound on them. */
#include "usage_private.h"

/* Rows that one call may delete: twice what a batch of the keeper's adds. */
#define DROP_ROWS 8192

int usage_keyless_added(struct pst_usage_store *store)
{
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_ADD_KEYLESS, "INSERT OR IGNORE INTO keyless VALUES (?)", &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, sqlite3_last_insert_rowid(store->db.handle));
    err = pst_db_run(&store->db, stmt, "adding a request without a key");
    if (err == 0 && store->n_keyless >= 0)
        store->n_keyless++;
    return err;
}

/* The numbers of the oldest `n` rows: the first and the last of them. */
static int find_oldest(struct pst_usage_store *store, int64_t n, int64_t *ret_first, int64_t *ret_last)
{
    static const char sql[] = "SELECT min(n), max(n) FROM (SELECT n FROM keyless ORDER BY n LIMIT ?)";
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_OLDEST_KEYLESS, sql, &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, n);
    err = pst_db_step(&store->db, stmt, "finding requests without a key");
    if (err > 0) {
        *ret_first = sqlite3_column_int64(stmt, 0);
        *ret_last = sqlite3_column_int64(stmt, 1);
        pst_db_reset(stmt);
    }
    return err < 0 ? err : 0;
}

/* Those up to `last`; a trigger takes them off the table of rows without a key. */
static int drop_rows(struct pst_usage_store *store, int64_t last)
{
    static const char sql[] = "DELETE FROM request WHERE n IN (SELECT n FROM keyless WHERE n <= ?)";
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_DROP_KEYLESS, sql, &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, last);
    return pst_db_run(&store->db, stmt, "forgetting requests without a key");
}

/* Entries of the index of times that have no row left, but for the one that grows: there would be very many.
 */
static int drop_spans(struct pst_usage_store *store, int64_t first, int64_t last)
{
    static const char sql[] =
        "DELETE FROM span WHERE span.first BETWEEN ?1 AND ?2 AND span.first <> ?3 AND NOT "
        "EXISTS (SELECT 1 FROM request WHERE n BETWEEN span.first AND span.last)";
    sqlite3_stmt *stmt;
    int err = usage_stmt(store, USAGE_DROP_SPANS, sql, &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, first - USAGE_SPAN_ROWS);
    sqlite3_bind_int64(stmt, 2, last);
    sqlite3_bind_int64(stmt, 3, store->span_first);
    return pst_db_run(&store->db, stmt, "trimming the index of times");
}

int pst_usage_store_bound_keyless(struct pst_usage_store *store, uint64_t max, uint64_t *ret_dropped)
{
    int64_t first = 0, last = 0, bound = max < INT64_MAX ? (int64_t)max : INT64_MAX;
    int err = 0;
    *ret_dropped = 0;
    if (store->n_keyless < 0)
        err = pst_db_number(&store->db, "SELECT count(*) FROM keyless", 0, &store->n_keyless);
    int64_t excess = store->n_keyless - bound, n = excess < DROP_ROWS ? excess : DROP_ROWS;
    if (err < 0 || excess <= 0)
        return err;
    err = find_oldest(store, n, &first, &last);
    if (err == 0)
        err = drop_rows(store, last);
    if (err == 0)
        err = drop_spans(store, first, last);
    if (err < 0)
        return err;
    store->n_keyless -= n;
    *ret_dropped = (uint64_t)n;
    return excess > n;
}
