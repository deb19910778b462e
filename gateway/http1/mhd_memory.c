/* SPDX-License-Identifier: Apache-2.0 */
#include "mhd_memory.h"

#include "postern/base/pages.h"

#include <sys/mman.h>

#define BLOCK_BYTES 65536
#define MAX_BLOCKS                                                                                           \
    65536 /* 4 GiB of address space; beyond it, and for larger pools, the kernel's own mmap() */

static struct pst_region pools = PST_REGION(BLOCK_BYTES, MAX_BLOCKS);

void *pst_mhd_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
int pst_mhd_munmap(void *at, size_t len);

void *pst_mhd_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    bool fresh; /* a pool may begin with anything in it */
    void *block = len <= BLOCK_BYTES ? pst_region_take(&pools, &fresh) : NULL;
    return block != NULL ? block : mmap(at, len, protection, flags, fd, offset);
}

int pst_mhd_munmap(void *at, size_t len)
{
    if (!pst_region_has(&pools, at))
        return munmap(at, len);
    pst_region_give(&pools, at);
    return 0;
}

void mhd_memory_rest(const void *inside)
{
    if (inside != NULL && pst_region_has(&pools, inside))
        pst_region_forget(&pools, pst_region_block(&pools, inside), 0);
}
