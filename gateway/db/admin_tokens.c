/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/admin_tokens.h"

#include "keys_private.h"

#include <string.h>

#define COLUMNS "id, name, role, digest, created_us, expires_us, revoked_us, used_us"

static int decode(struct pst_keys_store *store, sqlite3_stmt *stmt, struct pst_admin_token_row *ret)
{
    struct pst_admin_token_row row = {
        .role = sqlite3_column_int(stmt, 2) == PST_ADMIN_ADMIN ? PST_ADMIN_ADMIN : PST_ADMIN_VIEWER,
        .created_us = sqlite3_column_int64(stmt, 4),
        .expires_us = sqlite3_column_int64(stmt, 5),
        .revoked_us = sqlite3_column_int64(stmt, 6),
        .used_us = sqlite3_column_int64(stmt, 7),
    };
    if (sqlite3_column_bytes(stmt, 3) != PST_KEYS_DIGEST_BYTES)
        return pst_db_refuse(&store->db, -PST_EDB, "an admin token's digest is damaged");
    memcpy(row.digest, sqlite3_column_blob(stmt, 3), PST_KEYS_DIGEST_BYTES);
    pst_str_clip(pst_db_text(stmt, 0), row.id, sizeof(row.id));
    pst_str_clip(pst_db_text(stmt, 1), row.name, sizeof(row.name));
    *ret = row;
    return 0;
}

int pst_admin_tokens_count(struct pst_keys_store *store, int64_t *ret)
{
    return pst_db_number(&store->db, "SELECT count(*) FROM admin_token", 0, ret);
}

static int insert(struct pst_keys_store *store, const struct pst_admin_token_row *row)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt,
                             "INSERT INTO admin_token (id, name, role, digest, created_us, expires_us) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, pst_str_of(row->id));
    pst_db_bind_text(stmt, 2, pst_str_of(row->name));
    sqlite3_bind_int(stmt, 3, (int)row->role);
    sqlite3_bind_blob(stmt, 4, row->digest, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 5, row->created_us);
    pst_db_bind_time(stmt, 6, row->expires_us);
    err = pst_db_run(&store->db, stmt, "adding an admin token");
    sqlite3_finalize(stmt);
    return err;
}

int pst_admin_tokens_add(struct pst_keys_store *store, const struct pst_admin_token_row *row)
{
    int64_t n = 0;
    int err = pst_admin_tokens_count(store, &n);
    if (err < 0)
        return err;
    if (n >= PST_ADMIN_TOKENS_MAX)
        return pst_db_refuse(&store->db, -PST_ELIMIT, "there are %d admin tokens already",
                             PST_ADMIN_TOKENS_MAX);
    return insert(store, row);
}

int pst_admin_tokens_get(struct pst_keys_store *store, struct pst_str id, struct pst_admin_token_row *ret)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "SELECT " COLUMNS " FROM admin_token WHERE id = ?1");
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, id);
    err = pst_db_step(&store->db, stmt, "reading an admin token");
    if (err > 0)
        err = decode(store, stmt, ret);
    else if (err == 0)
        err = pst_db_refuse(&store->db, -PST_ENOENT, "there is no such admin token");
    sqlite3_finalize(stmt);
    return err;
}

int pst_admin_tokens_list(struct pst_keys_store *store, pst_admin_token_fn *fn, void *arg)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "SELECT " COLUMNS " FROM admin_token ORDER BY rowid");
    while (err == 0) {
        struct pst_admin_token_row row;
        err = pst_db_step(&store->db, stmt, "reading admin tokens");
        if (err <= 0)
            break;
        err = decode(store, stmt, &row);
        if (err == 0)
            err = fn(&row, arg);
    }
    sqlite3_finalize(stmt);
    return err < 0 ? err : 0;
}

static int set_time(struct pst_keys_store *store, const char *sql, struct pst_str id, int64_t now_us)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, now_us);
    err = pst_db_run(&store->db, stmt, "changing an admin token");
    sqlite3_finalize(stmt);
    if (err == 0 && sqlite3_changes(store->db.handle) == 0)
        err = pst_db_refuse(&store->db, -PST_ENOENT, "there is no such admin token");
    return err;
}

int pst_admin_tokens_revoke(struct pst_keys_store *store, struct pst_str id, int64_t now_us)
{
    return set_time(store, "UPDATE admin_token SET revoked_us = coalesce(revoked_us, ?2) WHERE id = ?1", id,
                    now_us);
}

int pst_admin_tokens_set_used(struct pst_keys_store *store, struct pst_str id, int64_t now_us)
{
    return set_time(store, "UPDATE admin_token SET used_us = max(coalesce(used_us, 0), ?2) WHERE id = ?1", id,
                    now_us);
}
