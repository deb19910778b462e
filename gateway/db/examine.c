/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/examine.h"

#include "keys_private.h"
#include "migrate.h"
#include "postern/base/access.h"
#include "postern/base/clock.h"
#include "postern/db/usage_store.h"
#include "sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Steps of SQLite's virtual machine between two looks at the clock: some milliseconds. */
#define STEPS 20000

static int past_deadline(void *arg)
{
    return pst_clock_mono_us() >= *(const uint64_t *)arg;
}

/* With a gateway running, its -shm file is there, and reading shares it. Without one the file is read as it
 * lies: opening it in the usual way would make a -shm file, and what a -wal file from a crash holds is
 * brought in at the next start. */
static int open_unchanged(struct pst_db *db)
{
    char beside[PATH_MAX + 8], uri[3 * PATH_MAX + 32] = "file:";
    snprintf(beside, sizeof(beside), "%s-shm", db->path);
    size_t n = strlen(uri);
    for (const char *p = db->path; *p != '\0' && n + 4 < sizeof(uri) - 16; p++)
        n += (size_t)snprintf(uri + n, sizeof(uri) - n, strchr("%?#", *p) != NULL ? "%%%02X" : "%c",
                              (unsigned char)*p);
    snprintf(uri + n, sizeof(uri) - n, "?mode=ro%s", access(beside, F_OK) == 0 ? "" : "&immutable=1");
    int rc = sqlite3_open_v2(
        uri, &db->handle,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return pst_db_fail(db, rc, "opening");
    sqlite3_busy_timeout(db->handle, 1000);
    return 0;
}

/* By the rules that opening it for writing follows, which puts the mode of one of ours right first. */
static int look_at_file(struct pst_db *db, uint64_t *ret_bytes)
{
    struct stat st;
    if (lstat(db->path, &st) < 0)
        return pst_db_refuse(db, pst_err_from_errno(errno), "%s", strerror(errno));
    *ret_bytes = (uint64_t)st.st_size;
    if (S_ISLNK(st.st_mode))
        return pst_db_refuse(db, pst_err_from_errno(ELOOP), "%s", strerror(ELOOP));
    if (!S_ISREG(st.st_mode))
        return pst_db_refuse(db, -PST_EACCES, "not a regular file");
    if (geteuid() == 0 && st.st_uid != 0)
        return 0;
    if (st.st_uid == geteuid())
        st.st_mode = S_IFREG | pst_access_right_mode(st.st_mode, PST_ACCESS_SECRET);
    struct pst_access_why why;
    char text[PST_ACCESS_TEXT_SIZE];
    if (pst_access_judge(db->path, &st, PST_ACCESS_SECRET, &why) == 0)
        return 0;
    pst_access_text(&why, text);
    pst_str_clip(pst_str_of(text), db->why.text, sizeof db->why.text);
    return -PST_EACCES;
}

static int quick_check(struct pst_db *db, uint64_t *deadline_us, bool *ret_to_the_end)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_progress_handler(db->handle, STEPS, past_deadline, deadline_us);
    int rc = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int err = 0;
    *ret_to_the_end = rc != SQLITE_INTERRUPT;
    const char *told = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : "ok";
    const char *line = strrchr(told, '\n'); /* a heading with the schema's name may be in front */
    if (strcmp(told, "ok") != 0)
        err = pst_db_refuse(db, -PST_EDB, "is damaged: %s", line != NULL ? line + 1 : told);
    else if (rc != SQLITE_ROW && rc != SQLITE_INTERRUPT)
        err = pst_db_fail(db, rc, "checking");
    sqlite3_finalize(stmt);
    return err;
}

static int examine(struct pst_db *db, uint64_t deadline_us, struct pst_db_examination *ret)
{
    bool current = false;
    while (db->kind->migrations[ret->newest] != NULL)
        ret->newest++;
    int err = look_at_file(db, &ret->bytes);
    if (err == 0)
        err = open_unchanged(db);
    if (err == 0)
        err = pst_db_migrate_check(db, &current);
    if (err == 0)
        err = pst_db_number(db, "PRAGMA user_version", 0, &ret->version);
    return err == 0 ? quick_check(db, &deadline_us, &ret->to_the_end) : err;
}

int pst_db_examine(const char *data_dir, const char *file, uint64_t deadline_us,
                   struct pst_db_examination *ret, struct pst_db_why *ret_why)
{
    struct pst_db db = {
        .kind = strcmp(file, PST_KEYS_FILE) == 0 ? pst_db_keys_kind() : pst_db_usage_kind(),
        .mode = PST_DB_READ,
    };
    struct pst_db_examination found = {.newest = 0};
    snprintf(db.path, sizeof(db.path), "%.*s/%s", (int)sizeof(db.path) - 32, data_dir, file);
    int err = examine(&db, deadline_us, &found);
    if (err == 0)
        *ret = found;
    else
        *ret_why = db.why;
    pst_db_close(&db);
    return err;
}

/* Whether the newest of it may be where open_unchanged() does not look: in a -wal file without its -shm. */
static bool is_behind_its_log(const struct pst_db *db)
{
    char beside[PATH_MAX + 8];
    struct stat st;
    snprintf(beside, sizeof(beside), "%s-shm", db->path);
    if (access(beside, F_OK) == 0)
        return false;
    snprintf(beside, sizeof(beside), "%s-wal", db->path);
    return stat(beside, &st) == 0 && st.st_size > 0;
}

static int open_keys(struct pst_db *db)
{
    uint64_t bytes;
    bool current = false;
    int err = look_at_file(db, &bytes);
    if (err == 0)
        err = open_unchanged(db);
    if (err == 0)
        err = pst_db_migrate_check(db, &current);
    if (err == 0 && (!current || is_behind_its_log(db)))
        err = pst_db_refuse(db, -PST_EVERSION, "is not up to date: the next start brings it there");
    return err;
}

int pst_keys_open_unchanged(const char *data_dir, struct pst_keys_store **ret, struct pst_db_why *ret_why)
{
    struct pst_keys_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        *ret_why = (struct pst_db_why){"out of memory"};
        return -PST_ENOMEM;
    }
    store->db = (struct pst_db){.kind = pst_db_keys_kind(), .mode = PST_DB_READ};
    snprintf(store->db.path, sizeof(store->db.path), "%.*s/%s", (int)sizeof(store->db.path) - 32, data_dir,
             PST_KEYS_FILE);
    int err = open_keys(&store->db);
    if (err < 0) {
        *ret_why = store->db.why;
        pst_db_close(&store->db);
        free(store);
        return err;
    }
    *ret = store;
    return 0;
}
