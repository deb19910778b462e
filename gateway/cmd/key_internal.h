/* SPDX-License-Identifier: Apache-2.0 */
/* What the sub-commands of `postern key` share. Main thread only. */
#ifndef POSTERN_CMD_KEY_INTERNAL_H
#define POSTERN_CMD_KEY_INTERNAL_H

#include "postern/auth/keys.h"
#include "postern/base/arena.h"
#include "postern/base/buf.h"
#include "postern/cmd/command.h"
#include "postern/db/keys_store.h"
#include "postern/db/usage_store.h"

#include <jansson.h>

#define PST_KEY_SHOWN_TEXT_SIZE 64
#define PST_KEY_ROW_BYTES_MAX   ((size_t)512 * 1024) /* a key's texts at their longest */

/* The keys of the data_dir that the settings name. */
struct key_session {
    struct pst_args args;
    struct pst_settings settings;
    struct pst_keys *keys;
    char id[PST_KEYS_ID_MAX + 1]; /* of the key that was named: key_find() */
    struct pst_why why;           /* of the last call of the keys service that failed */
};

/* Loads the settings and opens the keys; with `make`, they are made when they are not there. Returns -1 to go
 * on, or the exit code after a message; key_session_close() only after -1. session->args is filled before. */
int key_session_open(struct key_session *session, bool make) PST_MUSTCHECK;
void key_session_close(struct key_session *session);
/* Says what session->why holds: PST_EXIT_USAGE when it was an option's value, else PST_EXIT_FAILED. */
int key_failed(const struct key_session *session, const struct pst_usage *usage, int err);
/* The same for a failure of the store. */
int key_store_failed(const struct key_session *session);

/* Finds the key that the user named: by its id, with or without "ps_" in front, or by its name when no other
 * key has it. *ret_id lives as long as the session. -1 or the exit code. */
int key_find(struct key_session *session, const char *word, struct pst_str *ret_id) PST_MUSTCHECK;
/* The same for a store. 0; -PST_EEXIST after a message (several keys have this name); -PST_ENOENT and what
 * the store says, without one. */
int key_find_in(struct pst_keys_store *store, const char *word,
                char id[static PST_KEYS_ID_MAX + 1]) PST_MUSTCHECK;
/* Says that there is no such key: the exit code. The word is not repeated when it may be a secret. */
int key_unknown(const char *word);
/* The key's row, its texts in `arena`. -1 or the exit code. */
int key_read(struct key_session *session, struct pst_str id, struct pst_arena *arena,
             struct pst_key_row *ret) PST_MUSTCHECK;

/* "ps_<id>_", an ellipsis and the last four characters: what may be shown of a secret. Empty for an empty
 * slot. */
void key_shown_text(struct pst_str prefix, struct pst_str last4, char text[static PST_KEY_SHOWN_TEXT_SIZE]);
/* Its time as JSON, null for 0. */
json_t *key_json_time(int64_t time_us);
/* What was counted of a key. */
struct key_use {
    struct pst_usage_last last;
    struct pst_usage_old old[2]; /* of the secret before key1, and before key2, since the rotation */
};
/* False when nothing is counted (`store` is NULL, or cannot be read). */
bool key_read_use(struct pst_usage_store *store, const struct pst_key_row *row, struct key_use *ret);
/* Everything that may be shown of a key; NULL without memory. `use`: NULL when nobody counts. */
json_t *key_json(const struct pst_key_row *row, const struct key_use *use);
/* Prints the key as a JSON object, or its fields one a line. Returns the exit code. */
int key_print(struct key_session *session, struct pst_str id, bool as_json);

/* import --bulk: JSON lines, taken in whole before the keys are opened, so that no lock waits for a slow
 * pipe. */
struct key_bulk {
    char *data;
    size_t len;
    size_t mapped;
};
/* Reads it all from `fd`; `from` is its name for messages. -1 or the exit code. */
int key_bulk_read(struct key_bulk *bulk, int fd, const char *from) PST_MUSTCHECK;
/* Imports all of them or none, and prints how many. Returns the exit code. */
int key_bulk_import(const struct key_bulk *bulk, struct key_session *session, bool as_json);
/* Wipes it. All zero is fine. */
void key_bulk_done(struct key_bulk *bulk);

/* --tag, --scope, --network and --limit. */
struct key_rules {
    struct {
        const char *tag, *scope, *network, *limit; /* as given; NULL: not */
    } given;
    struct pst_str tags, scopes, networks, limits; /* JSON, or empty */
    char *made[4];
};
/* Fills the JSON from what was given. -1, or the exit code after a message; key_rules_done() after -1. */
int key_rules_take(struct key_rules *rules, const struct pst_usage *usage) PST_MUSTCHECK;
void key_rules_done(struct key_rules *rules);
#define KEY_RULES_OPTIONS(rules)                                                                             \
    {"tag", "TAG, ...", "labels to search for it by", &(rules).given.tag, NULL},                             \
        {"scope", "RULES", "allowed paths and methods: \"/language; GET,POST /speech\"",                     \
         &(rules).given.scope, NULL},                                                                        \
        {"network", "CIDR, ...", "allowed client networks: \"10.0.0.0/8, fd00::/8\"",                        \
         &(rules).given.network, NULL},                                                                      \
    {                                                                                                        \
        "limit", "LIMITS",                                                                                   \
            "\"rate=100/60 concurrency=4 quota=1000/day\"; stored and shown, not enforced yet",              \
            &(rules).given.limit, NULL                                                                       \
    }

/* A sub-command that lists what is beside the keys, as JSON or as a table. */
struct key_listing {
    const struct pst_usage *usage;
    const char *const *columns;
    size_t n_columns;
    /* Adds all of it to `array`, or, where that is NULL, to `table`. */
    int (*add)(struct pst_keys_store *store, json_t *array, struct pst_table *table);
};
/* Reads the command line (`as_json` is its option's), lists. Returns the exit code. */
int key_listing_run(const struct key_listing *listing, const bool *as_json, int argc, char **argv);
/* A cell: the time, or a dash for 0. */
void key_table_time(struct pst_table *table, int64_t time_us);

int key_create(int argc, char **argv);
int key_import(int argc, char **argv);
int key_rotate(int argc, char **argv);
int key_update(int argc, char **argv);
int key_list(int argc, char **argv);
int key_show(int argc, char **argv);
int key_enable(int argc, char **argv);
int key_disable(int argc, char **argv);
int key_delete(int argc, char **argv);

#endif
