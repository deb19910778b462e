/* SPDX-License-Identifier: Apache-2.0 */
/* URLs in the container's answers, and the ids of jobs in them. Held: what is rewritten leads to the client's
 * address and nowhere else, holds nothing that ends a field, and keeps the job's id; a rewritten URL is found
 * to be the same job whatever follows. Input: a URL. */
#include "postern/http/job_id.h"
#include "postern/http/location.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pst_container_names container = {
    .authority = PST_STR("localhost:5000"),
    .upstream = PST_STR("127.0.0.1:5000"),
};
static const struct pst_public_base base = {
    .scheme = PST_STR("https"),
    .authority = PST_STR("gateway.example:8443"),
    .prefix = PST_STR("/ai"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char start[] = "https://gateway.example:8443/ai";
    struct pst_buf out;
    struct pst_str url = {(const char *)data, size};
    struct pst_job_id before, after;
    if (size > 8192)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= ' ' || data[i] > '~') /* no field's value that gets so far has these */
            return 0;
    }
    pst_buf_init(&out, 32768);
    if (pst_location_rewrite(url, &container, &base, PST_STR("/language/jobs"), &out)) {
        struct pst_str made = pst_buf_str(&out);
        HOLD(!pst_buf_failed(&out) && pst_str_starts(made, PST_STR(start)));
        HOLD(made.len == sizeof(start) - 1 || strchr("/?#", made.p[sizeof(start) - 1]) != NULL);
        for (size_t i = 0; i < made.len; i++)
            HOLD(made.p[i] > ' ' && made.p[i] <= '~');
        if (pst_job_id_last(url, &before) && pst_str_starts(url, PST_STR("http://localhost:5000/")))
            HOLD(pst_job_id_last(made, &after) && after.len == before.len &&
                 memcmp(after.text, before.text, after.len) == 0);
    } else {
        HOLD(pst_buf_len(&out) == 0);
    }
    pst_buf_done(&out);
    return 0;
}
