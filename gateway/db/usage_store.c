/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/usage_store.h"

#include "migrate.h"
#include "usage_private.h"

#include <stdlib.h>

static const struct pst_db_kind usage_kind = {
    .file = PST_USAGE_FILE,
    .application_id = 0x50535455, /* "PSTU" */
    .migrations = pst_db_migrations_usage,
    /* The journals keep what a crash of ours cut off; after a power cut the last second may be missing. */
    .pragmas = "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-4096; "
               "PRAGMA wal_autocheckpoint=2000",
    .first_pragmas = "PRAGMA auto_vacuum=INCREMENTAL",
};

const struct pst_db_kind *pst_db_usage_kind(void)
{
    return &usage_kind;
}

int pst_usage_store_open(const char *data_dir, enum pst_db_mode mode, struct pst_usage_store **ret,
                         struct pst_db_why *ret_why)
{
    struct pst_usage_store *store = calloc(1, sizeof(*store));
    if (store == NULL)
        return -PST_ENOMEM;
    store->n_keyless = -1;
    int err = pst_db_open(&store->db, &usage_kind, data_dir, mode);
    if (err < 0) {
        if (ret_why != NULL)
            *ret_why = store->db.why;
        free(store);
        return err;
    }
    *ret = store;
    return 0;
}

void pst_usage_store_close(struct pst_usage_store *store)
{
    if (store == NULL)
        return;
    pst_db_rollback(&store->db);
    pst_db_finalize(store->stmts, USAGE_STMTS);
    pst_db_close(&store->db);
    free(store);
}

const char *pst_usage_store_why(const struct pst_usage_store *store)
{
    return store->db.why.text;
}

void pst_usage_store_cancel(struct pst_usage_store *store)
{
    atomic_store_explicit(&store->db.cancelled, true, memory_order_relaxed);
}

int usage_stmt(struct pst_usage_store *store, enum usage_stmt which, const char *sql, sqlite3_stmt **ret)
{
    int err = pst_db_prepare(&store->db, &store->stmts[which], sql);
    if (err < 0)
        return err;
    *ret = store->stmts[which];
    return 0;
}
