/* SPDX-License-Identifier: Apache-2.0 */
/* The keys on disk: keys.db.
 *
 * Every change gives the rows it touches a new change_seq, larger than all before it; so a running gateway
 * asks pst_keys_changed() (one tiny query) and then for pst_keys_changes() since the number it knows. A
 * deleted key stays as a tombstone without its secrets, so that the deletion is seen too, and is purged
 * later.
 *
 * When a key was last used is not here: usage.db has it (usage_store.h), and counting never bumps change_seq.
 *
 * Times are real microseconds since 1970, 0 meaning "not set". Slices in rows that a callback gets live until
 * it returns. A store belongs to one thread at a time; callbacks must not call the same store.
 *
 * Errors, besides those named: -PST_EBUSY (another process held the database too long), -PST_EFULL, -PST_EIO,
 * -PST_EACCES, -PST_EDB (damaged, or not ours), -PST_ENOMEM. pst_keys_why() has the sentence. */
#ifndef POSTERN_DB_KEYS_STORE_H
#define POSTERN_DB_KEYS_STORE_H

#include "postern/base/arena.h"
#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/db/db.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_KEYS_FILE         "keys.db"
#define PST_KEYS_DIGEST_BYTES 32
#define PST_KEYS_ID_MAX       23
#define PST_KEYS_NAME_MAX     400   /* bytes: 100 characters of four */
#define PST_KEYS_NOTE_MAX     4096  /* bytes */
#define PST_KEYS_JSON_MAX     65536 /* bytes, each of tags, scopes, networks, limits */
#define PST_KEYS_SHOWN_MAX    32    /* bytes, each of prefix, last4 */
#define PST_KEYS_TOMBSTONE_US (INT64_C(30) * 86400 * 1000000)

struct pst_keys_store;

enum pst_key_state {
    PST_KEY_STATE_ACTIVE = 0,
    PST_KEY_STATE_DISABLED = 1,
    PST_KEY_STATE_DELETED = 2, /* a tombstone: id, name and times only */
};

/* One secret's digest: HMAC-SHA-256 of the presented text under the pepper. */
struct pst_key_digest {
    bool set;
    uint8_t bytes[PST_KEYS_DIGEST_BYTES];
};

struct pst_key_slot {
    struct pst_key_digest digest; /* the secret in force; not set: the slot is empty (revoked) */
    struct pst_str prefix;        /* what may be shown of it */
    struct pst_str last4;
    int64_t created_us;
    bool imported; /* not made by us: it is found by its digest, since it has no id inside */
    /* The one before it, while its grace period runs. */
    struct pst_key_digest old_digest;
    struct pst_str old_last4;
    int64_t old_valid_until_us; /* it works before this moment, not at it */
    bool old_imported;
};

struct pst_key_row {
    struct pst_str id;
    struct pst_str name;
    struct pst_str note;
    struct pst_str tags; /* JSON array of strings, or empty */
    enum pst_key_state state;
    int64_t created_us;
    int64_t updated_us;
    int64_t expires_us;
    int64_t not_before_us;
    struct pst_key_slot slot[2]; /* slot[0] is "key1", slot[1] is "key2" */
    struct pst_str scopes;       /* JSON, or empty: kept for those who understand them */
    struct pst_str networks;
    struct pst_str limits;
    uint64_t change_seq;
    int64_t number;       /* in the order of creation; of pst_keys_list() only, as the next */
    int64_t last_used_us; /* of either secret, when the filter has `usage`; 0: never, or not known */
};

/* 0 goes on, anything else stops; a negative result is passed on to the caller. */
typedef int pst_keys_row_fn(const struct pst_key_row *row, void *arg);

/* Opens data_dir/keys.db. On failure `ret_why` (may be NULL) gets the sentence. -PST_ENOENT (read mode only),
 * -PST_EVERSION (made by a newer version), -PST_EACCES (not ours, or others may read it) and the usual. */
int pst_keys_open(const char *data_dir, enum pst_db_mode mode, struct pst_keys_store **ret,
                  struct pst_db_why *ret_why) PST_MUSTCHECK;
void pst_keys_close(struct pst_keys_store *store);
/* What the last failed call failed on; never NULL. Lives until the next call. */
const char *pst_keys_why(const struct pst_keys_store *store);

/* --- Changes. Each is a transaction of its own, unless made between begin and commit. --- */

/* Makes the following changes one: all or nothing (an import, say). Not nested. A change that fails undoes
 * only itself, except that after -PST_EFULL, -PST_EIO or -PST_ENOMEM SQLite may have undone all: commit then
 * fails with -PST_EDB. */
int pst_keys_begin(struct pst_keys_store *store) PST_MUSTCHECK;
int pst_keys_commit(struct pst_keys_store *store) PST_MUSTCHECK;
/* Whether a transaction was begun. */
bool pst_keys_in_transaction(const struct pst_keys_store *store);
/* Undoes everything since begin. */
void pst_keys_rollback(struct pst_keys_store *store);

/* Adds a key; row->updated_us and change_seq are not read (updated is created_us).
 * -PST_EEXIST: the id is taken (a tombstone's too), or an imported secret belongs to some key already.
 * -PST_EINVAL: empty id or name, neither slot set, a bound above passed. */
int pst_keys_create(struct pst_keys_store *store, const struct pst_key_row *row) PST_MUSTCHECK;

enum {
    PST_KEYS_SET_NAME = 1 << 0,
    PST_KEYS_SET_NOTE = 1 << 1,
    PST_KEYS_SET_TAGS = 1 << 2,
    PST_KEYS_SET_STATE = 1 << 3, /* active or disabled */
    PST_KEYS_SET_EXPIRES = 1 << 4,
    PST_KEYS_SET_NOT_BEFORE = 1 << 5,
    PST_KEYS_SET_SCOPES = 1 << 6,
    PST_KEYS_SET_NETWORKS = 1 << 7,
    PST_KEYS_SET_LIMITS = 1 << 8,
};
/* Sets the fields named by `what` of the key row->id to those of `row`. `if_seq` not 0: only if the key's
 * change_seq still is that, else -PST_EAGAIN (somebody changed it meanwhile). -PST_ENOENT: no such key. */
int pst_keys_update(struct pst_keys_store *store, const struct pst_key_row *row, unsigned what,
                    uint64_t if_seq, int64_t now_us) PST_MUSTCHECK;
int pst_keys_set_state(struct pst_keys_store *store, struct pst_str id, enum pst_key_state state,
                       int64_t now_us) PST_MUSTCHECK;
/* Puts a new secret into slot 1 or 2 (digest, prefix, last4, imported are read). The secret it replaces
 * works until `old_valid_until_us`; 0 or a moment that is past: it stops at once. -PST_ENOENT, -PST_EEXIST,
 * -PST_EINVAL. */
int pst_keys_set_slot(struct pst_keys_store *store, struct pst_str id, int slot,
                      const struct pst_key_slot *secret, int64_t old_valid_until_us,
                      int64_t now_us) PST_MUSTCHECK;
/* Empties slot 1 or 2, the secret in its grace period too. */
int pst_keys_clear_slot(struct pst_keys_store *store, struct pst_str id, int slot,
                        int64_t now_us) PST_MUSTCHECK;
/* Makes it a tombstone: the digests are gone at once. -PST_ENOENT. */
int pst_keys_delete(struct pst_keys_store *store, struct pst_str id, int64_t now_us) PST_MUSTCHECK;
/* Removes tombstones older than PST_KEYS_TOMBSTONE_US and digests whose grace period ended, at most some
 * hundred of each; returns how many. Changes no change_seq: what goes had no effect any more. */
int pst_keys_purge(struct pst_keys_store *store, int64_t now_us) PST_MUSTCHECK;

/* --- Reading. --- */

/* The key with this id, tombstones not included; strings are copied into `arena`. -PST_ENOENT. */
int pst_keys_get(struct pst_keys_store *store, struct pst_str id, struct pst_arena *arena,
                 struct pst_key_row *ret) PST_MUSTCHECK;

/* What a key is at some moment. */
enum pst_key_shown {
    PST_KEY_SHOWN_ACTIVE = 0,
    PST_KEY_SHOWN_DISABLED = 1,
    PST_KEY_SHOWN_EXPIRED = 2,
    PST_KEY_SHOWN_NOT_YET = 3,
};

enum pst_keys_order {
    PST_KEYS_BY_CREATED,
    PST_KEYS_BY_ID,
    PST_KEYS_BY_NAME,    /* without regard to case (ASCII) */
    PST_KEYS_BY_EXPIRES, /* those that never expire last */
    PST_KEYS_BY_UPDATED,
    PST_KEYS_BY_LAST_USED, /* those never used first; by `usage`: one look-up for each key there is */
    PST_KEYS_ORDERS
};

struct pst_usage_store;

/* All zero: every key that is not deleted, by creation, unbounded. */
struct pst_keys_filter {
    unsigned states;           /* bits 1 << enum pst_key_state; 0: active and disabled */
    unsigned shown;            /* bits 1 << enum pst_key_shown, at now_us; 0: any */
    int64_t now_us;            /* for `shown` */
    struct pst_str ids;        /* one of these, separated by commas */
    struct pst_str name;       /* exactly this name */
    struct pst_str text;       /* is part of id, name, note, tags or a shown prefix; case ignored (ASCII) */
    struct pst_str tag;        /* has exactly this tag */
    int64_t expires_before_us; /* has an expiry, before this */
    int64_t unused_since_us;   /* was there then, and nobody has used it since, by `usage` */
    struct pst_usage_store *usage; /* knows when keys were last used; NULL: none ever was */
    enum pst_keys_order order;
    bool descending;
    struct pst_str after; /* pst_keys_cursor() of the page before's last row; empty: from the beginning */
    uint64_t limit;       /* 0: no bound */
};
/* A key that changes its place between two pages may be met twice or not at all; all others are met once.
 * -PST_EPARSE: `after` is no cursor of this order. */
int pst_keys_list(struct pst_keys_store *store, const struct pst_keys_filter *filter, pst_keys_row_fn *fn,
                  void *arg) PST_MUSTCHECK;
/* The place of a row that pst_keys_list() gave, for the page behind it: text for URLs (letters, digits and
 * '-'). */
#define PST_KEYS_CURSOR_SIZE (2 * PST_KEYS_NAME_MAX + 32)
void pst_keys_cursor(const struct pst_keys_filter *filter, const struct pst_key_row *row,
                     char cursor[static PST_KEYS_CURSOR_SIZE]);
/* How many match (limit and after are not read). NULL: all that are not deleted. */
int pst_keys_count(struct pst_keys_store *store, const struct pst_keys_filter *filter,
                   uint64_t *ret) PST_MUSTCHECK;

/* --- For the keyring. Rows come without name, note, tags, prefix and last4. --- */

/* All keys that are not deleted, in no order; *ret_seq is the number to ask for changes since. */
int pst_keys_load(struct pst_keys_store *store, pst_keys_row_fn *fn, void *arg,
                  uint64_t *ret_seq) PST_MUSTCHECK;
/* 1 when something changed since `seq`, 0 when nothing did; 2 when the database has not come so far: an older
 * copy was put back into it, and all keys are to be loaded again. -PST_EDB also when the file was replaced. A
 * few microseconds. */
int pst_keys_changed(struct pst_keys_store *store, uint64_t seq) PST_MUSTCHECK;
/* All rows changed since `seq`, tombstones too, oldest change first, from one snapshot of the database;
 * *ret_seq is the number to go on from. When fn stops it, *ret_seq is not written. */
int pst_keys_changes(struct pst_keys_store *store, uint64_t seq, pst_keys_row_fn *fn, void *arg,
                     uint64_t *ret_seq) PST_MUSTCHECK;

#endif
