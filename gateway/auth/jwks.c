/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/jwks.h"

#include "json_strict.h"

#include "postern/crypto/base64.h"

#include <stdlib.h>

/* {"keys": [{"x5c": […]}]}, and room for what others may add. */
#define JWKS_DEPTH 10
/* Bytes of the longest number: an RSA modulus with a zero in front. */
#define NUMBER_MAX (PST_SIGNATURE_MAX + 1)

struct number {
    uint8_t bytes[NUMBER_MAX];
    struct pst_str str;
};

static bool read_number(const json_t *jwk, const char *name, struct number *ret)
{
    struct pst_str text = pst_json_text(jwk, name);
    int n =
        text.len > 0 ? pst_base64_decode(PST_BASE64URL, text, ret->bytes, sizeof(ret->bytes)) : -PST_EPARSE;
    ret->str = (struct pst_str){(const char *)ret->bytes, n > 0 ? (size_t)n : 0};
    return n > 0;
}

static int read_rsa(const json_t *jwk, struct pst_verify_key **ret, const char **reason)
{
    struct number n, e;
    *reason = "has no proper n and e";
    if (!read_number(jwk, "n", &n) || !read_number(jwk, "e", &e))
        return -PST_EINVAL;
    return pst_verify_key_rsa(n.str, e.str, ret, reason);
}

static int read_ec(const json_t *jwk, struct pst_verify_key **ret, const char **reason)
{
    static const char *const names[] = {
        [PST_CURVE_P256] = "P-256", [PST_CURVE_P384] = "P-384", [PST_CURVE_P521] = "P-521"};
    struct pst_str name = pst_json_text(jwk, "crv");
    struct number x, y;
    for (int curve = PST_CURVE_P256; curve <= PST_CURVE_P521; curve++) {
        if (!pst_str_eq(name, pst_str_of(names[curve])))
            continue;
        *reason = "has no proper x and y";
        if (!read_number(jwk, "x", &x) || !read_number(jwk, "y", &y))
            return -PST_EINVAL;
        return pst_verify_key_ec((enum pst_curve)curve, x.str, y.str, ret, reason);
    }
    *reason = "is of a curve other than P-256, P-384 and P-521";
    return -PST_EINVAL;
}

static int read_okp(const json_t *jwk, struct pst_verify_key **ret, const char **reason)
{
    struct number x;
    *reason = "is of a curve other than Ed25519";
    if (!pst_str_eq(pst_json_text(jwk, "crv"), PST_STR("Ed25519")))
        return -PST_EINVAL;
    *reason = "has no proper x";
    if (!read_number(jwk, "x", &x))
        return -PST_EINVAL;
    return pst_verify_key_ed25519(x.str, ret, reason);
}

static const struct key_type {
    const char *name;
    int (*read)(const json_t *jwk, struct pst_verify_key **ret, const char **reason);
} key_types[] = {{"RSA", read_rsa}, {"EC", read_ec}, {"OKP", read_okp}};

static int read_key(const json_t *jwk, struct pst_verify_key **ret, const char **reason)
{
    struct pst_str type = pst_json_text(jwk, "kty");
    for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++) {
        if (pst_str_eq(type, pst_str_of(key_types[i].name)))
            return key_types[i].read(jwk, ret, reason);
    }
    *reason = "is of a type (kty) other than RSA, EC and OKP";
    return -PST_EINVAL;
}

/* Whether it is there to verify signatures with (RFC 7517 sections 4.2 and 4.3). */
static bool is_for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *operations = json_object_get(jwk, "key_ops"), *item;
    size_t i;
    if (use && !pst_str_eq(pst_json_text(jwk, "use"), PST_STR("sig")))
        return false;
    json_array_foreach(operations, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), "verify") == 0)
            return true;
    }
    return !operations;
}

/* The one algorithm that the key is for, or UNKNOWN. */
static enum pst_signature_alg choose_alg(const json_t *jwk, const struct pst_verify_key *key,
                                         const struct pst_alg_list *allowed)
{
    enum pst_signature_alg own = pst_signature_alg_of(pst_json_text(jwk, "alg"));
    if (json_object_get(jwk, "alg") && own == PST_ALG_UNKNOWN)
        return PST_ALG_UNKNOWN;
    for (size_t i = 0; i < PST_ALG_MAX && allowed->at[i] != PST_ALG_UNKNOWN; i++) {
        if (pst_verify_key_fits(key, allowed->at[i]) && (own == PST_ALG_UNKNOWN || own == allowed->at[i]))
            return allowed->at[i];
    }
    return PST_ALG_UNKNOWN;
}

static bool is_taken(const struct pst_jwks *jwks, const struct pst_jwk *entry)
{
    for (size_t i = 0; i < jwks->n; i++) {
        if (jwks->at[i].alg == entry->alg && strcmp(jwks->at[i].kid, entry->kid) == 0)
            return true;
    }
    return false;
}

/* Reads one key into the next place. 0, -PST_EINVAL with a reason to leave it out, -PST_ENOMEM. */
static int add_key(struct pst_jwks *jwks, const json_t *jwk, const struct pst_alg_list *allowed,
                   const char **reason)
{
    struct pst_jwk *entry = &jwks->at[jwks->n];
    *reason = "is not an object";
    if (!json_is_object(jwk))
        return -PST_EINVAL;
    *reason = "has a kid that is no text of 1 to 128 characters";
    struct pst_str kid = pst_json_text(jwk, "kid");
    if (pst_str_copy(kid, entry->kid, sizeof(entry->kid)) < 0 ||
        (json_object_get(jwk, "kid") && kid.len == 0))
        return -PST_EINVAL;
    *reason = "is not for verifying signatures (use, key_ops)";
    if (!is_for_verifying(jwk))
        return -PST_EINVAL;
    *reason = "has its private part in it";
    if (json_object_get(jwk, "d"))
        return -PST_EINVAL;
    int err = read_key(jwk, &entry->key, reason);
    if (err < 0)
        return err;
    entry->alg = choose_alg(jwk, entry->key, allowed);
    *reason = entry->alg == PST_ALG_UNKNOWN ? "is for an algorithm that is not allowed"
                                            : "has the kid of an earlier one";
    if (entry->alg == PST_ALG_UNKNOWN || is_taken(jwks, entry)) {
        pst_verify_key_free(entry->key);
        return -PST_EINVAL;
    }
    jwks->n++;
    return 0;
}

static int add_keys(struct pst_jwks *jwks, const json_t *keys, const struct pst_alg_list *allowed,
                    struct pst_why *why)
{
    size_t i;
    const json_t *jwk;
    json_array_foreach(keys, i, jwk)
    {
        const char *reason = "";
        int err = add_key(jwks, jwk, allowed, &reason);
        if (err == -PST_ENOMEM)
            return pst_why_set(why, err, NULL, "out of memory");
        struct pst_str kid = pst_json_text(jwk, "kid");
        if (err < 0 && jwks->n_skipped++ == 0)
            (void)pst_why_set(why, err, NULL, "key %zu (kid \"%.40s\") %s", i + 1, kid.p ? kid.p : "",
                              reason);
    }
    return jwks->n > 0 ? 0 : -PST_EINVAL;
}

int pst_jwks_parse(struct pst_str text, const struct pst_alg_list *allowed, struct pst_jwks **ret,
                   struct pst_why *why)
{
    char error[JSON_ERROR_TEXT_LENGTH];
    if (text.len > PST_JWKS_BYTES_MAX)
        return pst_why_set(why, -PST_ELIMIT, NULL, "the key set is larger than 64 KiB");
    json_t *set = pst_json_strict(text, JWKS_DEPTH, error);
    if (!set)
        return pst_why_set(why, -PST_EPARSE, NULL, "the key set is not valid JSON: %s", error);
    const json_t *keys = json_object_get(set, "keys");
    struct pst_jwks *jwks = calloc(1, sizeof(*jwks));
    int err;
    (void)pst_why_set(why, 0, NULL, "%s", "");
    if (!jwks)
        err = -PST_ENOMEM;
    else if (!json_is_array(keys))
        err = pst_why_set(why, -PST_EPARSE, NULL, "the key set has no array \"keys\"");
    else if (json_array_size(keys) > PST_JWKS_KEYS_MAX)
        err = pst_why_set(why, -PST_ELIMIT, NULL, "the key set has more than 64 keys");
    else if (json_array_size(keys) == 0)
        err = pst_why_set(why, -PST_EINVAL, NULL, "the key set has no keys");
    else
        err = add_keys(jwks, keys, allowed, why);
    json_decref(set);
    if (err < 0)
        pst_jwks_free(jwks);
    else
        *ret = jwks;
    return err;
}

void pst_jwks_free(struct pst_jwks *jwks)
{
    for (size_t i = 0; jwks && i < jwks->n; i++)
        pst_verify_key_free(jwks->at[i].key);
    free(jwks);
}

static const struct pst_jwk *find_only(const struct pst_jwks *jwks, enum pst_signature_alg alg)
{
    const struct pst_jwk *found = NULL;
    for (size_t i = 0; i < jwks->n; i++) {
        if (jwks->at[i].alg != alg)
            continue;
        if (found)
            return NULL;
        found = &jwks->at[i];
    }
    return found;
}

enum pst_jwt_verdict pst_jwks_find(const struct pst_jwks *jwks, const struct pst_jws *jws,
                                   const struct pst_jwk **ret)
{
    bool other_alg = false;
    if (jws->kid.len == 0) {
        *ret = find_only(jwks, jws->alg);
        return *ret ? PST_JWT_OK : PST_JWT_NO_KEY;
    }
    for (size_t i = 0; i < jwks->n; i++) {
        if (!pst_str_eq(jws->kid, pst_str_of(jwks->at[i].kid)))
            continue;
        if (jwks->at[i].alg == jws->alg) {
            *ret = &jwks->at[i];
            return PST_JWT_OK;
        }
        other_alg = true;
    }
    return other_alg ? PST_JWT_KEY_ALG : PST_JWT_NO_KEY;
}

int pst_jwk_write(const struct pst_sign_key *key, struct pst_str kid, struct pst_buf *out)
{
    uint8_t x[PST_SIGN_COORD_BYTES], y[PST_SIGN_COORD_BYTES];
    char x_text[PST_BASE64_SIZE(sizeof(x))], y_text[PST_BASE64_SIZE(sizeof(y))];
    pst_sign_key_public(key, x, y);
    pst_base64_encode(PST_BASE64URL, x, sizeof(x), x_text);
    pst_base64_encode(PST_BASE64URL, y, sizeof(y), y_text);
    (void)pst_buf_add_cstr(out,
                           "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"");
    (void)pst_buf_add_json(out, kid);
    return pst_buf_printf(out, "\",\"x\":\"%s\",\"y\":\"%s\"}", x_text, y_text);
}
