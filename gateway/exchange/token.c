/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens, which who has a key may have in its place; the container never sees the request. */
#include "phases.h"
#include "postern/auth/sts.h"
#include "postern/base/log.h"
#include "respond.h"

static enum pst_error_id issue(struct exchange *x)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    const struct pst_key_match *key = &x->identity.key;
    struct pst_buf body;
    /* A token buys no other: it would never end. */
    if (key->secret_slot == 0 || x->identity.good_until_us > 0)
        return PST_ERROR_KEY_WRONG;
    pst_buf_init(&body, PST_JWT_MAX + 1);
    int err = pst_sts_issue(parts->sts, parts->reader, key, pst_loop_real_us(parts->loop), &body);
    if (err == 0)
        respond_own(x, 200, PST_STR("application/jwt; charset=us-ascii"), pst_buf_str(&body));
    else
        pst_error("auth", "request %s: no access token can be issued: %s", x->request.id, pst_strerror(err));
    pst_buf_wipe(&body);
    return err == 0 ? PST_ERROR_NONE : PST_ERROR_INTERNAL;
}

enum pst_step phase_token(struct exchange *x, enum pst_error_id *ret_error)
{
    if (x->request.local != LOCAL_ISSUE_TOKEN)
        return PST_NEXT;
    *ret_error = issue(x);
    return PST_RESPOND;
}
