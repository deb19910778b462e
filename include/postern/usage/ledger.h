/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: the keeper's side of counting. It drains the journals into usage.db, keeps the sums, writes the
 * access log and forgets what is older than its retention.
 *
 *     open ── drains what an earlier run left ──▶ add journals ──▶ [ drain, now and then retain ]* ──▶ close
 *
 * A drain is one transaction: rows, sums, last-used times and the journals' cursors go in together or not at
 * all. When the disk is full, or anything else keeps SQLite from writing, the records stay in the rings, one
 * line says so (and one that it is over), rings that run full count what they refuse, and the count is
 * written down when writing works again.
 *
 * Threads: all by one thread, the keeper (open and close may be another's, before and after);
 * pst_ledger_stats() by any. */
#ifndef POSTERN_USAGE_LEDGER_H
#define POSTERN_USAGE_LEDGER_H

#include "postern/base/err.h"
#include "postern/usage/access_log.h"
#include "postern/usage/journal.h"

#include <stdbool.h>
#include <stdint.h>

struct pst_ledger;

/* Of pst_ledger_options.keep_*: never forget; and what to keep unless told otherwise. */
#define PST_LEDGER_KEEP_FOREVER  0
#define PST_LEDGER_KEEP_RAW_S    (UINT64_C(7) * 86400)
#define PST_LEDGER_KEEP_HOURLY_S (UINT64_C(90) * 86400)
#define PST_LEDGER_KEEP_DAILY_S  (UINT64_C(730) * 86400)

struct pst_ledger_options {
    const char *data_dir;
    int access_fd; /* borrowed */
    enum pst_access_format access_format;
    uint64_t keep_raw_s; /* seconds; PST_LEDGER_KEEP_FOREVER: no end */
    uint64_t keep_hourly_s;
    uint64_t keep_daily_s;
    uint64_t keep_keyless; /* single requests without a key: the newest */
};

struct pst_usage_stats {
    uint64_t requests;          /* written to usage.db since open */
    uint64_t lost;              /* records that a full ring refused or a damaged one held, since open */
    uint64_t lag;               /* records waiting in the journals */
    uint64_t commits;           /* transactions that wrote records */
    uint64_t commit_us;         /* time they took in all */
    uint64_t errors;            /* drains that failed */
    uint64_t log_dropped;       /* access log lines not written */
    uint64_t set_aside;         /* journal files that could not be read */
    uint64_t keyless_dropped;   /* single requests without a key that were not kept; they are in the sums */
    uint64_t routes_other;      /* records counted under "(other)": more routes than the bound */
    unsigned volatile_journals; /* rings in plain memory: a crash loses what they hold */
    bool failing;               /* the last drain failed: records wait */
};

/* Opens (or makes) usage.db and the journal directory, and drains and removes rings of an earlier run. An
 * unreadable ring is renamed and kept. When the disk is full the rings wait and open succeeds. -PST_EBUSY:
 * another gateway uses this data_dir. -PST_EVERSION, -PST_EACCES, -PST_EDB, -PST_EIO, -PST_EFULL (usage.db
 * cannot even be made), -PST_ENOMEM. Logs what is wrong. */
int pst_ledger_open(const struct pst_ledger_options *options, struct pst_ledger **ret) PST_MUSTCHECK;
/* Lends a journal that pst_journal_open() gave, until close. -PST_ENOMEM, -PST_EBUSY (more than 1024). */
int pst_ledger_add(struct pst_ledger *ledger, struct pst_journal *journal) PST_MUSTCHECK;
/* Writes down what the journals hold, at most some thousand records; returns how many. When it is as many as
 * PST_LEDGER_BATCH there may be more. Negative: nothing was written, all stays in the journals, and it has
 * been logged; try again at the next turn. Log lines of what was written are flushed. */
#define PST_LEDGER_BATCH 4096
int pst_ledger_drain(struct pst_ledger *ledger);
/* Forgets one bounded slice (a few ms) of what is too old at `now_us`. Returns 1 when more waits, 0 when
 * nothing does. A minute between rounds is plenty. */
int pst_ledger_retain(struct pst_ledger *ledger, int64_t now_us);
void pst_ledger_stats(const struct pst_ledger *ledger, struct pst_usage_stats *ret);
/* Drains what is left (bounded), closes the database. Before the journals are closed. NULL is fine. */
void pst_ledger_close(struct pst_ledger *ledger);

#endif
