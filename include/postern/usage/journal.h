/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's usage journal: a ring of records in a file mapped into memory, data_dir/journal/worker-<n>.ring.
 *
 *     worker ── append ──▶ [ drained … head ) ── keeper drains ──▶ usage.db
 *
 * The mapping outlives the process, so what was appended survives kill -9: the next start drains it, also
 * when it runs a later version of Postern. The place up to which records are in usage.db is kept in usage.db
 * itself, in the same transaction as the rows; the header's `drained` only tells the worker how much room
 * there is. So each record is counted exactly once. (After a power cut the kernel may have lost the last
 * seconds of a ring. What it lost is noticed and counted as lost, never made up.)
 *
 * The file's space is reserved when it is made, so a disk that fills up later cannot fault the worker. When
 * it cannot be reserved the ring is plain memory: all works, but a crash loses what was not yet drained.
 *
 * Threads: append by the worker that owns the journal; take and done_with by the keeper; open and close by
 * the owner when neither runs. */
#ifndef POSTERN_USAGE_JOURNAL_H
#define POSTERN_USAGE_JOURNAL_H

#include "postern/base/err.h"
#include "postern/usage/record.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_JOURNAL_DIR     "journal"
#define PST_JOURNAL_VERSION 2
/* 12 MiB per worker: 0.6 s at 50,000 requests/s, ten minutes of a full disk at 50 requests/s. */
#define PST_JOURNAL_RECORDS     32768
#define PST_JOURNAL_RECORDS_MIN 64
#define PST_JOURNAL_RECORDS_MAX (1u << 22)
#define PST_JOURNAL_UUID_BYTES  16
/* Longer names are cut. */
#define PST_JOURNAL_NAME_MAX 255

struct pst_journal;

/* Opens or makes worker `index`'s ring in `data_dir` for `n_records` (rounded up to a power of two; between
 * the bounds above). A file of another size, version or making is set aside and a new one made. To be called
 * after pst_ledger_open(), which drains what was left. Falls back to memory with a warning. 0, -PST_EINVAL,
 * -PST_EIO and the like (it could not be named), or -PST_ENOMEM (no memory either). */
int pst_journal_open(const char *data_dir, unsigned index, uint32_t n_records,
                     struct pst_journal **ret) PST_MUSTCHECK;
/* A number for a name that records refer to, for as long as the ring lives: the same for the same name. 0 for
 * the empty one, and when there is no more room (28 KiB; logged). By the owner, who makes all of them before
 * the first record that has one; some microseconds. */
uint16_t pst_journal_name(struct pst_journal *journal, struct pst_str name);
/* The file stays, for the next start, unless nothing is left in it. NULL is fine. */
void pst_journal_close(struct pst_journal *journal);

/* Copies the record into the ring: no system call, no lock. 0, or -PST_EBUSY: the ring is full (the keeper
 * cannot write, see its log); the loss has been counted. */
int pst_journal_append(struct pst_journal *journal, const struct pst_usage_record *record);

bool pst_journal_crash_safe(const struct pst_journal *journal);
/* Records appended and not yet drained. Any thread. */
uint64_t pst_journal_lag(const struct pst_journal *journal);
/* Records refused since the ring was made. Any thread. */
uint64_t pst_journal_lost(const struct pst_journal *journal);

#endif
