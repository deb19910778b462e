/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the keys store share. */
#ifndef POSTERN_DB_KEYS_PRIVATE_H
#define POSTERN_DB_KEYS_PRIVATE_H

#include "postern/db/keys_store.h"
#include "sqlite.h"

enum keys_stmt {
    KEYS_READ_SEQ,
    KEYS_BUMP_SEQ,
    KEYS_INSERT,
    KEYS_TAKEN,
    KEYS_SEQ_OF,
    KEYS_SET_SLOT_1,
    KEYS_SET_SLOT_2,
    KEYS_CLEAR_SLOT_1,
    KEYS_CLEAR_SLOT_2,
    KEYS_DELETE,
    KEYS_GET,
    KEYS_LOAD,
    KEYS_CHANGES,
    KEYS_AUDIT_ADD,
    KEYS_NOTE_PEPPER,
    KEYS_STMTS
};

/* What the keyring needs, and what a person is shown besides; keys_read.c knows the order. */
#define KEYS_HOT_COLUMNS                                                                                     \
    "id, state, expires_us, not_before_us, change_seq, digest1, digest2, imported1, imported2, old_digest1," \
    " old_digest2, old_imported1, old_imported2, old_until1_us, old_until2_us, scopes, networks, limits"
#define KEYS_ALL_COLUMNS                                                                                     \
    KEYS_HOT_COLUMNS ", name, note, tags, created_us, updated_us, prefix1, prefix2, last4_1, last4_2, "      \
                     "old_last4_1, old_last4_2, created1_us, created2_us"
enum keys_columns {
    KEYS_HOT,    /* KEYS_HOT_COLUMNS */
    KEYS_COLD,   /* KEYS_ALL_COLUMNS */
    KEYS_LISTED, /* and the row's number, and when it was last used */
};

struct pst_keys_store {
    struct pst_db db;
    sqlite3_stmt *stmts[KEYS_STMTS];
    bool in_transaction; /* begun by the caller */
    int64_t seq;         /* the change_seq of the transaction under way; 0: not taken yet */
};

/* The statement `which`, prepared from `sql` when it is used for the first time. */
int pst_keys_stmt(struct pst_keys_store *store, enum keys_stmt which, const char *sql,
                  sqlite3_stmt **ret) PST_MUSTCHECK;
/* The frame of a change: begins a transaction unless the caller has one under way, and ends what it began by
 * committing, or undoing when `err` is negative. */
int pst_keys_change_begin(struct pst_keys_store *store, bool *ret_own) PST_MUSTCHECK;
int pst_keys_change_end(struct pst_keys_store *store, bool own, int err) PST_MUSTCHECK;
/* The change_seq of this transaction into store->seq: taken at its first change, the same for all rows in it.
 */
int pst_keys_take_seq(struct pst_keys_store *store) PST_MUSTCHECK;
int pst_keys_read_seq(struct pst_keys_store *store, int64_t *ret) PST_MUSTCHECK;

/* Hands each row to fn; the row's memory is SQLite's, so nothing is allocated here. */
int pst_keys_each(struct pst_keys_store *store, sqlite3_stmt *stmt, enum keys_columns columns,
                  pst_keys_row_fn *fn, void *arg, bool *ret_stopped) PST_MUSTCHECK;

#endif
