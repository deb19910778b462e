/* SPDX-License-Identifier: Apache-2.0 */
/* mbedTLS allocates two record buffers of 16 KiB and a little for each connection, and uses the first
 * kilobytes of them at most times. They get blocks whose pages cost nothing until they are used, and can be
 * given back while the connection idles; everything else is malloc's. */
#include "internal.h"
#include "postern/base/pages.h"

#include <mbedtls/platform.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 32768
/* Two for each connection: 4 GiB of address space. Beyond it malloc serves. */
#define MAX_BLOCKS 131072
/* mbedTLS keeps the number of the next incoming record in the first bytes of its buffer. */
#define KEPT_BYTES 4096

static struct pst_region records = PST_REGION(BLOCK_BYTES, MAX_BLOCKS);

static void *tls_calloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    if (bytes < PST_TLS_RECORD_BYTES || bytes > BLOCK_BYTES)
        return calloc(n, size);
    bool fresh;
    void *block = pst_region_take(&records, &fresh);
    if (block == NULL)
        return calloc(n, size);
    if (!fresh)
        memset(block, 0, bytes);
    return block;
}

static void tls_free(void *p)
{
    if (pst_region_has(&records, p))
        pst_region_give(&records, p);
    else
        free(p);
}

void tls_memory_init(void)
{
    (void)mbedtls_platform_set_calloc_free(tls_calloc, tls_free);
}

static void forget(const void *inside, size_t from)
{
    if (inside != NULL && pst_region_has(&records, inside))
        pst_region_forget(&records, pst_region_block(&records, inside), from);
}

void tls_memory_rest(const void *in_buffer, const void *out_buffer)
{
    forget(in_buffer, KEPT_BYTES);
    forget(out_buffer, 0);
}
