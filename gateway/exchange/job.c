/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs are their key's: noted when the container says that one has begun, asked when a request names one.
 */
#include "job.h"

#include "cors.h"
#include "phases.h"
#include "postern/auth/job_owners.h"
#include "postern/base/log.h"

static enum pst_error_id job_check(const struct exchange *x)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    if (parts->jobs == NULL ||
        pst_job_owners_permit(parts->jobs, x->request.target.path, pst_str_of(x->identity.key.id),
                              pst_loop_real_us(parts->loop)))
        return PST_ERROR_NONE;
    pst_debug("auth", "request %s from %s refused: the job belongs to another key than %s", x->request.id,
              x->stream->peer->address_text, x->identity.key.id[0] != '\0' ? x->identity.key.id : "(none)");
    return PST_ERROR_JOB;
}

void job_note(const struct exchange *x, const struct pst_answer *answer)
{
    static const struct pst_str names[] = {PST_STR("operation-location"), PST_STR("azure-asyncoperation"),
                                           PST_STR("location")};
    const struct pst_exchange_parts *parts = &x->all->parts;
    bool begun = answer->status == 201 || answer->status == 202;
    if (parts->jobs == NULL || !begun || x->identity.key.id[0] == '\0')
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct pst_field *field = pst_fields_find(&answer->fields, names[i]);
        if (field != NULL)
            pst_job_owners_add(parts->jobs, field->value, pst_str_of(x->identity.key.id),
                               pst_loop_real_us(parts->loop));
    }
}

enum pst_step phase_job(struct exchange *x, enum pst_error_id *ret_error)
{
    /* A preflight asks what may be asked, not for the job. */
    *ret_error = cors_leaves(x) ? PST_ERROR_NONE : job_check(x);
    return *ret_error == PST_ERROR_NONE ? PST_NEXT : PST_RESPOND;
}
