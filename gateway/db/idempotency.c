/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/idempotency.h"

#include "keys_private.h"

#include <string.h>

int pst_idempotency_find(struct pst_keys_store *store,
                         const uint8_t asked[static PST_IDEMPOTENCY_DIGEST_BYTES], int64_t since_us,
                         struct pst_idempotency_row *ret)
{
    sqlite3_stmt *stmt = NULL;
    int err =
        pst_db_prepare(&store->db, &stmt,
                       "SELECT body, key_id, time_us FROM idempotency WHERE asked = ?1 AND time_us >= ?2");
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, asked, PST_IDEMPOTENCY_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, since_us);
    err = pst_db_step(&store->db, stmt, "looking for a request made before");
    if (err > 0 && sqlite3_column_bytes(stmt, 0) == PST_IDEMPOTENCY_DIGEST_BYTES) {
        memcpy(ret->asked, asked, sizeof(ret->asked));
        memcpy(ret->body, sqlite3_column_blob(stmt, 0), sizeof(ret->body));
        pst_str_clip(pst_db_text(stmt, 1), ret->key_id, sizeof(ret->key_id));
        ret->time_us = sqlite3_column_int64(stmt, 2);
    }
    pst_db_finalize(&stmt, 1);
    return err;
}

static int forget(struct pst_keys_store *store, int64_t since_us)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "DELETE FROM idempotency WHERE time_us < ?1");
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, since_us);
    err = pst_db_run(&store->db, stmt, "forgetting old requests");
    pst_db_finalize(&stmt, 1);
    return err;
}

int pst_idempotency_add(struct pst_keys_store *store, const struct pst_idempotency_row *row, int64_t since_us)
{
    sqlite3_stmt *stmt = NULL;
    int err = forget(store, since_us);
    if (err == 0)
        err =
            pst_db_prepare(&store->db, &stmt,
                           "INSERT INTO idempotency (asked, body, key_id, time_us) VALUES (?1, ?2, ?3, ?4)");
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, row->asked, PST_IDEMPOTENCY_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, row->body, PST_IDEMPOTENCY_DIGEST_BYTES, SQLITE_STATIC);
    pst_db_bind_text(stmt, 3, pst_str_of(row->key_id));
    sqlite3_bind_int64(stmt, 4, row->time_us);
    err = pst_db_run(&store->db, stmt, "noting a request");
    pst_db_finalize(&stmt, 1);
    return err;
}
