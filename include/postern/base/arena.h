/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: memory for one exchange, given back all at once. pst_arena_reset() keeps the first block,
 * so that a reused exchange allocates nothing in the common case. Not shared between threads. */
#ifndef POSTERN_BASE_ARENA_H
#define POSTERN_BASE_ARENA_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>

struct pst_arena_block;

struct pst_arena {
    struct pst_arena_block *first;
    struct pst_arena_block *current;
    size_t block_bytes; /* size of an ordinary block */
    size_t used;        /* bytes handed out since the last reset */
    size_t max;         /* bound of `used` */
};

void pst_arena_init(struct pst_arena *arena, size_t block_bytes, size_t max_bytes);
void pst_arena_done(struct pst_arena *arena);
void pst_arena_reset(struct pst_arena *arena);
/* Aligned for any type, not zeroed. NULL when memory or the bound is at its end. */
void *pst_arena_alloc(struct pst_arena *arena, size_t bytes) PST_MUSTCHECK;
void *pst_arena_zalloc(struct pst_arena *arena, size_t bytes) PST_MUSTCHECK;
/* A NUL-terminated copy; .p is NULL on failure. */
struct pst_str pst_arena_strdup(struct pst_arena *arena, struct pst_str s) PST_MUSTCHECK;

#endif
