/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens, Postern's own and those of issuers: "Authorization: Bearer <token>". A token stands for a
 * key of Postern's, and what that key may do, its limits and its usage are the token's. */
#include "bearer.h"

#include "postern/auth/oidc.h"
#include "postern/auth/sts.h"
#include "postern/base/log.h"

#include <jansson.h>

/* Of what a refusal repeats. */
#define PRINCIPAL_MAX  128
#define SHOWN_PATH_MAX 256

/* Azure's Speech SDK sends tokens of Entra ID as "aad#<resource id>#<token>". */
static struct pst_str without_resource(struct pst_str value)
{
    struct pst_str token;
    if (!pst_str_istarts(value, PST_STR("aad#")))
        return value;
    pst_str_cut(pst_str_skip(value, 4), '#', &token);
    return token;
}

static bool is_bearer(struct pst_str value, struct pst_str *ret)
{
    static const char scheme[] = "Bearer ";
    value = pst_str_trim(value);
    if (!pst_str_istarts(value, PST_STR(scheme)))
        return false;
    *ret = without_resource(pst_str_trim(pst_str_skip(value, sizeof(scheme) - 1)));
    return true;
}

static bool bearer_of(const struct pst_field *field, struct pst_str *ret)
{
    return pst_str_ieq(field->name, PST_STR("Authorization")) && is_bearer(field->value, ret);
}

/* Browsers' WebSockets: "?Authorization=Bearer%20<token>". The decoded value lives as long as the exchange.
 */
static bool bearer_in(struct exchange *x, const struct pst_query_param *param, struct pst_str *ret)
{
    size_t size = param->value.len + 1; /* decoding makes nothing longer */
    if (!pst_query_name_is(param->name, PST_STR("Authorization")))
        return false;
    char *decoded = pst_arena_alloc(&x->arena, size);
    int len = decoded != NULL ? pst_percent_decode(param->value, true, decoded, size) : -PST_ENOMEM;
    return len > 0 && is_bearer((struct pst_str){decoded, (size_t)len}, ret);
}

/* One more token. False when it is another than the one before. */
static bool take(struct pst_str token, bool *found, struct pst_str *ret)
{
    if (*found)
        return pst_str_eq(token, *ret);
    *ret = token;
    *found = true;
    return true;
}

/* The request's one token; CONFLICT when there are two that differ, WRONG when there is none. */
static enum pst_error_id find_token(struct exchange *x, struct pst_str *ret)
{
    bool found = false;
    struct pst_str token, query = x->identity.query_counts ? x->request.target.query : PST_STR("");
    struct pst_query_param param;
    PST_FIELDS_EACH(field, &x->request.fields)
    {
        if (bearer_of(field, &token) && !take(token, &found, ret))
            return PST_ERROR_KEY_CONFLICT;
    }
    while (pst_query_next(&query, &param)) {
        if (bearer_in(x, &param, &token) && !take(token, &found, ret))
            return PST_ERROR_KEY_CONFLICT;
    }
    return found ? PST_ERROR_NONE : PST_ERROR_KEY_WRONG;
}

static enum pst_error_id refuse(const struct exchange *x, const char *key_id, const char *reason,
                                enum pst_error_id id)
{
    pst_debug("auth", "request %s from %s refused: %s%s%s", x->request.id, x->stream->peer->address_text,
              reason, key_id[0] != '\0' ? ", key " : "", key_id);
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

/* Whom the token is about, as the cloud names a principal. Empty when it does not say. */
static struct pst_str principal_of(const json_t *claims)
{
    static const char *const names[] = {"oid", "appid", "azp", "sub"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *value = json_object_get(claims, names[i]);
        struct pst_str text = {json_string_value(value), json_string_length(value)};
        if (text.p != NULL && text.len > 0 && text.len <= PRINCIPAL_MAX)
            return text;
    }
    return PST_STR("");
}

/* In the cloud's words. The token was found good, so what it says of itself may be told to who has it. */
static void say_denied(struct exchange *x, struct pst_str token)
{
    struct pst_jwt jwt;
    struct pst_buf text;
    struct pst_str path = x->request.target.path;
    if (pst_jwt_parse(token, &jwt) != PST_JWT_OK)
        return;
    struct pst_str principal = principal_of(jwt.claims);
    path.len = path.len < SHOWN_PATH_MAX ? path.len : SHOWN_PATH_MAX;
    pst_buf_init(&text, 1024);
    pst_buf_printf(&text,
                   "The principal `" PST_STR_FMT "` lacks the required data action to perform `" PST_STR_FMT
                   " " PST_STR_FMT "` operation.",
                   PST_STR_ARG(principal), PST_STR_ARG(x->request.method), PST_STR_ARG(path));
    if (principal.len > 0 && !pst_buf_failed(&text))
        x->response.message = pst_arena_strdup(&x->arena, pst_buf_str(&text));
    pst_buf_done(&text);
    pst_jwt_done(&jwt);
}

/* Of an issuer that the settings name. */
static enum pst_error_id check_issued(struct exchange *x, struct pst_str token)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    int64_t now_us = pst_loop_real_us(parts->loop);
    struct pst_oidc_found found;
    if (parts->oidc == NULL)
        return refuse(x, "", "no issuer of tokens is known", error_of(PST_JWT_NO_KEY, token));
    enum pst_jwt_verdict verdict = pst_oidc_check(parts->oidc, parts->reader, token, now_us, &found);
    if (verdict == PST_JWT_NO_RULE)
        say_denied(x, token);
    if (verdict != PST_JWT_OK)
        return refuse(x, "", pst_jwt_verdict_text(verdict), error_of(verdict, token));
    enum pst_key_verdict key = pst_keyring_check_id(parts->keyring, parts->reader, pst_str_of(found.key_id),
                                                    now_us, &x->identity.key);
    if (key != PST_KEY_OK)
        say_denied(x, token);
    if (key != PST_KEY_OK)
        return refuse(x, found.key_id, pst_key_verdict_text(key), PST_ERROR_TOKEN_DENIED);
    x->identity.good_until_us = found.good_until_s * 1000000;
    return PST_ERROR_NONE;
}

/* One of Postern's own: it ends with the secret that it was given for. */
static enum pst_error_id check_own(struct exchange *x, struct pst_str token, bool *ret_own)
{
    const struct pst_exchange_parts *parts = &x->all->parts;
    int64_t now_us = pst_loop_real_us(parts->loop), good_until_s = 0;
    enum pst_jwt_verdict verdict = parts->sts != NULL ? pst_sts_check(parts->sts, parts->reader, token,
                                                                      now_us, &x->identity.key, &good_until_s)
                                                      : PST_JWT_NO_KEY;
    *ret_own = verdict != PST_JWT_NO_KEY;
    if (verdict != PST_JWT_OK)
        return *ret_own ? refuse(x, "", pst_jwt_verdict_text(verdict), error_of(verdict, token))
                        : PST_ERROR_KEY_WRONG;
    enum pst_key_verdict key =
        pst_keyring_still_valid(parts->keyring, parts->reader, &x->identity.key, now_us);
    if (key != PST_KEY_OK)
        return refuse(x, x->identity.key.id, pst_key_verdict_text(key), PST_ERROR_TOKEN_WRONG);
    x->identity.good_until_us = good_until_s * 1000000;
    return PST_ERROR_NONE;
}

enum pst_error_id bearer_check(struct exchange *x)
{
    struct pst_str token;
    bool own;
    bool taken = x->all->parts.oidc != NULL || x->all->parts.sts != NULL;
    enum pst_error_id id = taken ? find_token(x, &token) : PST_ERROR_KEY_WRONG;
    if (id != PST_ERROR_NONE)
        return id;
    id = check_own(x, token, &own);
    return own ? id : check_issued(x, token);
}
