/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to keys. Each runs inside a transaction: the caller's, or one of its own. */
#include "keys_private.h"

#include <inttypes.h>
#include <stdio.h>

/* A slice of purging: a millisecond or so, for both what it deletes and what it looks at. */
#define PURGE_ROWS 500

int pst_keys_change_begin(struct pst_keys_store *store, bool *ret_own)
{
    *ret_own = !store->in_transaction;
    if (!*ret_own) {
        if (sqlite3_get_autocommit(store->db.handle))
            return pst_db_refuse(&store->db, -PST_EDB, "the transaction was undone by an earlier failure");
        return 0;
    }
    store->seq = 0;
    return pst_db_begin(&store->db);
}

int pst_keys_change_end(struct pst_keys_store *store, bool own, int err)
{
    if (!own)
        return err;
    if (err < 0) {
        pst_db_rollback(&store->db);
        return err;
    }
    return pst_db_commit(&store->db);
}

int pst_keys_take_seq(struct pst_keys_store *store)
{
    if (store->seq != 0)
        return 0;
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_BUMP_SEQ, "UPDATE change SET seq = seq + 1", &stmt);
    if (err == 0)
        err = pst_db_run(&store->db, stmt, "taking a change number");
    return err == 0 ? pst_keys_read_seq(store, &store->seq) : err;
}

static int not_found(struct pst_keys_store *store, struct pst_str id)
{
    return pst_db_refuse(&store->db, -PST_ENOENT, "no key has the id \"" PST_STR_FMT "\"",
                         PST_STR_ARG(((struct pst_str){id.p, id.len < 64 ? id.len : 64})));
}

static int check_length(struct pst_keys_store *store, const char *what, struct pst_str s, size_t max)
{
    if (s.len <= max)
        return 0;
    return pst_db_refuse(&store->db, -PST_EINVAL, "%s is longer than %zu bytes", what, max);
}

static int check_texts(struct pst_keys_store *store, const struct pst_key_row *row)
{
    int err = check_length(store, "the name", row->name, PST_KEYS_NAME_MAX);
    if (err == 0)
        err = check_length(store, "the note", row->note, PST_KEYS_NOTE_MAX);
    if (err == 0)
        err = check_length(store, "tags", row->tags, PST_KEYS_JSON_MAX);
    if (err == 0)
        err = check_length(store, "scopes", row->scopes, PST_KEYS_JSON_MAX);
    if (err == 0)
        err = check_length(store, "networks", row->networks, PST_KEYS_JSON_MAX);
    if (err == 0)
        err = check_length(store, "limits", row->limits, PST_KEYS_JSON_MAX);
    return err;
}

static int check_slot(struct pst_keys_store *store, const struct pst_key_slot *slot)
{
    int err = check_length(store, "the shown prefix", slot->prefix, PST_KEYS_SHOWN_MAX);
    return err == 0 ? check_length(store, "the shown end", slot->last4, PST_KEYS_SHOWN_MAX) : err;
}

/* An imported secret is found by its digest alone, so it must be nobody's yet, in force or in grace. */
static int check_not_taken(struct pst_keys_store *store, const struct pst_key_slot *slot, int64_t now_us)
{
    static const char sql[] =
        "SELECT id FROM key WHERE imported1 = 1 AND digest1 = ?1 UNION ALL "
        "SELECT id FROM key WHERE imported2 = 1 AND digest2 = ?1 UNION ALL "
        "SELECT id FROM key WHERE old_imported1 = 1 AND old_digest1 = ?1 AND old_until1_us > ?2 UNION ALL "
        "SELECT id FROM key WHERE old_imported2 = 1 AND old_digest2 = ?1 AND old_until2_us > ?2";
    if (!slot->digest.set || !slot->imported)
        return 0;
    sqlite3_stmt *stmt;
    int err = pst_keys_stmt(store, KEYS_TAKEN, sql, &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_blob(stmt, 1, slot->digest.bytes, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, now_us);
    err = pst_db_step(&store->db, stmt, "looking for the secret");
    if (err <= 0)
        return err;
    struct pst_str id = pst_db_text(stmt, 0);
    err = pst_db_refuse(&store->db, -PST_EEXIST, "this secret belongs to the key \"" PST_STR_FMT "\" already",
                        PST_STR_ARG(id));
    pst_db_reset(stmt);
    return err;
}

static void bind_digest(sqlite3_stmt *stmt, int index, const struct pst_key_digest *digest)
{
    if (digest->set)
        sqlite3_bind_blob(stmt, index, digest->bytes, PST_KEYS_DIGEST_BYTES, SQLITE_STATIC);
    else
        sqlite3_bind_null(stmt, index);
}

static int check_new(struct pst_keys_store *store, const struct pst_key_row *row)
{
    if (row->id.len == 0 || row->name.len == 0)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a key needs an id and a name");
    if (row->state != PST_KEY_STATE_ACTIVE && row->state != PST_KEY_STATE_DISABLED)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a new key is active or disabled");
    const struct pst_key_slot *a = &row->slot[0], *b = &row->slot[1];
    if (!a->digest.set && !b->digest.set)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a key needs a secret");
    if (a->digest.set && b->digest.set && a->imported && b->imported &&
        memcmp(a->digest.bytes, b->digest.bytes, PST_KEYS_DIGEST_BYTES) == 0)
        return pst_db_refuse(&store->db, -PST_EEXIST, "its two secrets are the same");
    int err = check_length(store, "the id", row->id, PST_KEYS_ID_MAX);
    if (err == 0)
        err = check_texts(store, row);
    for (int i = 0; err == 0 && i < 2; i++) {
        err = check_slot(store, &row->slot[i]);
        if (err == 0)
            err = check_not_taken(store, &row->slot[i], row->created_us);
    }
    return err;
}

static void bind_new(sqlite3_stmt *stmt, const struct pst_key_row *row, int64_t seq)
{
    pst_db_bind_text(stmt, 1, row->id);
    sqlite3_bind_int(stmt, 2, (int)row->state);
    pst_db_bind_time(stmt, 3, row->expires_us);
    pst_db_bind_time(stmt, 4, row->not_before_us);
    sqlite3_bind_int64(stmt, 5, seq);
    for (int i = 0; i < 2; i++) {
        const struct pst_key_slot *slot = &row->slot[i];
        bool set = slot->digest.set;
        bind_digest(stmt, 6 + i, &slot->digest);
        sqlite3_bind_int(stmt, 8 + i, set && slot->imported);
        pst_db_bind_text(stmt, 10 + i, set ? slot->prefix : (struct pst_str){0});
        pst_db_bind_text(stmt, 12 + i, set ? slot->last4 : (struct pst_str){0});
        pst_db_bind_time(stmt, 14 + i, !set ? 0 : slot->created_us != 0 ? slot->created_us : row->created_us);
    }
    pst_db_bind_text(stmt, 16, row->scopes);
    pst_db_bind_text(stmt, 17, row->networks);
    pst_db_bind_text(stmt, 18, row->limits);
    pst_db_bind_text(stmt, 19, row->name);
    pst_db_bind_text(stmt, 20, row->note);
    pst_db_bind_text(stmt, 21, row->tags);
    sqlite3_bind_int64(stmt, 22, row->created_us);
}

static int insert(struct pst_keys_store *store, const struct pst_key_row *row)
{
    static const char sql[] = "INSERT INTO key (id, state, expires_us, not_before_us, change_seq, digest1, "
                              "digest2, imported1, imported2,"
                              " prefix1, prefix2, last4_1, last4_2, created1_us, created2_us, scopes, "
                              "networks, limits, name, note, tags,"
                              " created_us, updated_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                              "?11, ?12, ?13, ?14, ?15, ?16,"
                              " ?17, ?18, ?19, ?20, ?21, ?22, ?22)";
    sqlite3_stmt *stmt;
    int err = check_new(store, row);
    if (err == 0)
        err = pst_keys_take_seq(store);
    if (err == 0)
        err = pst_keys_stmt(store, KEYS_INSERT, sql, &stmt);
    if (err < 0)
        return err;
    bind_new(stmt, row, store->seq);
    err = pst_db_run(&store->db, stmt, "adding a key");
    if (err == -PST_EEXIST)
        return pst_db_refuse(&store->db, err, "the id \"" PST_STR_FMT "\" is taken", PST_STR_ARG(row->id));
    return err;
}

int pst_keys_create(struct pst_keys_store *store, const struct pst_key_row *row)
{
    bool own;
    int err = pst_keys_change_begin(store, &own);
    return err < 0 ? err : pst_keys_change_end(store, own, insert(store, row));
}

/* Whether the key is there and (if_seq not 0) still as it was. */
static int check_seq(struct pst_keys_store *store, struct pst_str id, uint64_t if_seq)
{
    sqlite3_stmt *stmt;
    int err =
        pst_keys_stmt(store, KEYS_SEQ_OF, "SELECT change_seq FROM key WHERE id = ?1 AND state < 2", &stmt);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, id);
    err = pst_db_step(&store->db, stmt, "looking for a key");
    if (err <= 0)
        return err < 0 ? err : not_found(store, id);
    uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 0);
    pst_db_reset(stmt);
    if (if_seq != 0 && seq != if_seq)
        return pst_db_refuse(&store->db, -PST_EAGAIN, "the key was changed meanwhile");
    return 0;
}

#define SET_ANY                                                                                              \
    (PST_KEYS_SET_NAME | PST_KEYS_SET_NOTE | PST_KEYS_SET_TAGS | PST_KEYS_SET_STATE | PST_KEYS_SET_EXPIRES | \
     PST_KEYS_SET_NOT_BEFORE | PST_KEYS_SET_SCOPES | PST_KEYS_SET_NETWORKS | PST_KEYS_SET_LIMITS)

static int check_update(struct pst_keys_store *store, const struct pst_key_row *row, unsigned what)
{
    if (what == 0 || (what & ~(unsigned)SET_ANY) != 0)
        return pst_db_refuse(&store->db, -PST_EINVAL, "nothing to set");
    if ((what & PST_KEYS_SET_NAME) != 0 && row->name.len == 0)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a key needs a name");
    if ((what & PST_KEYS_SET_STATE) != 0 && row->state != PST_KEY_STATE_ACTIVE &&
        row->state != PST_KEY_STATE_DISABLED)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a key's state is set to active or disabled");
    return check_texts(store, row);
}

/* One statement for every set of fields: what is not to be set keeps its value. */
static int run_update(struct pst_keys_store *store, const struct pst_key_row *row, unsigned what,
                      int64_t now_us)
{
    static const struct {
        unsigned bit;
        const char *column;
    } columns[] = {
        {PST_KEYS_SET_NAME, "name"},          {PST_KEYS_SET_NOTE, "note"},
        {PST_KEYS_SET_TAGS, "tags"},          {PST_KEYS_SET_STATE, "state"},
        {PST_KEYS_SET_EXPIRES, "expires_us"}, {PST_KEYS_SET_NOT_BEFORE, "not_before_us"},
        {PST_KEYS_SET_SCOPES, "scopes"},      {PST_KEYS_SET_NETWORKS, "networks"},
        {PST_KEYS_SET_LIMITS, "limits"},
    };
    char sql[512] = "UPDATE key SET updated_us = ?10, change_seq = ?11";
    size_t n = strlen(sql);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if ((what & columns[i].bit) != 0)
            n += (size_t)snprintf(sql + n, sizeof sql - n, ", %s = ?%zu", columns[i].column, i + 1);
    }
    snprintf(sql + n, sizeof sql - n, " WHERE id = ?12 AND state < 2");
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    pst_db_bind_text(stmt, 1, row->name);
    pst_db_bind_text(stmt, 2, row->note);
    pst_db_bind_text(stmt, 3, row->tags);
    sqlite3_bind_int(stmt, 4, (int)row->state);
    pst_db_bind_time(stmt, 5, row->expires_us);
    pst_db_bind_time(stmt, 6, row->not_before_us);
    pst_db_bind_text(stmt, 7, row->scopes);
    pst_db_bind_text(stmt, 8, row->networks);
    pst_db_bind_text(stmt, 9, row->limits);
    sqlite3_bind_int64(stmt, 10, now_us);
    sqlite3_bind_int64(stmt, 11, store->seq);
    pst_db_bind_text(stmt, 12, row->id);
    err = pst_db_run(&store->db, stmt, "changing a key");
    sqlite3_finalize(stmt);
    return err;
}

static int update(struct pst_keys_store *store, const struct pst_key_row *row, unsigned what, uint64_t if_seq,
                  int64_t now_us)
{
    int err = check_update(store, row, what);
    if (err == 0)
        err = check_seq(store, row->id, if_seq);
    if (err == 0)
        err = pst_keys_take_seq(store);
    return err == 0 ? run_update(store, row, what, now_us) : err;
}

int pst_keys_update(struct pst_keys_store *store, const struct pst_key_row *row, unsigned what,
                    uint64_t if_seq, int64_t now_us)
{
    bool own;
    int err = pst_keys_change_begin(store, &own);
    return err < 0 ? err : pst_keys_change_end(store, own, update(store, row, what, if_seq, now_us));
}

int pst_keys_set_state(struct pst_keys_store *store, struct pst_str id, enum pst_key_state state,
                       int64_t now_us)
{
    struct pst_key_row row = {.id = id, .state = state};
    return pst_keys_update(store, &row, PST_KEYS_SET_STATE, 0, now_us);
}

/* The secret in force moves to the old one when it is to work on; in SQL, so that it never leaves the file.
 */
#define SET_SLOT_SQL(n)                                                                                      \
    "UPDATE key SET old_digest" n " = CASE WHEN ?1 > ?2 THEN digest" n " END,"                               \
    " old_imported" n " = CASE WHEN ?1 > ?2 THEN imported" n " ELSE 0 END,"                                  \
    " old_last4_" n " = CASE WHEN ?1 > ?2 THEN last4_" n " END,"                                             \
    " old_until" n "_us = CASE WHEN ?1 > ?2 AND digest" n " IS NOT NULL THEN ?1 END,"                        \
    " digest" n " = ?3, imported" n " = ?4, prefix" n " = ?5, last4_" n " = ?6, created" n "_us = ?7,"       \
    " updated_us = ?2, change_seq = ?8 WHERE id = ?9 AND state < 2"

static int set_slot(struct pst_keys_store *store, struct pst_str id, int slot,
                    const struct pst_key_slot *secret, int64_t old_valid_until_us, int64_t now_us)
{
    if ((slot != 1 && slot != 2) || !secret->digest.set)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a slot is 1 or 2, and gets a secret");
    int err = check_slot(store, secret);
    if (err == 0)
        err = check_seq(store, id, 0);
    if (err == 0)
        err = check_not_taken(store, secret, now_us);
    if (err == 0)
        err = pst_keys_take_seq(store);
    sqlite3_stmt *stmt;
    if (err == 0)
        err = slot == 1 ? pst_keys_stmt(store, KEYS_SET_SLOT_1, SET_SLOT_SQL("1"), &stmt)
                        : pst_keys_stmt(store, KEYS_SET_SLOT_2, SET_SLOT_SQL("2"), &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, old_valid_until_us);
    sqlite3_bind_int64(stmt, 2, now_us);
    bind_digest(stmt, 3, &secret->digest);
    sqlite3_bind_int(stmt, 4, secret->imported);
    pst_db_bind_text(stmt, 5, secret->prefix);
    pst_db_bind_text(stmt, 6, secret->last4);
    sqlite3_bind_int64(stmt, 7, secret->created_us != 0 ? secret->created_us : now_us);
    sqlite3_bind_int64(stmt, 8, store->seq);
    pst_db_bind_text(stmt, 9, id);
    return pst_db_run(&store->db, stmt, "changing a secret");
}

int pst_keys_set_slot(struct pst_keys_store *store, struct pst_str id, int slot,
                      const struct pst_key_slot *secret, int64_t old_valid_until_us, int64_t now_us)
{
    bool own;
    int err = pst_keys_change_begin(store, &own);
    if (err < 0)
        return err;
    return pst_keys_change_end(store, own, set_slot(store, id, slot, secret, old_valid_until_us, now_us));
}

#define EMPTY_SLOT_SQL(n)                                                                                    \
    " digest" n " = NULL, imported" n " = 0, prefix" n " = NULL, last4_" n " = NULL, created" n              \
    "_us = NULL,"                                                                                            \
    " old_digest" n " = NULL, old_imported" n " = 0, old_last4_" n " = NULL, old_until" n "_us = NULL"
#define CLEAR_SLOT_SQL(n)                                                                                    \
    "UPDATE key SET" EMPTY_SLOT_SQL(n) ", updated_us = ?1, change_seq = ?2 WHERE id = ?3 AND state < 2"

static int run_on_key(struct pst_keys_store *store, enum keys_stmt which, const char *sql, struct pst_str id,
                      int64_t now_us)
{
    sqlite3_stmt *stmt;
    int err = check_seq(store, id, 0);
    if (err == 0)
        err = pst_keys_take_seq(store);
    if (err == 0)
        err = pst_keys_stmt(store, which, sql, &stmt);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, now_us);
    sqlite3_bind_int64(stmt, 2, store->seq);
    pst_db_bind_text(stmt, 3, id);
    return pst_db_run(&store->db, stmt, "changing a key");
}

int pst_keys_clear_slot(struct pst_keys_store *store, struct pst_str id, int slot, int64_t now_us)
{
    if (slot != 1 && slot != 2)
        return pst_db_refuse(&store->db, -PST_EINVAL, "a slot is 1 or 2");
    bool own;
    int err = pst_keys_change_begin(store, &own);
    if (err < 0)
        return err;
    err = slot == 1 ? run_on_key(store, KEYS_CLEAR_SLOT_1, CLEAR_SLOT_SQL("1"), id, now_us)
                    : run_on_key(store, KEYS_CLEAR_SLOT_2, CLEAR_SLOT_SQL("2"), id, now_us);
    return pst_keys_change_end(store, own, err);
}

int pst_keys_delete(struct pst_keys_store *store, struct pst_str id, int64_t now_us)
{
    static const char sql[] = "UPDATE key SET state = 2," EMPTY_SLOT_SQL("1") "," EMPTY_SLOT_SQL(
        "2") ", scopes = NULL, networks = NULL, limits = NULL, note = NULL, tags = NULL, updated_us = ?1, "
             "change_seq = ?2"
             " WHERE id = ?3 AND state < 2";
    bool own;
    int err = pst_keys_change_begin(store, &own);
    return err < 0 ? err : pst_keys_change_end(store, own, run_on_key(store, KEYS_DELETE, sql, id, now_us));
}

static int purge_one(struct pst_keys_store *store, const char *sql, int64_t before_us)
{
    sqlite3_stmt *stmt = NULL;
    int err = pst_db_prepare(&store->db, &stmt, sql);
    if (err < 0)
        return err;
    sqlite3_bind_int64(stmt, 1, before_us);
    sqlite3_bind_int(stmt, 2, PURGE_ROWS);
    err = pst_db_run(&store->db, stmt, "purging");
    sqlite3_finalize(stmt);
    return err < 0 ? err : sqlite3_changes(store->db.handle);
}

#define PURGE_OLD_SQL(n)                                                                                     \
    "UPDATE key SET old_digest" n " = NULL, old_imported" n " = 0, old_last4_" n " = NULL, old_until" n      \
    "_us = NULL WHERE rowid IN (SELECT rowid FROM key WHERE old_until" n "_us <= ?1 LIMIT ?2)"

int pst_keys_purge(struct pst_keys_store *store, int64_t now_us)
{
    static const char tombstones[] =
        "DELETE FROM key WHERE rowid IN (SELECT rowid FROM key WHERE state = 2 AND updated_us < ?1 LIMIT ?2)";
    bool own;
    int err = pst_keys_change_begin(store, &own);
    if (err < 0)
        return err;
    int deleted = purge_one(store, tombstones, now_us - PST_KEYS_TOMBSTONE_US);
    int first = deleted < 0 ? deleted : purge_one(store, PURGE_OLD_SQL("1"), now_us);
    int second = first < 0 ? first : purge_one(store, PURGE_OLD_SQL("2"), now_us);
    err = pst_keys_change_end(store, own, second < 0 ? second : 0);
    return err < 0 ? err : deleted + first + second;
}
