/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's layout, and the keeper's end of it. */
#ifndef POSTERN_USAGE_JOURNAL_PRIVATE_H
#define POSTERN_USAGE_JOURNAL_PRIVATE_H

#include "postern/usage/journal.h"

#include <stdatomic.h>
#include <stddef.h>

#define JOURNAL_MAGIC     UINT64_C(0x4C4E4A2D50545350) /* "PSTP-JNL" */
#define JOURNAL_HEAD_SIZE 4096

/* The file's first page. `head` is the worker's, `drained` the keeper's; each on a cache line of its own. */
struct journal_head {
    uint64_t magic;
    uint32_t version;
    uint32_t record_bytes;
    uint32_t capacity; /* records, a power of two */
    uint32_t reserved;
    uint8_t uuid[PST_JOURNAL_UUID_BYTES];
    _Alignas(64) atomic_uint_fast64_t head;    /* records ever appended */
    atomic_uint_fast64_t lost;                 /* records refused */
    _Alignas(64) atomic_uint_fast64_t drained; /* records that are in usage.db */
    atomic_uint_fast64_t logged;               /* records whose access log line was written or dropped */
};
_Static_assert(sizeof(struct journal_head) <= JOURNAL_HEAD_SIZE, "the head is one page");

struct pst_journal {
    struct journal_head *head; /* the mapping's beginning */
    struct pst_usage_record *ring;
    size_t map_bytes;
    char path[512]; /* empty: plain memory */
};

/* Maps an existing ring file, checked: 0, -PST_EPARSE (damaged, or not one), -PST_EVERSION, -PST_ENOENT
 * (gone, or never begun), -PST_EIO ... */
int journal_map(const char *path, struct pst_journal **ret) PST_MUSTCHECK;
/* Unmaps; the file stays. */
void journal_unmap(struct pst_journal *journal);
/* Copies record number `n` (drained <= n < head). False when it is not what was appended under that number: a
 * power cut lost it. */
bool journal_read(const struct pst_journal *journal, uint64_t n, struct pst_usage_record *ret);
uint64_t journal_head(const struct pst_journal *journal);
/* What the ring itself says of it, for a ring that usage.db knows nothing of. */
uint64_t journal_drained_hint(const struct pst_journal *journal);
/* The access log's place, in the file too: it survives the process, so lines are not repeated. */
uint64_t journal_logged(const struct pst_journal *journal);
void journal_set_logged(struct pst_journal *journal, uint64_t n);
/* Records up to `n` are in usage.db: their room is free. */
void journal_release(struct pst_journal *journal, uint64_t n);
/* What a record of that number must carry in `check`. */
uint32_t journal_check(const struct pst_usage_record *record, uint64_t n, const uint8_t *uuid);

#endif
