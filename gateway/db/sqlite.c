/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite.h"

#include "migrate.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/thread.h"
#include "postern/db/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Turning a file into a WAL database needs it for ourselves for a moment, and SQLite does not wait then. */
#define WAL_TRIES   100
#define WAL_WAIT_MS 20
/* Instructions of SQLite's machine, some 10 us of them, after which a statement offers its CPU. */
#define OFFER_AFTER 200

static pthread_mutex_t configuring = PTHREAD_MUTEX_INITIALIZER;
/* Where large sorts go. SQLite reads it from any thread, so it is set once, when no connection is open. */
static char temp_directory[PATH_MAX];

/* Sorts of large reports go beside the databases: where the root file system is read-only, /tmp often is,
 * too, and in memory they would have no bound. SQLite takes its next choice where this directory is gone or
 * not to be written to. Its count of its allocations costs a mutex at each of them, and nobody reads it. */
static void configure_sqlite(const char *data_dir)
{
    pthread_mutex_lock(&configuring);
    if (temp_directory[0] == '\0') {
        pst_str_clip(pst_str_of(data_dir), temp_directory, sizeof(temp_directory));
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        sqlite3_initialize();
        sqlite3_temp_directory = temp_directory;
    }
    pthread_mutex_unlock(&configuring);
}

const char *pst_db_library_version(void)
{
    return sqlite3_libversion();
}

static int err_from_sqlite(int rc, int system_errno)
{
    switch (rc & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -PST_EFULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -PST_EBUSY;
    case SQLITE_NOMEM:
        return -PST_ENOMEM;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return -PST_EACCES;
    case SQLITE_CONSTRAINT:
        return -PST_EEXIST;
    case SQLITE_IOERR:
        return pst_err_from_errno(system_errno) == -PST_EFULL ? -PST_EFULL : -PST_EIO;
    case SQLITE_CANTOPEN:
        return system_errno != 0 ? pst_err_from_errno(system_errno) : -PST_EIO;
    default:
        return -PST_EDB;
    }
}

/* What is wrong with what was asked; where the file is, says nothing about it. */
static bool is_of_input(int err)
{
    return err == -PST_EINVAL || err == -PST_EEXIST || err == -PST_EAGAIN || err == -PST_ELIMIT;
}

int pst_db_refuse(struct pst_db *db, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = is_of_input(err) ? 0 : snprintf(db->why.text, sizeof db->why.text, "%s: ", db->path);
    if (n >= 0 && (size_t)n < sizeof db->why.text)
        vsnprintf(db->why.text + n, sizeof db->why.text - (size_t)n, fmt, args);
    va_end(args);
    return err;
}

/* Why writing to the file that `pointer` (an SQLITE_FCNTL_…_POINTER) finds last failed. */
static int errno_of_file(sqlite3 *handle, int pointer)
{
    sqlite3_file *file = NULL;
    int last_errno = 0;
    if (sqlite3_file_control(handle, "main", pointer, &file) == SQLITE_OK && file != NULL &&
        file->pMethods != NULL)
        (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &last_errno);
    return last_errno;
}

/* SQLite knows one errno of a full disk, ENOSPC; of a quota or a limit of file sizes it says "I/O error", and
 * what it did after the write has often changed errno. The file remembers. */
static int errno_of(sqlite3 *handle, int rc)
{
    static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    if (handle == NULL)
        return 0;
    for (size_t i = 0; rc == SQLITE_IOERR_WRITE && i < sizeof(pointers) / sizeof(pointers[0]); i++) {
        int last_errno = errno_of_file(handle, pointers[i]);
        if (pst_err_from_errno(last_errno) == -PST_EFULL)
            return last_errno;
    }
    return sqlite3_system_errno(handle);
}

int pst_db_fail(struct pst_db *db, int rc, const char *what)
{
    const char *words = db->handle != NULL ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    int system_errno = errno_of(db->handle, rc);
    int err = err_from_sqlite(rc, system_errno);
    if (err == -PST_EBUSY)
        return pst_db_refuse(db, err, "%s: another process kept it busy for %d s", what,
                             PST_DB_BUSY_MS / 1000);
    if (err == -PST_EFULL)
        words = system_errno == EFBIG    ? "the file has reached the limit of file sizes (ulimit -f)"
                : system_errno == EDQUOT ? "the disk quota is used up"
                                         : words;
    return pst_db_refuse(db, err, "%s: %s (SQLite %d)", what, words, rc);
}

int pst_db_exec(struct pst_db *db, const char *sql, const char *what)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : pst_db_fail(db, rc, what);
}

int pst_db_number(struct pst_db *db, const char *sql, int64_t none, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int err = 0;
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (rc == SQLITE_DONE)
        *ret = none;
    else
        err = pst_db_fail(db, rc, "reading");
    sqlite3_finalize(stmt);
    return err;
}

int pst_db_prepare(struct pst_db *db, sqlite3_stmt **slot, const char *sql)
{
    if (*slot != NULL)
        return 0;
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    return rc == SQLITE_OK ? 0 : pst_db_fail(db, rc, "preparing a statement");
}

void pst_db_reset(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

int pst_db_step(struct pst_db *db, sqlite3_stmt *stmt, const char *what)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    int err = rc == SQLITE_DONE ? 0 : pst_db_fail(db, rc, what);
    pst_db_reset(stmt);
    return err;
}

int pst_db_run(struct pst_db *db, sqlite3_stmt *stmt, const char *what)
{
    int rc;
    do {
        rc = sqlite3_step(stmt);
    } while (rc == SQLITE_ROW);
    int err = rc == SQLITE_DONE ? 0 : pst_db_fail(db, rc, what);
    pst_db_reset(stmt);
    return err;
}

void pst_db_finalize(sqlite3_stmt **stmts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sqlite3_finalize(stmts[i]);
        stmts[i] = NULL;
    }
}

int pst_db_check_place(struct pst_db *db)
{
    struct stat st;
    bool gone = stat(db->path, &st) < 0;
    if (gone ? errno != ENOENT : st.st_dev == db->device && st.st_ino == db->inode)
        return 0;
    return pst_db_refuse(db, -PST_EDB, "was %s while it was open: restart the gateway",
                         gone ? "removed" : "replaced");
}

int pst_db_begin(struct pst_db *db)
{
    int err = pst_db_check_place(db);
    return err < 0 ? err : pst_db_exec(db, "BEGIN IMMEDIATE", "beginning a transaction");
}

int pst_db_commit(struct pst_db *db)
{
    if (sqlite3_get_autocommit(db->handle))
        return pst_db_refuse(db, -PST_EDB, "the transaction was undone by an earlier failure");
    int err = pst_db_exec(db, "COMMIT", "writing");
    if (err < 0)
        pst_db_rollback(db);
    return err;
}

/* After a full disk SQLite may have rolled back by itself; then there is nothing left to undo. */
void pst_db_rollback(struct pst_db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

void pst_db_bind_text(sqlite3_stmt *stmt, int index, struct pst_str text)
{
    if (text.len == 0)
        sqlite3_bind_null(stmt, index);
    else
        sqlite3_bind_text(stmt, index, text.p, (int)text.len, SQLITE_STATIC);
}

void pst_db_bind_time(sqlite3_stmt *stmt, int index, int64_t time_us)
{
    if (time_us == 0)
        sqlite3_bind_null(stmt, index);
    else
        sqlite3_bind_int64(stmt, index, time_us);
}

struct pst_str pst_db_text(sqlite3_stmt *stmt, int column)
{
    const char *p = (const char *)sqlite3_column_text(stmt, column);
    if (p == NULL)
        return (struct pst_str){"", 0};
    return (struct pst_str){p, (size_t)sqlite3_column_bytes(stmt, column)};
}

/* Makes the file ourselves, so that it never exists with another mode; SQLite gives its -wal and -shm files
 * the same. */
static int create_file(struct pst_db *db)
{
    PST_FD fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != EEXIST)
        return pst_db_refuse(db, pst_err_from_errno(errno), "%s", strerror(errno));
    return 0;
}

static int refuse_access(struct pst_db *db, int err, const struct pst_access_why *why)
{
    char text[PST_ACCESS_TEXT_SIZE];
    pst_access_text(why, text);
    pst_str_clip(pst_str_of(text), db->why.text, sizeof db->why.text);
    return err;
}

/* A file that is there is never opened here: closing any descriptor of it drops the locks that this process's
 * other connections hold (POSIX), and the next program to leave would take the write-ahead log away under
 * them. */
static int prepare_file(struct pst_db *db)
{
    struct stat st;
    int err = create_file(db);
    if (err < 0)
        return err;
    if (lstat(db->path, &st) < 0)
        return pst_db_refuse(db, pst_err_from_errno(errno), "%s", strerror(errno));
    if (S_ISLNK(st.st_mode))
        return pst_db_refuse(db, pst_err_from_errno(ELOOP), "%s", strerror(ELOOP));
    if (!S_ISREG(st.st_mode))
        return pst_db_refuse(db, -PST_EACCES, "not a regular file");
    struct pst_access_why why;
    if (geteuid() == 0 && st.st_uid != 0)
        return 0; /* root, on behalf of the gateway's user: SQLite gives its log to the database's owner */
    err = pst_access_settle(db->path, PST_ACCESS_SECRET, &why);
    return err < 0 ? refuse_access(db, err, &why) : 0;
}

static int set_wal(struct pst_db *db)
{
    int rc = SQLITE_OK;
    for (int tries = 0; tries < WAL_TRIES; tries++) {
        rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
            break;
        sqlite3_sleep(WAL_WAIT_MS);
    }
    return rc == SQLITE_OK ? 0 : pst_db_fail(db, rc, "setting the write-ahead log");
}

static int set_up_writing(struct pst_db *db)
{
    int64_t tables = 0;
    int err = pst_db_number(db, "SELECT count(*) FROM sqlite_schema", 0, &tables);
    if (err == 0 && tables == 0 && db->kind->first_pragmas != NULL)
        err = pst_db_exec(db, db->kind->first_pragmas, "setting up");
    bool current = false;
    if (err == 0)
        err = pst_db_migrate_check(db, &current);
    if (err == 0)
        err = set_wal(db);
    if (err == 0)
        err = pst_db_exec(db, db->kind->pragmas, "setting up");
    if (err == 0 && !current)
        err = pst_db_migrate(db);
    return err;
}

static int set_up_reading(struct pst_db *db)
{
    bool current = false;
    int err = pst_db_migrate_check(db, &current);
    if (err < 0)
        return err;
    int64_t tables = 0;
    if (!current)
        err = pst_db_number(db, "SELECT count(*) FROM sqlite_schema", 0, &tables);
    if (err < 0)
        return err;
    if (!current && tables == 0)
        return pst_db_refuse(db, -PST_ENOENT, "is empty: nothing has been written yet");
    if (!current)
        return pst_db_refuse(db, -PST_EVERSION,
                             "was made by an older version: start the gateway once to bring it up to date");
    return pst_db_exec(db, "PRAGMA query_only=ON", "setting up");
}

/* No request waits for a statement, but one may wait for the CPU that it runs on. */
static int offer_cpu(void *arg)
{
    const struct pst_db *db = arg;
    pst_thread_offer_cpu();
    return atomic_load_explicit(&db->cancelled, memory_order_relaxed) ? 1 : 0; /* 0: go on */
}

static int connect(struct pst_db *db)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
    if (rc != SQLITE_OK)
        return pst_db_fail(db, rc, "opening");
    struct stat st;
    if (stat(db->path, &st) < 0)
        return pst_db_refuse(db, pst_err_from_errno(errno), "%s", strerror(errno));
    db->device = st.st_dev;
    db->inode = st.st_ino;
    sqlite3_busy_timeout(db->handle, PST_DB_BUSY_MS);
    sqlite3_progress_handler(db->handle, OFFER_AFTER, offer_cpu, db);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return pst_db_exec(db, "PRAGMA foreign_keys=ON", "opening");
}

static int set_path(struct pst_db *db, const char *data_dir)
{
    int n = snprintf(db->path, sizeof db->path, "%s/%s", data_dir, db->kind->file);
    if (n > 0 && (size_t)n < sizeof db->path)
        return 0;
    pst_str_clip(pst_str_of(db->kind->file), db->path, sizeof db->path);
    return pst_db_refuse(db, -PST_EINVAL, "the directory's name is too long");
}

static int open_steps(struct pst_db *db, const char *data_dir)
{
    int err = set_path(db, data_dir);
    if (err < 0)
        return err;
    if (db->mode == PST_DB_READ) {
        if (access(db->path, F_OK) < 0)
            return pst_db_refuse(db, pst_err_from_errno(errno), "%s", strerror(errno));
        err = connect(db);
        return err == 0 ? set_up_reading(db) : err;
    }
    struct pst_access_why why;
    err = pst_data_dir_ensure(data_dir, &why);
    if (err < 0)
        return refuse_access(db, err, &why);
    err = prepare_file(db);
    if (err == 0)
        err = connect(db);
    return err == 0 ? set_up_writing(db) : err;
}

int pst_db_open(struct pst_db *db, const struct pst_db_kind *kind, const char *data_dir,
                enum pst_db_mode mode)
{
    *db = (struct pst_db){.kind = kind, .mode = mode};
    configure_sqlite(data_dir);
    int err = open_steps(db, data_dir);
    if (err < 0)
        pst_db_close(db);
    return err;
}

void pst_db_close(struct pst_db *db)
{
    if (db->handle != NULL && sqlite3_close(db->handle) != SQLITE_OK)
        pst_error("db", "%s: closed with statements open", db->path);
    db->handle = NULL;
}
