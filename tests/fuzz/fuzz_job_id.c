/* SPDX-License-Identifier: Apache-2.0 */
/* Job ids in paths. Held: ids have the form they must have, and there are no more than characters; and
 * whatever .NET takes for a GUID is found as that GUID's id. Input: a path; and, with something else in front
 * of it, a GUID. */
#include "../unit/http/dotnet_guid.h"
#include "postern/http/job_id.h"

#include <stdlib.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(struct pst_job_id_scan scan, const char *wanted, size_t most)
{
    struct pst_job_id ids[PST_JOB_IDS_MAX];
    size_t n, n_tokens = 0;
    bool found = false;
    while ((n = pst_job_id_next(&scan, ids)) > 0) {
        HOLD(n <= PST_JOB_IDS_MAX && ++n_tokens <= most);
        for (size_t i = 0; i < n; i++) {
            HOLD(ids[i].len >= PST_JOB_ID_MIN && ids[i].len <= PST_JOB_ID_MAX);
            for (size_t j = 0; j < ids[i].len; j++)
                HOLD((ids[i].text[j] >= '0' && ids[i].text[j] <= '9') ||
                     (ids[i].text[j] >= 'a' && ids[i].text[j] <= 'z'));
            found = found || (wanted != NULL && ids[i].len == 32 && memcmp(ids[i].text, wanted, 32) == 0);
        }
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char guid[33], path[64];
    struct pst_str text = {(const char *)data, size};
    if (size > 8192)
        return 0;
    has((struct pst_job_id_scan){.rest = text}, NULL, size);
    has((struct pst_job_id_scan){.rest = text, .twice = true}, NULL, size);
    (void)pst_job_id_is_disguised((struct pst_job_id_scan){.rest = text, .twice = true});
    if (!dotnet_guid(text.p, size, guid))
        return 0;
    int len = snprintf(path, sizeof(path), "/jobs/%.*s", (int)size, text.p);
    HOLD(len > 0 && (size_t)len < sizeof(path));
    HOLD(strpbrk(guid, "0123456789") == NULL ||
         has((struct pst_job_id_scan){.rest = {path, (size_t)len}}, guid, size));
    return 0;
}
