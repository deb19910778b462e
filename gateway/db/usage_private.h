/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the usage store share. */
#ifndef POSTERN_DB_USAGE_PRIVATE_H
#define POSTERN_DB_USAGE_PRIVATE_H

#include "postern/db/usage_store.h"
#include "sqlite.h"

enum usage_stmt {
    USAGE_CURSOR,
    USAGE_SET_CURSOR,
    USAGE_DROP_CURSOR,
    USAGE_CURSORS,
    USAGE_FIND_KEY,
    USAGE_ADD_KEY,
    USAGE_FIND_ROUTE,
    USAGE_ADD_ROUTE,
    USAGE_ROUTES,
    USAGE_FIND_NAME,
    USAGE_ADD_NAME,
    USAGE_ADD,
    USAGE_ADD_KEYLESS,
    USAGE_OLDEST_KEYLESS,
    USAGE_DROP_KEYLESS,
    USAGE_DROP_SPANS,
    USAGE_SET_SPAN,
    USAGE_ADD_HOURLY,
    USAGE_ADD_DAILY,
    USAGE_ADD_TOTAL,
    USAGE_TOUCH0,
    USAGE_TOUCH1,
    USAGE_TOUCH2,
    USAGE_ADD_LOSS,
    USAGE_LAST_USED,
    USAGE_ADD_OLD,
    USAGE_OLD_USES,
    USAGE_STMTS,
};

/* Rows that one entry of the sparse time index spans. */
#define USAGE_SPAN_ROWS 4096

struct pst_usage_store {
    struct pst_db db;
    sqlite3_stmt *stmts[USAGE_STMTS];
    /* The span that grows; `first` 0: none yet. */
    int64_t span_first, span_last, span_min_us, span_max_us;
    bool span_dirty;
    int64_t n_keyless; /* rows without a key; -1: to be counted */
};

/* usage_keyless.c: notes that the row that was just added has no key. */
int usage_keyless_added(struct pst_usage_store *store) PST_MUSTCHECK;

int usage_stmt(struct pst_usage_store *store, enum usage_stmt which, const char *sql,
               sqlite3_stmt **ret) PST_MUSTCHECK;

#endif
