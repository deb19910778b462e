/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs are their key's: noted when the container answers that one has begun, asked when a request names one.
 */
#include "internal.h"
#include "postern/auth/job_owners.h"
#include "postern/base/log.h"

enum pst_error_id jobs_check(const struct exchange *x)
{
    const struct pst_front_parts *parts = &x->client->front->parts;
    if (parts->jobs == NULL || pst_job_owners_permit(parts->jobs, x->target.path, pst_str_of(x->key.id),
                                                     pst_loop_real_us(parts->loop)))
        return PST_ERROR_NONE;
    pst_debug("auth", "request %s from %s refused: the job is of another key than %s", x->request_id,
              x->client->address_text, x->key.id[0] != '\0' ? x->key.id : "(none)");
    return PST_ERROR_JOB;
}

void jobs_note(const struct exchange *x, const struct pst_answer *answer)
{
    static const struct pst_str names[] = {PST_STR("operation-location"), PST_STR("azure-asyncoperation"),
                                           PST_STR("location")};
    const struct pst_front_parts *parts = &x->client->front->parts;
    bool begun = answer->status == 201 || answer->status == 202;
    if (parts->jobs == NULL || !begun || x->key.id[0] == '\0')
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct pst_field *field = pst_fields_find(&answer->fields, names[i]);
        if (field != NULL)
            pst_job_owners_add(parts->jobs, field->value, pst_str_of(x->key.id),
                               pst_loop_real_us(parts->loop));
    }
}
