/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ledger share. */
#ifndef POSTERN_USAGE_LEDGER_PRIVATE_H
#define POSTERN_USAGE_LEDGER_PRIVATE_H

#include "journal_private.h"
#include "losses.h"
#include "names.h"
#include "postern/db/usage_store.h"
#include "postern/usage/ledger.h"
#include "rollup.h"

#include <stdatomic.h>

#define LEDGER_JOURNALS_MAX 1024

/* A ring that is drained. */
struct source {
    struct pst_journal *journal;
    bool orphan;      /* of an earlier run: ours to remove when it is empty */
    bool known;       /* its place in usage.db has been read */
    uint64_t drained; /* as usage.db has it */
    uint64_t lost;
    uint64_t next; /* within a drain: what will be drained when it commits */
    uint64_t next_lost;
    uint64_t damaged;   /* within a drain: records that cannot be read */
    uint64_t seen_lost; /* of its count of losses, what has been said */
    bool lost_is_sound; /* of an orphan: that count can be believed */
    uint64_t logged;    /* up to here the access log has its lines */
};

/* A key's use in this batch, to move its "last used" once; with an old secret, by the minute. */
struct last_use {
    int64_t key;
    int slot;
    int64_t time_us;
    int64_t old_minute;    /* 0: the secret in force */
    uint64_t old_requests; /* since the last flush */
};

struct pst_ledger {
    struct pst_ledger_options options;
    int lock_fd;
    struct pst_usage_store *store;
    struct pst_access_log *log;
    struct source sources[LEDGER_JOURNALS_MAX];
    size_t n_sources;
    size_t first_source; /* who begins the next drain: a busy one must not starve the others */
    struct names keys;
    struct names routes;
    struct names words; /* of errors, endpoints, rules */
    struct rollup rollup;
    struct pst_usage_record batch[PST_LEDGER_BATCH];
    struct pst_usage_names names[PST_LEDGER_BATCH]; /* of the batch's records, in their rings' heads */
    struct pst_journal *from[PST_LEDGER_BATCH];     /* whose record it is, */
    uint64_t number[PST_LEDGER_BATCH];              /* and which of them */
    bool in_log[PST_LEDGER_BATCH];                  /* its line was written by an earlier try */
    size_t n_batch;
    uint64_t skip_keyless;    /* of the batch: so many of the first without a key are not kept */
    uint64_t dropped_keyless; /* within a drain */
    struct last_use uses[64];
    size_t n_uses;
    char last_path[PST_USAGE_PATH_SIZE]; /* the route found last: most requests come in runs */
    size_t last_path_len;
    int64_t last_route;

    struct losses losses;

    atomic_ullong requests, lost, commits, commit_us, errors, routes_other, keyless_dropped;
    atomic_ullong lag, log_dropped;
    atomic_uint set_aside, volatile_journals;
    atomic_bool failing;
};

/* orphans.c: finds rings of earlier runs and lends them; what cannot be read is set aside. */
int ledger_find_orphans(struct pst_ledger *ledger) PST_MUSTCHECK;
/* Removes those that are empty now. */
void ledger_drop_orphans(struct pst_ledger *ledger);
/* Removes the places in usage.db of rings that are gone. At the start, before this run's are made. */
void ledger_forget_gone(struct pst_ledger *ledger);

#endif
