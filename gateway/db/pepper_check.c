/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/pepper_check.h"

#include "keys_private.h"

#include <string.h>

int pst_pepper_check_get(struct pst_keys_store *store, uint8_t ret[static PST_KEYS_DIGEST_BYTES])
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "SELECT digest FROM pepper_check");
    if (err == 0)
        err = pst_db_step(&store->db, stmt, "reading what the pepper is told by");
    if (err > 0)
        memcpy(ret, sqlite3_column_blob(stmt, 0), PST_KEYS_DIGEST_BYTES); /* the schema checks its length */
    sqlite3_finalize(stmt);
    return err;
}

int pst_pepper_is_needed(struct pst_keys_store *store, bool *ret)
{
    int64_t needed = 0;
    int err = pst_db_number(&store->db,
                            "SELECT EXISTS (SELECT 1 FROM key WHERE state < 2) OR EXISTS (SELECT 1 FROM "
                            "admin_token WHERE revoked_us IS NULL)",
                            0, &needed);
    if (err == 0)
        *ret = needed != 0;
    return err;
}

int pst_pepper_check_note(struct pst_keys_store *store, const uint8_t digest[static PST_KEYS_DIGEST_BYTES])
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_NOTE_PEPPER,
                            "INSERT INTO pepper_check VALUES (1, ?1) ON CONFLICT DO UPDATE SET digest = ?1 "
                            "WHERE digest IS NOT ?1",
                            &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, digest, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    return pst_db_run(&store->db, stmt, "noting what the pepper is told by");
}
