/* SPDX-License-Identifier: Apache-2.0 */
/* How paths are read. Held: whatever a lenient server makes of a plain path, it is what Postern's rules read,
 * and a path below a prefix in one spelling reads as below it. Input: a byte that says how lenient, a path.
 */
#include "../unit/http/lenient.h"
#include "postern/http/path.h"

#include <stdlib.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > LENIENT_MAX)
        return 0;
    struct pst_str path = {(const char *)data + 2, size - 2};
    unsigned how = ((unsigned)data[0] << 8 | data[1]) % LENIENT_ALL;
    if (!pst_path_is_plain(path))
        return 0;
    struct lenient strict = lenient_read(path.p, path.len, 0);
    struct lenient read = lenient_read(path.p, path.len, how);
    HOLD(read.len == strict.len && memcmp(read.text, strict.text, read.len) == 0);
    HOLD(pst_path_reads_below(path, PST_STR("/s")) == lenient_is_below(&strict, "/s"));
    HOLD(!pst_path_is_spelled_below(path, PST_STR("/s")) || lenient_is_below(&strict, "/s"));
    HOLD(pst_path_reads_as(path, path) || memchr(path.p, '%', path.len) != NULL);
    return 0;
}
