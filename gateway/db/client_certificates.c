/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/client_certificates.h"

#include "keys_private.h"

#include <string.h>

#define COLUMNS "digest, of_key, key_id, subject, not_after_us, created_us, revoked_us"

static int decode(struct pst_keys_store *store, sqlite3_stmt *stmt, struct pst_client_certificate_row *ret)
{
    struct pst_client_certificate_row row = {
        .of_key = sqlite3_column_int(stmt, 1) != 0,
        .not_after_us = sqlite3_column_int64(stmt, 4),
        .created_us = sqlite3_column_int64(stmt, 5),
        .revoked_us = sqlite3_column_int64(stmt, 6),
    };
    if (sqlite3_column_bytes(stmt, 0) != PST_KEYS_DIGEST_BYTES)
        return pst_db_refuse(&store->db, -PST_EDB, "a client certificate's digest is damaged");
    memcpy(row.digest, sqlite3_column_blob(stmt, 0), PST_KEYS_DIGEST_BYTES);
    pst_str_clip(pst_db_text(stmt, 2), row.key_id, sizeof(row.key_id));
    pst_str_clip(pst_db_text(stmt, 3), row.subject, sizeof(row.subject));
    *ret = row;
    return 0;
}

static int insert(struct pst_keys_store *store, const struct pst_client_certificate_row *row)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt,
                             "INSERT OR REPLACE INTO client_certificate (" COLUMNS ", change_seq) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, row->digest, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 2, row->of_key);
    pst_db_bind_text(stmt, 3, pst_str_of(row->key_id));
    pst_db_bind_text(stmt, 4, pst_str_of(row->subject));
    pst_db_bind_time(stmt, 5, row->not_after_us);
    sqlite3_bind_int64(stmt, 6, row->created_us);
    pst_db_bind_time(stmt, 7, row->revoked_us);
    sqlite3_bind_int64(stmt, 8, store->seq);
    err = pst_db_run(&store->db, stmt, "writing a client certificate");
    sqlite3_finalize(stmt);
    return err;
}

static int is_known(struct pst_keys_store *store, const uint8_t digest[static PST_KEYS_DIGEST_BYTES],
                    bool *ret)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "SELECT 1 FROM client_certificate WHERE digest = ?1");
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, digest, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    err = pst_db_step(&store->db, stmt, "looking for a client certificate");
    *ret = err > 0;
    sqlite3_finalize(stmt);
    return err < 0 ? err : 0;
}

/* One that is known takes no more room: revoking must work when there is none. */
static int check_room(struct pst_keys_store *store, bool known)
{
    int64_t n = 0;
    int err = pst_db_number(&store->db, "SELECT count(*) FROM client_certificate", 0, &n);
    if (err == 0 && n >= PST_CLIENT_CERTIFICATES_MAX && !known)
        err = pst_db_refuse(&store->db, -PST_ELIMIT, "there are %d client certificates already",
                            PST_CLIENT_CERTIFICATES_MAX);
    return err;
}

int pst_client_certificates_put(struct pst_keys_store *store, const struct pst_client_certificate_row *row)
{
    bool own, known = false;
    int err = pst_keys_change_begin(store, &own);
    if (err < 0)
        return err;
    err = is_known(store, row->digest, &known);
    if (err == 0)
        err = check_room(store, known);
    if (err == 0)
        err = pst_keys_take_seq(store);
    if (err == 0)
        err = insert(store, row);
    return pst_keys_change_end(store, own, err);
}

int pst_client_certificates_list(struct pst_keys_store *store, pst_client_certificate_fn *fn, void *arg)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, "SELECT " COLUMNS " FROM client_certificate ORDER BY digest");
    while (err == 0) {
        struct pst_client_certificate_row row;
        err = pst_db_step(&store->db, stmt, "reading client certificates");
        if (err <= 0)
            break;
        err = decode(store, stmt, &row);
        if (err == 0)
            err = fn(&row, arg);
    }
    sqlite3_finalize(stmt);
    return err < 0 ? err : 0;
}

int pst_client_certificates_is_revoked(struct pst_keys_store *store,
                                       const uint8_t sha256[static PST_KEYS_DIGEST_BYTES],
                                       const uint8_t key_sha256[static PST_KEYS_DIGEST_BYTES], bool *ret)
{
    sqlite3_stmt *stmt = NULL;
    int err =
        pst_db_prepare(&store->db, &stmt,
                       "SELECT revoked_us IS NOT NULL FROM client_certificate WHERE (digest = ?1 AND NOT "
                       "of_key) OR (digest = ?2 AND of_key) ORDER BY of_key LIMIT 1");
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, sha256, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, key_sha256, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    err = pst_db_step(&store->db, stmt, "looking for a client certificate");
    if (err >= 0)
        *ret = err > 0 && sqlite3_column_int(stmt, 0) != 0;
    sqlite3_finalize(stmt);
    return err < 0 ? err : 0;
}

int pst_client_certificates_seq(struct pst_keys_store *store, int64_t *ret)
{
    return pst_db_number(&store->db, "SELECT coalesce(max(change_seq), 0) FROM client_certificate", 0, ret);
}
