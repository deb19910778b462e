/* SPDX-License-Identifier: Apache-2.0 */
/* What Postern answers itself: access tokens, the public keys they are signed with, and browsers' preflights.
 * The container never sees these requests. */
#include "internal.h"
#include "postern/auth/sts.h"
#include "postern/base/log.h"
#include "postern/http/path.h"

static const struct {
    struct pst_str method, path;
    enum local local;
} table[] = {
    {PST_STR("POST"), PST_STR("/sts/v1.0/issueToken"), LOCAL_ISSUE_TOKEN},
    {PST_STR("POST"), PST_STR("/issueToken"), LOCAL_ISSUE_TOKEN},
    {PST_STR("GET"), PST_STR("/sts/v1.0/keys"), LOCAL_TOKEN_KEYS},
};

/* Paths of the cloud's token service are written in several ways. */
enum local local_find(const struct exchange *x)
{
    if (cors_asks(x))
        return LOCAL_PREFLIGHT;
    if (x->client->front->parts.sts == NULL || x->upgrade)
        return LOCAL_NONE;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (pst_str_eq(x->method, table[i].method) && pst_path_reads_as(x->target.path, table[i].path))
            return table[i].local;
    }
    return LOCAL_NONE;
}

bool local_needs_key(enum local local)
{
    return local != LOCAL_TOKEN_KEYS && local != LOCAL_PREFLIGHT;
}

/* Fetch standard, "CORS-preflight fetch": any status of 200 to 299. */
static enum pst_error_id respond_to_preflight(struct exchange *x)
{
    if (x->origin.len == 0)
        return PST_ERROR_ORIGIN;
    respond_own(x, 204, PST_STR(""), PST_STR(""));
    return PST_ERROR_NONE;
}

static int make_body(struct exchange *x, struct pst_buf *body)
{
    const struct pst_front_parts *parts = &x->client->front->parts;
    if (x->local == LOCAL_TOKEN_KEYS)
        return pst_sts_publish(parts->sts, body);
    return pst_sts_issue(parts->sts, parts->reader, &x->key, pst_loop_real_us(parts->loop), body);
}

enum pst_error_id local_respond(struct exchange *x)
{
    struct pst_buf body;
    if (x->local == LOCAL_PREFLIGHT)
        return respond_to_preflight(x);
    /* A token buys no other: it would never end. */
    if (x->local == LOCAL_ISSUE_TOKEN && (x->key.secret_slot == 0 || x->good_until_us > 0))
        return PST_ERROR_KEY_WRONG;
    pst_buf_init(&body, PST_JWT_MAX + 1);
    int err = make_body(x, &body);
    if (err == 0)
        respond_own(x, 200,
                    x->local == LOCAL_TOKEN_KEYS ? PST_STR("application/jwk-set+json")
                                                 : PST_STR("application/jwt; charset=us-ascii"),
                    pst_buf_str(&body));
    else
        pst_error("auth", "request %s: no access token can be made: %s", x->request_id, pst_strerror(err));
    pst_buf_wipe(&body);
    return err == 0 ? PST_ERROR_NONE : PST_ERROR_INTERNAL;
}
