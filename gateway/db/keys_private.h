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
    KEYS_STMTS
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
int pst_keys_read_seq(struct pst_keys_store *store, int64_t *ret) PST_MUSTCHECK;

#endif
