/* SPDX-License-Identifier: Apache-2.0 */
/* Managing keys: what the command line does, and the admin side will. Each call checks what it is given,
 * makes or hashes secrets, and writes one change into keys.db and the audit trail (audit.h); a running
 * gateway takes it in within a second. Between pst_keys_begin() and commit of the store a change that fails
 * is to be undone with all before it.
 *
 * A secret leaves here once, in a pst_secret that its owner wipes. One thread at a time; several processes
 * may do this beside each other. On failure `why` (never NULL) has the sentence for people. */
#ifndef POSTERN_AUTH_KEYS_H
#define POSTERN_AUTH_KEYS_H

#include "postern/auth/key_format.h"
#include "postern/auth/why.h"
#include "postern/base/err.h"
#include "postern/crypto/secret.h"
#include "postern/db/keys_store.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_KEY_NAME_CHARS_MAX 100
#define PST_KEY_NOTE_CHARS_MAX 1000
#define PST_KEY_GRACE_MAX_US   (INT64_C(30) * 86400 * 1000000)

struct pst_keys;

/* Opens keys.db in data_dir. With `make`, data_dir (0700), the database and the pepper are made when they are
 * missing (the pepper only beside a database without keys); else a missing database is -PST_ENOENT, and the
 * pepper is looked at when a secret is made. And -PST_EACCES, -PST_EVERSION, -PST_EDB, -PST_EIO ... */
int pst_keys_service_open(const char *data_dir, bool make, struct pst_keys **ret,
                          struct pst_why *why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_keys_service_close(struct pst_keys *keys);
/* For reading: list, get, count. */
struct pst_keys_store *pst_keys_service_store(struct pst_keys *keys);

struct pst_key_new {
    struct pst_str id;     /* 12 of 0-9a-z, public; empty: a random one is made */
    struct pst_str name;   /* 1 to 100 characters of UTF-8, no control characters */
    struct pst_str note;   /* may be empty; UTF-8 without control characters */
    int64_t expires_us;    /* 0: never; else in the future */
    int64_t not_before_us; /* 0: at once */
    struct pst_str tags;   /* JSON ["…"]; empty: none, as for the three below */
    struct pst_str
        scopes; /* JSON [{"path": "/prefix", "methods": ["GET", …]?}, …]; a request fits one of them */
    struct pst_str networks; /* JSON ["10.0.0.0/8", …]: where clients may be */
    struct pst_str
        limits; /* JSON {"rate": {"requests", "per_seconds"}, "concurrency", "quota": {"requests", "per"}} */
    struct pst_str imports[2]; /* existing secrets to be taken over; both empty: two are made */
};

struct pst_key_made {
    char id[PST_KEY_ID_SIZE];
    struct pst_secret secrets[2]; /* empty where none was made (imports) */
    int64_t created_us;
};

/* -PST_EINVAL (why->field says which), -PST_EEXIST (the id is taken, a deleted key's too; or an imported
 * secret belongs to a key already). Many at a time: between pst_keys_begin() and pst_keys_commit() of the
 * store. */
int pst_keys_make(struct pst_keys *keys, const struct pst_key_new *request, struct pst_key_made *ret_made,
                  struct pst_why *why) PST_MUSTCHECK;
/* Whether those fields that `what` names (PST_KEYS_SET_...) keep the rules of pst_key_new. -PST_EINVAL: `why`
 * names the first that does not. */
int pst_keys_check(const struct pst_key_row *fields, unsigned what, struct pst_why *why) PST_MUSTCHECK;
/* Whether it can be taken over as somebody's secret (-PST_EINVAL). */
int pst_keys_check_import(struct pst_str secret, struct pst_why *why);
/* Sets the fields of the key fields->id that `what` names (PST_KEYS_SET_...; the state too), by the rules of
 * pst_key_new. `if_seq` not 0: only if the key's change_seq still is that, else -PST_EAGAIN. -PST_ENOENT,
 * -PST_EINVAL. */
int pst_keys_change(struct pst_keys *keys, const struct pst_key_row *fields, unsigned what, uint64_t if_seq,
                    struct pst_why *why) PST_MUSTCHECK;
/* A new secret in slot 1 or 2; the one it replaces works for another `grace_us` (0: stops at once).
 * -PST_ENOENT, -PST_EINVAL. */
int pst_keys_rotate(struct pst_keys *keys, struct pst_str id, int slot, int64_t grace_us,
                    struct pst_secret *ret_secret, struct pst_why *why) PST_MUSTCHECK;
/* Empties slot 1 or 2 at once, the secret in its grace period too. -PST_ENOENT, -PST_EINVAL. */
int pst_keys_revoke(struct pst_keys *keys, struct pst_str id, int slot, struct pst_why *why) PST_MUSTCHECK;
/* -PST_ENOENT. */
int pst_keys_enable(struct pst_keys *keys, struct pst_str id, bool enabled,
                    struct pst_why *why) PST_MUSTCHECK;
int pst_keys_remove(struct pst_keys *keys, struct pst_str id, struct pst_why *why) PST_MUSTCHECK;

/* "active", "disabled", "expired", "not_yet": what the key is at `now_us`. Static. */
const char *pst_key_row_state(const struct pst_key_row *row, int64_t now_us);
/* The enum pst_key_shown with this text, or -1. */
int pst_key_shown_of(struct pst_str text);
/* What a list is sorted by: one of these texts, behind a '-' for the other way. -PST_EINVAL: none of them. */
#define PST_KEYS_ORDER_TEXTS "created, id, name, expires, updated, last_used"
int pst_keys_order_of(struct pst_str text, enum pst_keys_order *ret_order,
                      bool *ret_descending) PST_MUSTCHECK;

#endif
