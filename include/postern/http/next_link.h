/* SPDX-License-Identifier: Apache-2.0 */
/* The link to the next page in the JSON body of a job's results: "@nextLink": "http://localhost:5000/…". A
 * body is looked through as it streams by, and nothing of it is changed but the values of such names. Pure
 * functions; a scanner belongs to its answer. */
#ifndef POSTERN_HTTP_NEXT_LINK_H
#define POSTERN_HTTP_NEXT_LINK_H

#include "postern/base/buf.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_NEXT_LINK_NAME_MAX 16
#define PST_NEXT_LINK_VALUE_MAX                                                                              \
    4096 /* bytes as they stand in the body, quotes included; a longer one stays */

/* `quoted` is the value with its quotes, as it came. Appends what is to stand in its place to `out`; false:
 * it stays, and nothing was appended. */
typedef bool pst_next_link_fn(void *arg, struct pst_str quoted, struct pst_buf *out);

struct pst_next_link {
    pst_next_link_fn *fn;
    void *arg;
    uint8_t state; /* enum in the source; 0 at the beginning */
    bool escaped;
    uint8_t name_len; /* of the string last read; PST_NEXT_LINK_NAME_MAX + 1: longer than any */
    char name[PST_NEXT_LINK_NAME_MAX];
    uint16_t value_len;
    char value[PST_NEXT_LINK_VALUE_MAX];
};

/* Paths whose answers have such links: pages of the jobs of Language and Text Analytics, document
 * translation's and Document Intelligence's batches, batch transcription. */
bool pst_next_link_is_route(struct pst_str path);

void pst_next_link_init(struct pst_next_link *scan, pst_next_link_fn *fn, void *arg);
/* Appends the next piece of the body to `out`, but for a value that is not whole yet. Look at
 * pst_buf_failed(). */
void pst_next_link_feed(struct pst_next_link *scan, struct pst_str piece, struct pst_buf *out);
/* The body is over: what was held back goes out as it came. */
void pst_next_link_end(struct pst_next_link *scan, struct pst_buf *out);

#endif
