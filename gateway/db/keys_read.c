/* SPDX-License-Identifier: Apache-2.0 */
/* Reading keys: one, all, and what changed. */
#include "keys_private.h"

/* The columns' places in KEYS_ALL_COLUMNS. */
enum {
    AT_DIGEST = 5,
    AT_IMPORTED = 7,
    AT_OLD_DIGEST = 9,
    AT_OLD_IMPORTED = 11,
    AT_OLD_UNTIL = 13,
    AT_SCOPES = 15,
    AT_NAME = 18,
    AT_PREFIX = 23,
    AT_LAST4 = 25,
    AT_OLD_LAST4 = 27,
    AT_CREATED = 29,
    AT_NUMBER = 31,
};

static void decode_digest(sqlite3_stmt *stmt, int column, struct pst_key_digest *ret)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    ret->set = bytes != NULL && sqlite3_column_bytes(stmt, column) == PST_KEYS_DIGEST_BYTES;
    if (ret->set)
        memcpy(ret->bytes, bytes, PST_KEYS_DIGEST_BYTES);
}

static void decode_hot(sqlite3_stmt *stmt, struct pst_key_row *row)
{
    row->id = pst_db_text(stmt, 0);
    row->state = (enum pst_key_state)sqlite3_column_int(stmt, 1);
    row->expires_us = sqlite3_column_int64(stmt, 2);
    row->not_before_us = sqlite3_column_int64(stmt, 3);
    row->change_seq = (uint64_t)sqlite3_column_int64(stmt, 4);
    for (int i = 0; i < 2; i++) {
        struct pst_key_slot *slot = &row->slot[i];
        decode_digest(stmt, AT_DIGEST + i, &slot->digest);
        slot->imported = sqlite3_column_int(stmt, AT_IMPORTED + i) != 0;
        decode_digest(stmt, AT_OLD_DIGEST + i, &slot->old_digest);
        slot->old_imported = sqlite3_column_int(stmt, AT_OLD_IMPORTED + i) != 0;
        slot->old_valid_until_us = sqlite3_column_int64(stmt, AT_OLD_UNTIL + i);
    }
    row->scopes = pst_db_text(stmt, AT_SCOPES);
    row->networks = pst_db_text(stmt, AT_SCOPES + 1);
    row->limits = pst_db_text(stmt, AT_SCOPES + 2);
}

static void decode_cold(sqlite3_stmt *stmt, struct pst_key_row *row)
{
    row->name = pst_db_text(stmt, AT_NAME);
    row->note = pst_db_text(stmt, AT_NAME + 1);
    row->tags = pst_db_text(stmt, AT_NAME + 2);
    row->created_us = sqlite3_column_int64(stmt, AT_NAME + 3);
    row->updated_us = sqlite3_column_int64(stmt, AT_NAME + 4);
    for (int i = 0; i < 2; i++) {
        row->slot[i].prefix = pst_db_text(stmt, AT_PREFIX + i);
        row->slot[i].last4 = pst_db_text(stmt, AT_LAST4 + i);
        row->slot[i].old_last4 = pst_db_text(stmt, AT_OLD_LAST4 + i);
        row->slot[i].created_us = sqlite3_column_int64(stmt, AT_CREATED + i);
    }
}

static void decode_listed(sqlite3_stmt *stmt, struct pst_key_row *row)
{
    row->number = sqlite3_column_int64(stmt, AT_NUMBER);
    row->last_used_us = sqlite3_column_int64(stmt, AT_NUMBER + 1);
}

int pst_keys_each(struct pst_keys_store *store, sqlite3_stmt *stmt, enum keys_columns columns,
                  pst_keys_row_fn *fn, void *arg, bool *ret_stopped)
{
    struct pst_key_row row = {0};
    int err;
    while ((err = pst_db_step(&store->db, stmt, "reading keys")) == 1) {
        decode_hot(stmt, &row);
        if (columns >= KEYS_COLD)
            decode_cold(stmt, &row);
        if (columns >= KEYS_LISTED)
            decode_listed(stmt, &row);
        int result = fn(&row, arg);
        if (result == 0)
            continue;
        pst_db_reset(stmt);
        *ret_stopped = true;
        return result < 0 ? result : 0;
    }
    return err;
}

static int copy_str(struct pst_arena *arena, struct pst_str *s)
{
    *s = pst_arena_strdup(arena, *s);
    return s->p == NULL ? -PST_ENOMEM : 0;
}

static int copy_row(struct pst_arena *arena, struct pst_key_row *row)
{
    struct pst_str *all[] = {
        &row->id,
        &row->name,
        &row->note,
        &row->tags,
        &row->scopes,
        &row->networks,
        &row->limits,
        &row->slot[0].prefix,
        &row->slot[1].prefix,
        &row->slot[0].last4,
        &row->slot[1].last4,
        &row->slot[0].old_last4,
        &row->slot[1].old_last4,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int err = copy_str(arena, all[i]);
        if (err < 0)
            return err;
    }
    return 0;
}

int pst_keys_get(struct pst_keys_store *store, struct pst_str id, struct pst_arena *arena,
                 struct pst_key_row *ret)
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_GET,
                            "SELECT " KEYS_ALL_COLUMNS " FROM key WHERE id = ?1 AND state < 2", &stmt);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, id);
    err = pst_db_step(&store->db, stmt, "reading a key");
    if (err < 0)
        return err;
    if (err == 0)
        return pst_db_refuse(&store->db, -PST_ENOENT, "no key has the id \"" PST_STR_FMT "\"",
                             PST_STR_ARG(((struct pst_str){id.p, id.len < 64 ? id.len : 64})));
    struct pst_key_row row = {0};
    decode_hot(stmt, &row);
    decode_cold(stmt, &row);
    err = copy_row(arena, &row);
    pst_db_reset(stmt);
    if (err < 0)
        return pst_db_refuse(&store->db, err, "no memory for the key");
    *ret = row;
    return 0;
}

/* --- For the keyring --- */

/* Runs `stmt` and reads the change number in one snapshot of the database. */
static int read_snapshot(struct pst_keys_store *store, sqlite3_stmt *stmt, pst_keys_row_fn *fn, void *arg,
                         uint64_t *ret_seq)
{
    bool own = sqlite3_get_autocommit(store->db.handle) != 0;
    int err = own ? pst_db_exec(&store->db, "BEGIN", "reading keys") : 0;
    if (err < 0) {
        pst_db_reset(stmt);
        return err;
    }
    int64_t seq = 0;
    bool stopped = false;
    err = pst_keys_read_seq(store, &seq);
    if (err == 0)
        err = pst_keys_each(store, stmt, KEYS_HOT, fn, arg, &stopped);
    else
        pst_db_reset(stmt);
    if (own)
        pst_db_rollback(&store->db); /* nothing was written */
    if (err == 0 && !stopped)
        *ret_seq = (uint64_t)seq;
    return err;
}

int pst_keys_load(struct pst_keys_store *store, pst_keys_row_fn *fn, void *arg, uint64_t *ret_seq)
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_LOAD,
                            "SELECT " KEYS_HOT_COLUMNS " FROM key NOT INDEXED WHERE state < 2", &stmt);
    return err < 0 ? err : read_snapshot(store, stmt, fn, arg, ret_seq);
}

int pst_keys_changed(struct pst_keys_store *store, uint64_t seq)
{
    int64_t now = 0;
    int err = pst_db_check_place(&store->db);
    if (err == 0)
        err = pst_keys_read_seq(store, &now);
    return err < 0 ? err : (uint64_t)now > seq ? 1 : (uint64_t)now < seq ? 2 : 0;
}

int pst_keys_changes(struct pst_keys_store *store, uint64_t seq, pst_keys_row_fn *fn, void *arg,
                     uint64_t *ret_seq)
{
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_CHANGES,
                            "SELECT " KEYS_HOT_COLUMNS " FROM key WHERE change_seq > ?1 ORDER BY change_seq",
                            &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, seq > INT64_MAX ? INT64_MAX : (int64_t)seq);
    return read_snapshot(store, stmt, fn, arg, ret_seq);
}
