/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/jwt.h"

#include "json_strict.h"

#include "postern/crypto/base64.h"

#include <math.h>
#include <stdlib.h>

#define CLAIMS_DEPTH 8
/* The end of the year 9999: times behind it are mistakes, milliseconds for example. */
#define LATEST_S INT64_C(253402300799)

/* A NumericDate (RFC 7519 section 2), which may have a fraction; `round` makes it a whole second. Absent: the
 * time stays as it is. */
static bool read_time(const json_t *claims, const char *name, double (*round)(double), int64_t *time_s)
{
    const json_t *value = json_object_get(claims, name);
    if (!value)
        return true;
    if (json_is_integer(value)) {
        *time_s = json_integer_value(value);
        return *time_s >= 0 && *time_s <= LATEST_S;
    }
    double seconds = json_is_real(value) ? round(json_real_value(value)) : -1;
    if (!(seconds >= 0 && seconds <= (double)LATEST_S))
        return false;
    *time_s = (int64_t)seconds;
    return true;
}

static bool read_text(const json_t *claims, const char *name, struct pst_str *text)
{
    *text = pst_json_text(claims, name);
    return text->p || !json_object_get(claims, name);
}

static bool audience_is_proper(const json_t *audience)
{
    size_t i;
    const json_t *item;
    if (!audience || json_is_string(audience))
        return true;
    if (!json_is_array(audience))
        return false;
    json_array_foreach(audience, i, item)
    {
        if (!json_is_string(item))
            return false;
    }
    return true;
}

static enum pst_jwt_verdict read_claims(struct pst_jwt *jwt)
{
    struct pst_str payload = {(const char *)jwt->jws.payload, jwt->jws.payload_len};
    jwt->claims = pst_json_strict(payload, CLAIMS_DEPTH, NULL);
    if (!jwt->claims)
        return PST_JWT_CLAIMS;
    jwt->expires_s = jwt->not_before_s = jwt->issued_s = INT64_MIN;
    bool proper = read_text(jwt->claims, "iss", &jwt->issuer) &&
                  read_text(jwt->claims, "sub", &jwt->subject) &&
                  read_time(jwt->claims, "exp", floor, &jwt->expires_s) &&
                  read_time(jwt->claims, "nbf", ceil, &jwt->not_before_s) &&
                  read_time(jwt->claims, "iat", ceil, &jwt->issued_s) &&
                  audience_is_proper(json_object_get(jwt->claims, "aud"));
    return proper && jwt->expires_s != INT64_MIN ? PST_JWT_OK : PST_JWT_CLAIM;
}

enum pst_jwt_verdict pst_jwt_parse(struct pst_str text, struct pst_jwt *ret)
{
    ret->claims = NULL;
    enum pst_jwt_verdict verdict = pst_jws_parse(text, &ret->jws);
    if (verdict != PST_JWT_OK)
        return verdict;
    verdict = read_claims(ret);
    if (verdict != PST_JWT_OK)
        pst_jwt_done(ret);
    return verdict;
}

void pst_jwt_done(struct pst_jwt *jwt)
{
    json_decref(jwt->claims);
    jwt->claims = NULL;
    pst_jws_done(&jwt->jws);
}

enum pst_jwt_verdict pst_jwt_check_times(const struct pst_jwt *jwt, int64_t now_s, int64_t leeway_s)
{
    if (jwt->expires_s <= now_s - leeway_s)
        return PST_JWT_EXPIRED;
    if (jwt->not_before_s > now_s + leeway_s || jwt->issued_s > now_s + leeway_s)
        return PST_JWT_NOT_YET;
    return PST_JWT_OK;
}

static bool text_is(const json_t *value, struct pst_str text)
{
    return json_is_string(value) &&
           pst_str_eq((struct pst_str){json_string_value(value), json_string_length(value)}, text);
}

bool pst_jwt_is_for(const struct pst_jwt *jwt, struct pst_str audience)
{
    const json_t *value = json_object_get(jwt->claims, "aud"), *item;
    size_t i;
    json_array_foreach(value, i, item)
    {
        if (text_is(item, audience))
            return true;
    }
    return text_is(value, audience);
}

/* `object`, in its shortest form, as one part of a token. */
static int add_part(struct pst_buf *out, const json_t *object)
{
    char text[PST_JWT_MAX], part[PST_BASE64_SIZE(sizeof(text))];
    size_t n = json_dumpb(object, text, sizeof(text), JSON_COMPACT);
    if (n == 0)
        return -PST_ENOMEM;
    if (n > sizeof(text))
        return -PST_ELIMIT;
    pst_base64_encode(PST_BASE64URL, text, n, part);
    return pst_buf_add_cstr(out, part);
}

static int add_signature(const struct pst_sign_key *key, size_t start, struct pst_buf *out)
{
    uint8_t signature[PST_SIGN_BYTES];
    char part[PST_BASE64_SIZE(sizeof(signature))];
    int err = pst_sign(key, pst_str_skip(pst_buf_str(out), start), signature);
    if (err < 0)
        return err;
    size_t n = pst_base64_encode(PST_BASE64URL, signature, sizeof(signature), part);
    (void)pst_buf_add_char(out, '.');
    (void)pst_buf_add(out, part, n);
    if (pst_buf_failed(out))
        return -PST_ELIMIT;
    return pst_buf_len(out) - start <= PST_JWT_MAX ? 0 : -PST_ELIMIT;
}

int pst_jwt_make(const struct pst_sign_key *key, struct pst_str kid, const struct json_t *claims,
                 struct pst_buf *out)
{
    size_t start = pst_buf_len(out);
    json_t *header = json_pack("{s:s, s:s, s:s%}", "alg", "ES256", "typ", "JWT", "kid", kid.p, kid.len);
    if (!header)
        return -PST_ENOMEM;
    int err = add_part(out, header);
    json_decref(header);
    if (err == 0)
        err = pst_buf_add_char(out, '.');
    if (err == 0)
        err = add_part(out, claims);
    return err < 0 ? err : add_signature(key, start, out);
}
