/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/pages.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* With room to align the first block. Large pages are declined: one byte of a block would cost two megabytes.
 */
static void reserve(struct pst_region *region)
{
    size_t bytes = (region->n_blocks + 1) * region->block_bytes;
    char *start =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    region->tried = true;
    if (start == MAP_FAILED)
        return;
    (void)madvise(start, bytes, MADV_NOHUGEPAGE);
    (void)madvise(start, bytes, MADV_DONTDUMP); /* plaintext is not for core files */
    uintptr_t aligned = ((uintptr_t)start + region->block_bytes - 1) & ~(uintptr_t)(region->block_bytes - 1);
    __atomic_store_n(&region->start, start + (aligned - (uintptr_t)start), __ATOMIC_RELEASE);
}

void *pst_region_take(struct pst_region *region, bool *ret_new)
{
    void *block = NULL;
    pthread_mutex_lock(&region->lock);
    if (!region->tried)
        reserve(region);
    *ret_new = region->free == NULL;
    if (region->free != NULL) {
        block = region->free;
        memcpy(&region->free, block, sizeof(region->free));
    } else if (region->start != NULL && region->n_used < region->n_blocks) {
        block = region->start + region->n_used++ * region->block_bytes;
    }
    pthread_mutex_unlock(&region->lock);
    return block;
}

void pst_region_give(struct pst_region *region, void *block)
{
    pthread_mutex_lock(&region->lock);
    memcpy(block, &region->free, sizeof(region->free));
    region->free = block;
    pthread_mutex_unlock(&region->lock);
}

bool pst_region_has(const struct pst_region *region, const void *p)
{
    const char *start = __atomic_load_n(&region->start, __ATOMIC_ACQUIRE);
    return start != NULL && (const char *)p >= start &&
           (const char *)p < start + region->n_blocks * region->block_bytes;
}

void *pst_region_block(const struct pst_region *region, const void *p)
{
    size_t at = (size_t)((const char *)p - region->start);
    return region->start + at / region->block_bytes * region->block_bytes;
}

void pst_region_forget(const struct pst_region *region, void *block, size_t from)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    from = (from + page - 1) / page * page;
    if (from < region->block_bytes && region->block_bytes % page == 0)
        (void)madvise((char *)block + from, region->block_bytes - from, MADV_DONTNEED);
}
