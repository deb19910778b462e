/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/job_id.h"

#include "postern/http/path.h"

/* The next byte, percent-decoded, in small letters. */
static char take(struct pst_str *rest)
{
    bool escaped;
    return pst_ascii_lower((char)pst_path_take(rest, &escaped));
}

bool pst_job_id_next(struct pst_str *rest, struct pst_job_id *ret_id)
{
    struct pst_job_id id = {.len = 0};
    bool has_digit = false;
    for (;;) {
        bool ends = rest->len == 0 || rest->p[0] == '?' || rest->p[0] == '#';
        char c = ends ? '/' : take(rest);
        bool digit = c >= '0' && c <= '9';
        if (digit || (c >= 'a' && c <= 'z')) {
            if (id.len < PST_JOB_ID_MAX)
                id.text[id.len] = c;
            id.len++;
            has_digit = has_digit || digit;
            continue;
        }
        if (c == '-' || c == '_')
            continue;
        if (has_digit && id.len >= PST_JOB_ID_MIN && id.len <= PST_JOB_ID_MAX) {
            *ret_id = id;
            return true;
        }
        if (ends)
            return false;
        id.len = 0;
        has_digit = false;
    }
}

bool pst_job_id_last(struct pst_str url, struct pst_job_id *ret_id)
{
    struct pst_job_id id;
    bool found = false;
    while (pst_job_id_next(&url, &id)) {
        *ret_id = id;
        found = true;
    }
    return found;
}

bool pst_job_id_is_disguised(struct pst_str path)
{
    static const char start[] = "{0x";
    size_t at = 0;
    while (path.len > 0) {
        char c = take(&path);
        if (c == ' ')
            continue;
        at = c == start[at] ? at + 1 : (c == start[0] ? 1 : 0);
        if (start[at] == '\0')
            return true;
    }
    return false;
}
