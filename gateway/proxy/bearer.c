/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens of issuers: "Authorization: Bearer <token>". A token stands for a key of Postern's, and what
 * that key may do, its limits and its usage are the token's. */
#include "internal.h"
#include "postern/auth/oidc.h"
#include "postern/base/log.h"

/* Azure's Speech SDK sends tokens of Entra ID as "aad#<resource id>#<token>". */
static struct pst_str without_resource(struct pst_str value)
{
    struct pst_str token;
    if (!pst_str_istarts(value, PST_STR("aad#")))
        return value;
    pst_str_cut(pst_str_skip(value, 4), '#', &token);
    return token;
}

static bool bearer_of(const struct pst_field *field, struct pst_str *ret)
{
    static const char scheme[] = "Bearer ";
    struct pst_str value = pst_str_trim(field->value);
    if (!pst_str_ieq(field->name, PST_STR("Authorization")) || !pst_str_istarts(value, PST_STR(scheme)))
        return false;
    *ret = without_resource(pst_str_trim(pst_str_skip(value, sizeof(scheme) - 1)));
    return true;
}

/* The request's one token; CONFLICT when there are two that differ, WRONG when there is none. */
static enum pst_error_id find_token(const struct exchange *x, struct pst_str *ret)
{
    bool found = false;
    PST_FIELDS_EACH(field, &x->fields)
    {
        struct pst_str token;
        if (!bearer_of(field, &token))
            continue;
        if (found && !pst_str_eq(token, *ret))
            return PST_ERROR_KEY_CONFLICT;
        *ret = token;
        found = true;
    }
    return found ? PST_ERROR_NONE : PST_ERROR_KEY_WRONG;
}

static enum pst_error_id refuse(const struct exchange *x, const char *key_id, const char *reason,
                                enum pst_error_id id)
{
    pst_debug("auth", "request %s from %s refused: %s%s%s", x->request_id, x->client->address_text, reason,
              key_id[0] != '\0' ? ", key " : "", key_id);
    return id;
}

/* What is no token at all was meant to be a key. */
static enum pst_error_id error_of(enum pst_jwt_verdict verdict, struct pst_str token)
{
    switch (verdict) {
    case PST_JWT_NO_KEYS_YET:
        return PST_ERROR_TOKEN_KEYS;
    case PST_JWT_NO_RULE:
        return PST_ERROR_TOKEN_DENIED;
    default:
        return pst_jwt_is_shaped(token) ? PST_ERROR_TOKEN_WRONG : PST_ERROR_KEY_WRONG;
    }
}

enum pst_error_id bearer_check(struct exchange *x)
{
    const struct pst_front_parts *parts = &x->client->front->parts;
    int64_t now_us = pst_loop_real_us(parts->loop);
    struct pst_str token;
    struct pst_oidc_found found;
    enum pst_error_id id = parts->oidc != NULL ? find_token(x, &token) : PST_ERROR_KEY_WRONG;
    if (id != PST_ERROR_NONE)
        return id;
    enum pst_jwt_verdict verdict = pst_oidc_check(parts->oidc, parts->reader, token, now_us, &found);
    if (verdict != PST_JWT_OK)
        return refuse(x, "", pst_jwt_verdict_text(verdict), error_of(verdict, token));
    enum pst_key_verdict key =
        pst_keyring_check_id(parts->keyring, parts->reader, pst_str_of(found.key_id), now_us, &x->key);
    if (key != PST_KEY_OK)
        return refuse(x, found.key_id, pst_key_verdict_text(key), PST_ERROR_TOKEN_DENIED);
    x->good_until_us = found.good_until_s * 1000000;
    return PST_ERROR_NONE;
}
