/* SPDX-License-Identifier: Apache-2.0 */
/* Admin tokens on disk, beside the keys in keys.db. Errors, threads and pst_keys_why() as in keys_store.h. */
#ifndef POSTERN_DB_ADMIN_TOKENS_H
#define POSTERN_DB_ADMIN_TOKENS_H

#include "postern/db/keys_store.h"

#define PST_ADMIN_TOKENS_MAX 1000

enum pst_admin_role { PST_ADMIN_VIEWER = 1, PST_ADMIN_ADMIN = 2 };

struct pst_admin_token_row {
    char id[PST_KEYS_ID_MAX + 1];
    char name[PST_KEYS_NAME_MAX + 1];
    enum pst_admin_role role;
    uint8_t digest[PST_KEYS_DIGEST_BYTES];
    int64_t created_us;
    int64_t expires_us; /* this and the two below: 0 for never */
    int64_t revoked_us;
    int64_t used_us;
};

/* 0 goes on, anything else stops; a negative result is passed on. */
typedef int pst_admin_token_fn(const struct pst_admin_token_row *row, void *arg);

/* revoked and used are not read. -PST_EEXIST (the id), -PST_ELIMIT (PST_ADMIN_TOKENS_MAX of them). */
int pst_admin_tokens_add(struct pst_keys_store *store, const struct pst_admin_token_row *row) PST_MUSTCHECK;
/* -PST_ENOENT. */
int pst_admin_tokens_get(struct pst_keys_store *store, struct pst_str id,
                         struct pst_admin_token_row *ret) PST_MUSTCHECK;
/* By creation, revoked and expired ones too. */
int pst_admin_tokens_list(struct pst_keys_store *store, pst_admin_token_fn *fn, void *arg) PST_MUSTCHECK;
int pst_admin_tokens_count(struct pst_keys_store *store, int64_t *ret) PST_MUSTCHECK;
/* Keeps the moment of the first revocation. -PST_ENOENT. */
int pst_admin_tokens_revoke(struct pst_keys_store *store, struct pst_str id, int64_t now_us) PST_MUSTCHECK;
int pst_admin_tokens_set_used(struct pst_keys_store *store, struct pst_str id, int64_t now_us) PST_MUSTCHECK;

#endif
