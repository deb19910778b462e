/* SPDX-License-Identifier: Apache-2.0 */
#include "sqlite.h"

#include "migrate.h"
#include "postern/base/log.h"

#include <inttypes.h>
#include <stdio.h>

static int newest_version(const struct pst_db *db)
{
    int n = 0;
    while (db->kind->migrations[n] != NULL)
        n++;
    return n;
}

static int read_version(struct pst_db *db, int64_t *ret_version)
{
    int64_t id = 0, version = 0, tables = 0;
    int err = pst_db_number(db, "PRAGMA application_id", 0, &id);
    if (err == 0)
        err = pst_db_number(db, "PRAGMA user_version", 0, &version);
    if (err == 0)
        err = pst_db_number(db, "SELECT count(*) FROM sqlite_schema", 0, &tables);
    if (err < 0)
        return err;
    if (id != db->kind->application_id && (tables > 0 || version != 0 || id != 0))
        return pst_db_refuse(db, -PST_EDB, "is a database of something else, not Postern's %s",
                             db->kind->file);
    *ret_version = version;
    return 0;
}

int pst_db_migrate_check(struct pst_db *db, bool *ret_current)
{
    int64_t version = 0;
    int err = read_version(db, &version);
    if (err < 0)
        return err;
    int newest = newest_version(db);
    if (version < 0)
        return pst_db_refuse(db, -PST_EDB, "has schema version %" PRId64 ", which none of ours is", version);
    if (version > newest)
        return pst_db_refuse(db, -PST_EVERSION,
                             "was made by a newer version of Postern (schema %" PRId64
                             ", this one knows up to %d): "
                             "use that version, or restore a copy from before the upgrade",
                             version, newest);
    *ret_current = version == newest;
    return 0;
}

static int run_one(struct pst_db *db, int64_t version)
{
    int err = pst_db_exec(db, db->kind->migrations[version], "migrating");
    if (err < 0)
        return err;
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA user_version=%" PRId64 "; PRAGMA application_id=%" PRId32, version + 1,
             db->kind->application_id);
    return pst_db_exec(db, sql, "migrating");
}

int pst_db_migrate(struct pst_db *db)
{
    int err = pst_db_begin(db);
    if (err < 0)
        return err;
    /* Again, now that nobody else can: another process may have been faster. */
    int64_t version = 0;
    err = read_version(db, &version);
    int64_t newest = newest_version(db);
    int64_t from = version;
    for (; err == 0 && version < newest; version++)
        err = run_one(db, version);
    if (err < 0) {
        pst_db_rollback(db);
        return err;
    }
    err = pst_db_commit(db);
    if (err == 0 && from > 0 && from < newest)
        pst_info("db", "%s: schema upgraded from version %" PRId64 " to %" PRId64, db->path, from, newest);
    return err;
}
