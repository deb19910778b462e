/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and key sets from outside: what was accepted keeps the bounds that its header promises, and no input
 * is a token that a key never signed. The first byte chooses what the rest is. */
#include "postern/auth/jwks.h"

#include <stdint.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pst_alg_list all = {{PST_ALG_RS256, PST_ALG_RS384, PST_ALG_RS512, PST_ALG_PS256,
                                         PST_ALG_PS384, PST_ALG_PS512, PST_ALG_ES256, PST_ALG_ES384,
                                         PST_ALG_ES512, PST_ALG_EDDSA}};

/* The key of RFC 8037: the fuzzer does not have its private half. */
static struct pst_jwks *known_set(void)
{
    static struct pst_jwks *jwks;
    struct pst_why why;
    struct pst_str text = PST_STR("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\","
                                  "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    if (!jwks)
        CHECK(pst_jwks_parse(text, &all, &jwks, &why) == 0);
    return jwks;
}

static void try_token(struct pst_str text)
{
    static struct pst_jwt jwt;
    const struct pst_jwk *jwk = NULL;
    if (pst_jwt_parse(text, &jwt) != PST_JWT_OK)
        return;
    CHECK(text.len <= PST_JWT_MAX && pst_jwt_is_shaped(text) == (text.p[0] == 'e'));
    CHECK(jwt.jws.kid.len <= PST_JWT_KID_MAX && jwt.jws.alg > PST_ALG_UNKNOWN && jwt.jws.alg < PST_ALG_MAX);
    CHECK(jwt.jws.input.p == text.p && jwt.jws.input.len < text.len && text.p[jwt.jws.input.len] == '.');
    CHECK(jwt.expires_s >= 0 && pst_jwt_check_times(&jwt, INT64_C(1) << 40, 0) == PST_JWT_EXPIRED);
    (void)pst_jwt_is_for(&jwt, PST_STR("https://cognitiveservices.azure.com"));
    if (pst_jwks_find(known_set(), &jwt.jws, &jwk) == PST_JWT_OK)
        CHECK(pst_jws_verify(&jwt.jws, jwk->alg, jwk->key) == PST_JWT_SIGNATURE);
    pst_jwt_done(&jwt);
}

static void try_set(struct pst_str text)
{
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    if (pst_jwks_parse(text, &all, &jwks, &why) < 0) {
        CHECK(jwks == NULL && why.text[0] != '\0');
        return;
    }
    CHECK(jwks->n > 0 && jwks->n <= PST_JWKS_KEYS_MAX && (jwks->n_skipped == 0) == (why.text[0] == '\0'));
    for (size_t i = 0; i < jwks->n; i++) {
        CHECK(pst_verify_key_fits(jwks->at[i].key, jwks->at[i].alg));
        (void)!pst_verify(jwks->at[i].key, jwks->at[i].alg, PST_STR("x"), text);
    }
    pst_jwks_free(jwks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_str text = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    if (size == 0)
        return 0;
    if (data[0] == 'k')
        try_set(text);
    else
        try_token(text);
    return 0;
}
