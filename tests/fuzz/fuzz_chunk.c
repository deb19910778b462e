/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk extensions. Held: a line that is taken ends with the only CR and the only LF in it and has no other
 * control character but tabs; more bytes behind it change nothing; and what is refused stays so however much
 * comes. */
#include "postern/http/chunk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    ssize_t first = 0;
    for (size_t have = 0; have <= size && have <= 512; have++) {
        size_t seen = 0;
        ssize_t n = pst_chunk_extensions(line, have, &seen);
        HOLD(n >= -1 && n <= (ssize_t)have && seen == (n > 0 ? (size_t)n : 0));
        HOLD(first == 0 || n == first);
        first = n;
    }
    size_t seen = 0;
    ssize_t n = pst_chunk_extensions(line, size, &seen);
    HOLD(first == 0 || n == first);
    if (n <= 0)
        return 0;
    HOLD(n <= PST_CHUNK_LINE_MAX && line[n - 2] == '\r' && line[n - 1] == '\n');
    for (ssize_t i = 0; i < n - 2; i++)
        HOLD((data[i] >= ' ' || data[i] == '\t') && data[i] != 0x7f);
    return 0;
}
