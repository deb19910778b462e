/* SPDX-License-Identifier: Apache-2.0 */
#include "phases.h"

/* Each in a file of its own. What they leave behind: */
static const struct phase phases[] = {
    {"route", phase_route},               /* x->route, request.local, request.upgrade, identity.open */
    {"preflight", phase_preflight},       /* responds for good, whoever asks */
    {"authenticate", phase_authenticate}, /* x->identity */
    {"authorize", phase_authorize},       /* identity.keyed */
    {"job", phase_job},                   /* nothing */
    {"token", phase_token},               /* responds for good, to who has a key */
    {"select", phase_select},             /* attempt.head, a place for an upgrade */
};

enum pst_step phases_run(struct exchange *x, enum pst_error_id *ret_error)
{
    enum pst_step step = PST_NEXT;
    *ret_error = PST_ERROR_NONE;
    for (size_t i = 0; step == PST_NEXT && i < sizeof(phases) / sizeof(phases[0]); i++)
        step = phases[i].run(x, ret_error);
    return step;
}
