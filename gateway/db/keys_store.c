/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/keys_store.h"

#include "keys_private.h"
#include "migrate.h"
#include "postern/base/log.h"

#include <stdlib.h>

static const struct pst_db_kind keys_kind = {
    .file = PST_KEYS_FILE,
    .application_id = 0x5053544B, /* "PSTK" */
    .migrations = pst_db_migrations_keys,
    /* A key that was created must not be gone after a power cut: FULL. The log is cut back after an import.
     */
    .pragmas = "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-8192",
};

const struct pst_db_kind *pst_db_keys_kind(void)
{
    return &keys_kind;
}

int pst_keys_open(const char *data_dir, enum pst_db_mode mode, struct pst_keys_store **ret,
                  struct pst_db_why *ret_why)
{
    struct pst_keys_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        if (ret_why != NULL)
            *ret_why = (struct pst_db_why){"out of memory"};
        return -PST_ENOMEM;
    }
    int err = pst_db_open(&store->db, &keys_kind, data_dir, mode);
    if (err < 0) {
        if (ret_why != NULL)
            *ret_why = store->db.why;
        free(store);
        return err;
    }
    *ret = store;
    return 0;
}

void pst_keys_close(struct pst_keys_store *store)
{
    if (store == NULL)
        return;
    pst_db_rollback(&store->db);
    pst_db_finalize(store->stmts, KEYS_STMTS);
    pst_db_close(&store->db);
    free(store);
}

const char *pst_keys_why(const struct pst_keys_store *store)
{
    return store->db.why.text;
}

int pst_keys_stmt(struct pst_keys_store *store, enum keys_stmt which, const char *sql, sqlite3_stmt **ret)
{
    int err = pst_db_prepare(&store->db, &store->stmts[which], sql);
    if (err < 0)
        return err;
    *ret = store->stmts[which];
    return 0;
}

int pst_keys_read_seq(struct pst_keys_store *store, int64_t *ret)
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_READ_SEQ, "SELECT seq FROM change", &stmt);
    if (err < 0)
        return err;
    err = pst_db_step(&store->db, stmt, "reading the change number");
    if (err <= 0)
        return err < 0 ? err : pst_db_refuse(&store->db, -PST_EDB, "the change number is missing");
    *ret = sqlite3_column_int64(stmt, 0);
    pst_db_reset(stmt);
    return 0;
}

int pst_keys_begin(struct pst_keys_store *store)
{
    if (store->in_transaction)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a transaction is under way");
    int err = pst_db_begin(&store->db);
    if (err < 0)
        return err;
    store->in_transaction = true;
    store->seq = 0;
    return 0;
}

int pst_keys_commit(struct pst_keys_store *store)
{
    if (!store->in_transaction)
        return pst_db_refuse(&store->db, -PST_EINVAL, "no transaction is under way");
    store->in_transaction = false;
    return pst_db_commit(&store->db);
}

bool pst_keys_in_transaction(const struct pst_keys_store *store)
{
    return store->in_transaction;
}

void pst_keys_rollback(struct pst_keys_store *store)
{
    store->in_transaction = false;
    pst_db_rollback(&store->db);
}
