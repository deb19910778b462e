/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of memory whose pages can be given back to the kernel while their owner keeps the block: what an
 * idle connection holds but does not use. A region is address space for blocks of one size, reserved once; a
 * page of it costs memory from its first use until it is forgotten. Any thread; a lock is held for taking and
 * giving blocks only. */
#ifndef POSTERN_BASE_PAGES_H
#define POSTERN_BASE_PAGES_H

#include "postern/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct pst_region {
    pthread_mutex_t lock;
    char *start;        /* NULL: not reserved yet, or it could not be */
    size_t block_bytes; /* a power of two; blocks are aligned to it */
    size_t n_blocks;
    /* Under the lock: */
    size_t n_used; /* blocks that were ever handed out */
    void *free;    /* given back, linked through their first bytes */
    bool tried;
};

/* For an object of static storage. The address space is reserved when the first block is taken. */
#define PST_REGION(bytes, blocks)                                                                            \
    {                                                                                                        \
        .lock = PTHREAD_MUTEX_INITIALIZER, .block_bytes = (bytes), .n_blocks = (blocks)                      \
    }

/* A block, or NULL when there are no more or no address space is to be had. Its bytes are zero when it is
 * new, and whatever its last owner left when it is not: *ret_new says which. */
void *pst_region_take(struct pst_region *region, bool *ret_new);
void pst_region_give(struct pst_region *region, void *block);
bool pst_region_has(const struct pst_region *region, const void *p);
/* The block that `p` points into. */
void *pst_region_block(const struct pst_region *region, const void *p);
/* Gives the whole pages of a block from offset `from` on back to the kernel: they read as zero. Where a page
 * is larger than a block (arm64 kernels may have 64 KiB), nothing goes. */
void pst_region_forget(const struct pst_region *region, void *block, size_t from);

#endif
