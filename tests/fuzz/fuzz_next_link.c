/* SPDX-License-Identifier: Apache-2.0 */
/* Links in JSON bodies. Held: fed whole or in pieces, the same comes out; what is taken out by the rewriting
 * is exactly what it was asked about; and nothing else of the body changes. Input: where to cut, then the
 * body. */
#include "postern/http/next_link.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_changed(struct pst_str quoted)
{
    return quoted.len % 2 == 0;
}

static bool take_out(void *arg, struct pst_str quoted, struct pst_buf *out)
{
    size_t *removed = arg;
    HOLD(quoted.len >= 2 && quoted.len <= PST_NEXT_LINK_VALUE_MAX);
    HOLD(quoted.p[0] == '"' && quoted.p[quoted.len - 1] == '"');
    if (!is_changed(quoted))
        return false;
    *removed += quoted.len;
    pst_buf_add(out, "", 0);
    return true;
}

static size_t run(struct pst_str body, size_t step, struct pst_buf *out)
{
    struct pst_next_link scan;
    size_t removed = 0;
    pst_next_link_init(&scan, take_out, &removed);
    while (body.len > 0) {
        size_t n = step < body.len ? step : body.len;
        char *piece = malloc(n); /* its own block, so that reading past it shows */
        HOLD(piece != NULL);
        memcpy(piece, body.p, n);
        pst_next_link_feed(&scan, (struct pst_str){piece, n}, out);
        free(piece);
        body = pst_str_skip(body, n);
    }
    pst_next_link_end(&scan, out);
    HOLD(!pst_buf_failed(out));
    return removed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_buf whole, cut;
    if (size < 1 || size > 64 * 1024)
        return 0;
    struct pst_str body = {(const char *)data + 1, size - 1};
    pst_buf_init(&whole, 128 * 1024);
    pst_buf_init(&cut, 128 * 1024);
    size_t removed = run(body, SIZE_MAX, &whole);
    HOLD(pst_buf_len(&whole) + removed == body.len);
    HOLD(run(body, (size_t)data[0] + 1, &cut) == removed);
    HOLD(pst_str_eq(pst_buf_str(&whole), pst_buf_str(&cut)));
    pst_buf_done(&whole);
    pst_buf_done(&cut);
    return 0;
}
