/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's layout, and the keeper's end of it.
 *
 *     page 0      struct journal_head
 *     28 KiB      names: {check of 16 bits, text, NUL} one after the other; a name's number is the place of
 * its text, so that 0 is none records     `capacity` of them
 *
 * Version 1 had no names and smaller records (journal_v1.c). */
#ifndef POSTERN_USAGE_JOURNAL_PRIVATE_H
#define POSTERN_USAGE_JOURNAL_PRIVATE_H

#include "postern/usage/journal.h"

#include <stdatomic.h>
#include <stddef.h>

#define JOURNAL_MAGIC      UINT64_C(0x4C4E4A2D50545350) /* "PSTP-JNL" */
#define JOURNAL_PAGE       4096
#define JOURNAL_NAMES_SIZE (7 * JOURNAL_PAGE)
#define JOURNAL_HEAD_SIZE  (JOURNAL_PAGE + JOURNAL_NAMES_SIZE)
/* A ring's name until its head is written: what ends with it was never begun. */
#define JOURNAL_UNBEGUN ".new"

/* Lines of the access log that are about to be written: those of the records [from, to), in the file with
 * this device and inode, from this byte on. */
struct journal_lines {
    uint64_t device, inode, offset, from, to;
};

/* The file's first page. `head` is the worker's, `drained` the keeper's; each on a cache line of its own. The
 * fields of version 1 stay where they were. */
struct journal_head {
    uint64_t magic;
    uint32_t version;
    uint32_t record_bytes;
    uint32_t capacity; /* records, a power of two */
    uint32_t reserved;
    uint8_t uuid[PST_JOURNAL_UUID_BYTES];
    _Alignas(64) atomic_uint_fast64_t head;      /* records ever appended */
    atomic_uint_fast64_t lost;                   /* records refused ... */
    atomic_uint_fast64_t lost_again;             /* ... and once more, so that damage is noticed */
    _Alignas(64) atomic_uint_fast64_t drained;   /* records that are in usage.db */
    atomic_uint_fast64_t logged;                 /* records whose access log line was written */
    atomic_uint_fast64_t drained_again;          /* `drained` once more */
    _Alignas(64) atomic_uint names_used;         /* bytes of the names */
    _Alignas(64) atomic_uint_fast64_t announced; /* 1: what follows holds */
    struct journal_lines lines;
};
_Static_assert(sizeof(struct journal_head) <= JOURNAL_PAGE, "the head is one page");

struct pst_journal {
    struct journal_head *head; /* the mapping's beginning */
    char *names;               /* NULL: version 1 */
    char *ring;                /* struct pst_usage_record, or version 1's */
    size_t map_bytes;
    char path[512]; /* empty: plain memory */
};

/* Maps an existing ring file, checked: 0, -PST_EPARSE (empty, damaged, or not one), -PST_EVERSION, -PST_EIO
 * ... */
int journal_map(const char *path, struct pst_journal **ret) PST_MUSTCHECK;
/* Unmaps; the file stays. */
void journal_unmap(struct pst_journal *journal);
/* Copies record number `n` (drained <= n < head). False when it is not what was appended under that number: a
 * power cut lost it, or something damaged it. */
bool journal_read(const struct pst_journal *journal, uint64_t n, struct pst_usage_record *ret);
/* What a number in one of its records stands for; "unknown" when that cannot be told, empty for 0. Lives as
 * long as the mapping. */
struct pst_str journal_name(const struct pst_journal *journal, uint16_t number);
struct pst_usage_names journal_names(const struct pst_journal *journal,
                                     const struct pst_usage_record *record);
uint64_t journal_head(const struct pst_journal *journal);
/* For a ring of an earlier run that is drained up to `drained`: mends a head that cannot be right, by the
 * records whose checks say that they come next. False: it had to. */
bool journal_mend_head(struct pst_journal *journal, uint64_t drained);
/* Whether its count of losses can be believed. */
bool journal_lost_is_sound(const struct pst_journal *journal);
/* What the ring itself says of it, for a ring that usage.db knows nothing of; the smaller one, should its two
 * counts differ: usage.db has none of its records, so none is counted twice. */
uint64_t journal_drained_hint(const struct pst_journal *journal);
/* The access log's place, in the file too: it survives the process, so lines are not repeated. */
uint64_t journal_logged(const struct pst_journal *journal);
void journal_set_logged(struct pst_journal *journal, uint64_t n);
/* Before a write of lines into a file; and what was said last, if anything. */
void journal_announce(struct pst_journal *journal, const struct journal_lines *lines);
bool journal_announced(const struct pst_journal *journal, struct journal_lines *ret);
/* Records up to `n` are in usage.db: their room is free. */
void journal_release(struct pst_journal *journal, uint64_t n);

/* journal_v1.c: a ring that version 1 left. */
#define JOURNAL_V1_HEAD_SIZE    JOURNAL_PAGE
#define JOURNAL_V1_RECORD_BYTES 320
/* As journal_read(), from the 320 bytes at `place`. */
bool journal_v1_read(const char *place, uint64_t n, const uint8_t *uuid, struct pst_usage_record *ret);

#endif
