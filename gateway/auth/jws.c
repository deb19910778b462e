/* SPDX-License-Identifier: Apache-2.0 */
#include "json_strict.h"

#include "postern/auth/jwt.h"
#include "postern/crypto/base64.h"

/* {"x5c": […]} needs two levels, "address": {…} in claims three; deeper, somebody is trying something. */
#define HEADER_DEPTH 8

static const char *const verdict_texts[PST_JWT_VERDICTS] = {
    [PST_JWT_OK] = "the token is good",
    [PST_JWT_TOO_LONG] = "the token is longer than 16384 characters",
    [PST_JWT_PARTS] = "the token has not three parts",
    [PST_JWT_BASE64] = "the token is not canonical base64url",
    [PST_JWT_HEADER] = "the token's header is not a proper JSON object",
    [PST_JWT_ALG] = "the token's algorithm is missing, none, symmetric or unknown",
    [PST_JWT_EXTENSION] = "the token needs an extension (crit, b64)",
    [PST_JWT_NESTED] = "the token is nested, encrypted or compressed (cty, enc, zip)",
    [PST_JWT_TYPE] = "the token is of another kind (typ)",
    [PST_JWT_KID] = "the token's kid is not a text of 1 to 128 characters",
    [PST_JWT_CLAIMS] = "the token's claims are not a proper JSON object",
    [PST_JWT_CLAIM] = "the token has no exp, or one of iss, sub, aud, exp, nbf, iat is of the wrong type",
    [PST_JWT_NO_KEY] = "the token's key is not known",
    [PST_JWT_KEY_ALG] = "the token's algorithm is not its key's",
    [PST_JWT_SIGNATURE] = "the token's signature is wrong",
    [PST_JWT_EXPIRED] = "the token has expired",
    [PST_JWT_NOT_YET] = "the token is not valid yet",
    [PST_JWT_ISSUER] = "the token's issuer is not trusted",
    [PST_JWT_AUDIENCE] = "the token is for another audience",
    [PST_JWT_NO_KEYS_YET] = "the token's issuer has not given its keys yet",
    [PST_JWT_NO_RULE] = "the token is good, but no rule of oidc_keys fits it",
};

const char *pst_jwt_verdict_text(enum pst_jwt_verdict verdict)
{
    return (unsigned)verdict < PST_JWT_VERDICTS ? verdict_texts[verdict] : "the token is not understood";
}

/* Kinds of tokens that are meant for a resource (RFC 7519 section 5.1, RFC 9068). Others (logout+jwt,
 * dpop+jwt, …) have been signed by the same issuers, for another purpose (RFC 8725 section 3.11). */
static bool is_access_token(struct pst_str type)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/jwt", "application/at+jwt"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (pst_str_ieq(type, pst_str_of(types[i])))
            return true;
    }
    return false;
}

static bool has_any(const json_t *object, const char *const *names)
{
    for (; *names; names++) {
        if (json_object_get(object, *names))
            return true;
    }
    return false;
}

static enum pst_jwt_verdict read_header(struct pst_jws *jws)
{
    static const char *const extensions[] = {"crit", "b64", NULL};
    static const char *const wrappings[] = {"cty", "enc", "zip", NULL};
    if (has_any(jws->header, extensions))
        return PST_JWT_EXTENSION;
    if (has_any(jws->header, wrappings))
        return PST_JWT_NESTED;
    jws->alg = pst_signature_alg_of(pst_json_text(jws->header, "alg"));
    if (jws->alg == PST_ALG_UNKNOWN)
        return PST_JWT_ALG;
    if (json_object_get(jws->header, "typ") && !is_access_token(pst_json_text(jws->header, "typ")))
        return PST_JWT_TYPE;
    jws->kid = pst_json_text(jws->header, "kid");
    if (json_object_get(jws->header, "kid") && (jws->kid.len == 0 || jws->kid.len > PST_JWT_KID_MAX))
        return PST_JWT_KID;
    return PST_JWT_OK;
}

/* Decodes one part; false when it is not canonical. The text is bounded, so `size` always suffices, but for
 * signatures: what does not fit is longer than any. */
static bool decode(struct pst_str part, uint8_t *out, size_t size, size_t *ret_len)
{
    int n = pst_base64_decode(PST_BASE64URL, part, out, size);
    if (n < 0)
        return false;
    *ret_len = (size_t)n;
    return true;
}

static bool split(struct pst_str text, struct pst_str parts[static 3])
{
    struct pst_str rest = text;
    for (int i = 0; i < 2; i++) {
        parts[i] = pst_str_cut(rest, '.', &rest);
        if (!rest.p)
            return false;
    }
    parts[2] = rest;
    return pst_str_find(rest, '.') < 0;
}

enum pst_jwt_verdict pst_jws_parse(struct pst_str text, struct pst_jws *ret)
{
    struct pst_str parts[3];
    uint8_t header[PST_JWT_MAX * 3 / 4];
    size_t header_len;
    if (text.len > PST_JWT_MAX)
        return PST_JWT_TOO_LONG;
    if (!split(text, parts))
        return PST_JWT_PARTS;
    if (!decode(parts[0], header, sizeof(header), &header_len) ||
        !decode(parts[1], ret->payload, sizeof(ret->payload), &ret->payload_len) ||
        !decode(parts[2], ret->signature, sizeof(ret->signature), &ret->signature_len))
        return PST_JWT_BASE64;
    ret->header = pst_json_strict((struct pst_str){(const char *)header, header_len}, HEADER_DEPTH, NULL);
    if (!ret->header)
        return PST_JWT_HEADER;
    enum pst_jwt_verdict verdict = read_header(ret);
    if (verdict != PST_JWT_OK)
        pst_jws_done(ret);
    ret->input = (struct pst_str){text.p, parts[0].len + 1 + parts[1].len};
    return verdict;
}

void pst_jws_done(struct pst_jws *jws)
{
    json_decref(jws->header);
    jws->header = NULL;
}

enum pst_jwt_verdict pst_jws_verify(const struct pst_jws *jws, enum pst_signature_alg alg,
                                    const struct pst_verify_key *key)
{
    if (jws->alg != alg || !pst_verify_key_fits(key, alg))
        return PST_JWT_KEY_ALG;
    struct pst_str signature = {(const char *)jws->signature, jws->signature_len};
    return pst_verify(key, alg, jws->input, signature) ? PST_JWT_OK : PST_JWT_SIGNATURE;
}

static bool is_base64url(struct pst_str part)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.p[i];
        bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!digit && c != '-' && c != '_')
            return false;
    }
    return true;
}

bool pst_jwt_is_shaped(struct pst_str text)
{
    struct pst_str parts[3];
    /* '{' and what may follow it (a quote or white space) always make "ey" or "ew", "e3" for "{}" alone. */
    return pst_str_starts(text, PST_STR("e")) && split(text, parts) && is_base64url(parts[0]) &&
           is_base64url(parts[1]) && is_base64url(parts[2]);
}
