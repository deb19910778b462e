/* SPDX-License-Identifier: Apache-2.0 */
/* What Postern responds to whoever asks: browsers' preflights, and the public keys of its access tokens. The
 * container never sees these requests. */
#include "phases.h"
#include "postern/auth/sts.h"
#include "postern/base/log.h"
#include "respond.h"

/* Fetch standard, "CORS-preflight fetch": any status of 200 to 299. */
static enum pst_error_id respond_to_preflight(struct exchange *x)
{
    if (x->response.origin.len == 0)
        return PST_ERROR_ORIGIN;
    respond_own(x, 204, PST_STR(""), PST_STR(""));
    return PST_ERROR_NONE;
}

static enum pst_error_id publish_keys(struct exchange *x)
{
    struct pst_buf body;
    pst_buf_init(&body, PST_JWT_MAX + 1);
    int err = pst_sts_publish(x->all->parts.sts, &body);
    if (err == 0)
        respond_own(x, 200, PST_STR("application/jwk-set+json"), pst_buf_str(&body));
    else
        pst_error("auth", "request %s: the tokens' public keys cannot be told: %s", x->request.id,
                  pst_strerror(err));
    pst_buf_done(&body);
    return err == 0 ? PST_ERROR_NONE : PST_ERROR_INTERNAL;
}

enum pst_step phase_preflight(struct exchange *x, enum pst_error_id *ret_error)
{
    switch (x->request.local) {
    case LOCAL_PREFLIGHT:
        *ret_error = respond_to_preflight(x);
        return PST_RESPOND;
    case LOCAL_TOKEN_KEYS:
        *ret_error = publish_keys(x);
        return PST_RESPOND;
    default:
        return PST_NEXT;
    }
}
