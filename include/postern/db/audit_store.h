/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail on disk, beside the keys in keys.db: who changed what, when, from where.
 *
 *     hash(n) = SHA-256(hash(n - 1), row n)
 *
 * so that a row that was altered, left out or slipped in shows (pst_audit_verify). Triggers of the database
 * refuse to change or delete a row; pst_audit_forget() moves the trail's beginning, and keeps its hash. Who
 * can write the file can make a whole new chain, which does not lead to a hash that was noted elsewhere.
 *
 * Neither secrets nor digests are in it. Errors, threads and pst_keys_why() as in keys_store.h. */
#ifndef POSTERN_DB_AUDIT_STORE_H
#define POSTERN_DB_AUDIT_STORE_H

#include "postern/db/keys_store.h"

#define PST_AUDIT_HASH_BYTES 32
#define PST_AUDIT_JSON_MAX   (512 * 1024) /* bytes, each of before and after */

enum pst_actor_kind {
    PST_ACTOR_SYSTEM = 0,  /* "system": the gateway itself */
    PST_ACTOR_CLI,         /* "cli": `postern ...` beside it */
    PST_ACTOR_SOCKET,      /* "socket": REST over the Unix socket */
    PST_ACTOR_TOKEN,       /* "token": REST with an admin token */
    PST_ACTOR_SESSION,     /* "session": the page */
    PST_ACTOR_CERTIFICATE, /* "certificate": REST with a client certificate */
    PST_ACTOR_KINDS
};
/* "cli" ...; "unknown" for what is out of range. Static. */
const char *pst_actor_kind_text(unsigned kind);

/* Who did it. All texts are terminated, UTF-8, and may be empty. */
struct pst_actor {
    enum pst_actor_kind kind;
    char id[72];      /* what cannot change: a token's id, a certificate's SHA-256 in hex, a uid */
    char name[260];   /* what people know it by: a token's name, a certificate's subject, a user's name */
    char address[64]; /* where from; empty for cli and system */
};

struct pst_audit_event {
    const struct pst_actor *actor;
    struct pst_str action; /* "key.create": the kind of thing, a dot, what happened to it */
    struct pst_str target; /* its id; may be empty */
    struct pst_str before; /* a JSON object, or empty: there was nothing */
    struct pst_str after;
    int64_t time_us;
};

struct pst_audit_row {
    uint64_t n;
    int64_t time_us;
    struct pst_str actor_kind, actor_id, actor_name, address;
    struct pst_str action, target, before, after;
    uint8_t hash[PST_AUDIT_HASH_BYTES];
};

/* 0 goes on, anything else stops; a negative result is passed on. Strings live until it returns. */
typedef int pst_audit_row_fn(const struct pst_audit_row *row, void *arg);

/* Adds a row, inside the transaction under way or in one of its own. -PST_EINVAL: a text is too long. */
int pst_audit_append(struct pst_keys_store *store, const struct pst_audit_event *event) PST_MUSTCHECK;

/* All zero: everything, newest first. */
struct pst_audit_filter {
    int64_t from_us;       /* since */
    int64_t to_us;         /* before; 0: no end */
    struct pst_str action; /* exactly this one, or all that begin with it when it ends with "." ("key.") */
    struct pst_str target;
    struct pst_str actor; /* exactly this id or name */
    uint64_t before_n;    /* rows older than this one: where the page before ended; 0: from the newest on */
    uint64_t limit;       /* 0: no bound */
};
int pst_audit_list(struct pst_keys_store *store, const struct pst_audit_filter *filter, pst_audit_row_fn *fn,
                   void *arg) PST_MUSTCHECK;
/* How many match (before_n and limit are not read). */
int pst_audit_count(struct pst_keys_store *store, const struct pst_audit_filter *filter,
                    uint64_t *ret) PST_MUSTCHECK;

struct pst_audit_verdict {
    uint64_t rows;                      /* that were looked at */
    uint64_t first;                     /* the number of the first; those before it were forgotten */
    uint64_t last;                      /* that of the last good one */
    uint8_t hash[PST_AUDIT_HASH_BYTES]; /* of the last good one: the chain's end */
    uint64_t broken;                    /* the first row that does not fit; 0: all do */
    bool missing;                       /* a row before it is not there, rather than it being altered */
    bool noted_found;                   /* the hash that was asked for is in the chain */
};
/* Follows the chain. `noted`: a hash to be looked for in it, PST_AUDIT_HASH_BYTES, or NULL. */
int pst_audit_verify(struct pst_keys_store *store, const uint8_t *noted,
                     struct pst_audit_verdict *ret) PST_MUSTCHECK;

/* For a retention of the trail, which the gateway does not have yet: nothing calls it but its tests.
 * Forgets rows older than `before_us`, oldest first, at most `max`; never one behind a younger one. Returns
 * how many. */
int pst_audit_forget(struct pst_keys_store *store, int64_t before_us, unsigned max) PST_MUSTCHECK;

#endif
