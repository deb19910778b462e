/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to one of our database files, and how SQLite's results become ours. Private to db.
 * A connection belongs to one thread at a time. */
#ifndef POSTERN_DB_SQLITE_H
#define POSTERN_DB_SQLITE_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/db/db.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What kind of file it is: a static table entry. */
struct pst_db_kind {
    const char *file;
    int32_t application_id;        /* in the file's header, so that a foreign file is refused */
    const char *const *migrations; /* ends with NULL */
    const char *pragmas;           /* run after opening for writing */
    const char *first_pragmas;     /* run on an empty file before anything is in it; may be NULL */
};

const struct pst_db_kind *pst_db_keys_kind(void);
const struct pst_db_kind *pst_db_usage_kind(void);

struct pst_db {
    sqlite3 *handle;
    const struct pst_db_kind *kind;
    enum pst_db_mode mode;
    atomic_bool cancelled; /* by any thread: statements end in an error */
    char path[PATH_MAX];
    dev_t device; /* of the file that was opened, and its number there */
    ino_t inode;
    struct pst_db_why why;
};

/* Makes the file (0600) when `mode` is write, checks whose it is, opens it, sets WAL, migrates. On failure
 * db->why says what was wrong, and the connection is closed. */
int pst_db_open(struct pst_db *db, const struct pst_db_kind *kind, const char *data_dir,
                enum pst_db_mode mode) PST_MUSTCHECK;
void pst_db_close(struct pst_db *db);
/* Whether the file that was opened still is the one of its name: -PST_EDB when it was replaced or removed,
 * and what is written would go where nobody looks. A microsecond. Each transaction begins with it. */
int pst_db_check_place(struct pst_db *db) PST_MUSTCHECK;

/* Writes db->why ("<path>: <what>: <SQLite's words>") for an SQLite result and returns our error for it. */
int pst_db_fail(struct pst_db *db, int rc, const char *what);
/* Writes db->why from a text of ours, and returns `err`. */
int pst_db_refuse(struct pst_db *db, int err, const char *fmt, ...) PST_PRINTF(3, 4);

int pst_db_exec(struct pst_db *db, const char *sql, const char *what) PST_MUSTCHECK;
/* The first column of the first row, or `none` without a row. */
int pst_db_number(struct pst_db *db, const char *sql, int64_t none, int64_t *ret) PST_MUSTCHECK;
/* `*slot` once prepared is kept: call with the same slot again and nothing happens. */
int pst_db_prepare(struct pst_db *db, sqlite3_stmt **slot, const char *sql) PST_MUSTCHECK;
/* Steps to the end (rows are ignored), resets and unbinds. */
int pst_db_run(struct pst_db *db, sqlite3_stmt *stmt, const char *what) PST_MUSTCHECK;
/* 1: a row is there; 0: the end, and the statement was reset; negative: failed, reset too. */
int pst_db_step(struct pst_db *db, sqlite3_stmt *stmt, const char *what) PST_MUSTCHECK;
/* After leaving a statement before its end. */
void pst_db_reset(sqlite3_stmt *stmt);
void pst_db_finalize(sqlite3_stmt **stmts, size_t n);

/* BEGIN IMMEDIATE: waits for another writer here, never in the middle of a transaction. */
int pst_db_begin(struct pst_db *db) PST_MUSTCHECK;
int pst_db_commit(struct pst_db *db) PST_MUSTCHECK;
void pst_db_rollback(struct pst_db *db);

/* The text is not copied: it must live until the statement was run. NULL pointer or empty: NULL. */
void pst_db_bind_text(sqlite3_stmt *stmt, int index, struct pst_str text);
/* 0 becomes NULL. */
void pst_db_bind_time(sqlite3_stmt *stmt, int index, int64_t time_us);
/* NULL becomes the empty slice; lives until the next step. */
struct pst_str pst_db_text(sqlite3_stmt *stmt, int column);

#endif
