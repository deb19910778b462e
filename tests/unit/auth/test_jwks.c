/* SPDX-License-Identifier: Apache-2.0 */
/* Key sets: which keys are taken, for which algorithm, and which are left out and why. */
#include "token_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define EC_XY                                                                                                \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"                          \
    "tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC  "\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY
#define OKP "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define RSA_N                                                                                                \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-" \
    "SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"        \
    "KXBdQOS-"                                                                                               \
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"            \
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_N "\""

static const struct pst_alg_list standard = {{PST_ALG_RS256, PST_ALG_PS256, PST_ALG_ES256, PST_ALG_EDDSA}};
static const struct pst_alg_list pss_first = {{PST_ALG_PS256, PST_ALG_RS256}};

static int parse(const char *text, const struct pst_alg_list *allowed, struct pst_jwks **ret,
                 struct pst_why *why)
{
    return pst_jwks_parse(pst_str_of(text), allowed, ret, why);
}

static void expect_alg(const char *jwk, const struct pst_alg_list *allowed, enum pst_signature_alg alg)
{
    char text[2048];
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    snprintf(text, sizeof(text), "{\"keys\":[{%s}],\"more\":1}", jwk);
    int err = parse(text, allowed, &jwks, &why);
    if (err < 0)
        fail_msg("%s: %s", jwk, why.text);
    assert_int_equal(jwks->n, 1);
    assert_int_equal(jwks->n_skipped, 0);
    assert_string_equal(why.text, "");
    assert_int_equal(jwks->at[0].alg, alg);
    pst_jwks_free(jwks);
}

static void test_algorithms(void **state)
{
    (void)state;
    expect_alg(RSA, &standard, PST_ALG_RS256);
    expect_alg(RSA, &pss_first, PST_ALG_PS256);
    expect_alg(RSA ",\"alg\":\"PS256\"", &standard, PST_ALG_PS256);
    expect_alg(RSA ",\"alg\":\"RS256\",\"use\":\"sig\",\"x5c\":[\"AA\"],\"x5t\":\"z\",\"issuer\":\"i\"",
               &pss_first, PST_ALG_RS256);
    expect_alg(EC ",\"key_ops\":[\"verify\"]", &standard, PST_ALG_ES256);
    expect_alg(OKP ",\"kid\":\"k\",\"use\":\"sig\"", &standard, PST_ALG_EDDSA);
}

static const struct skip_case {
    const char *jwk, *reason;
} skipped[] = {
    {"\"kty\":\"oct\",\"k\":\"AAAA\"", "type (kty)"},
    {"\"kty\":\"rsa\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"", "type (kty)"},
    {EC_XY, "type (kty)"},
    {EC ",\"use\":\"enc\"", "not for verifying"},
    {EC ",\"use\":7", "not for verifying"},
    {EC ",\"key_ops\":[\"sign\"]", "not for verifying"},
    {EC ",\"key_ops\":\"verify\"", "not for verifying"},
    {EC ",\"d\":\"AAAA\"", "private part"},
    {EC ",\"kid\":\"\"", "kid"},
    {EC ",\"kid\":5", "kid"},
    {EC ",\"alg\":\"ES521\"", "not allowed"},
    {EC ",\"alg\":\"RS256\"", "not allowed"},
    {EC ",\"alg\":5", "not allowed"},
    {RSA ",\"alg\":\"RS512\"", "not allowed"},
    {RSA ",\"alg\":\"RSA-OAEP\"", "not allowed"},
    {"\"kty\":\"EC\",\"crv\":\"secp256k1\"," EC_XY, "curve"},
    {"\"kty\":\"EC\",\"crv\":\"P-384\"," EC_XY, "length"},
    {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\"", "x and y"},
    {"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"=\",\"y\":\"AA\"", "x and y"},
    {"\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"", "Ed25519"},
    {"\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"", "Ed25519"},
    {"\"kty\":\"OKP\",\"crv\":\"Ed25519\"", "proper x"},
    {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
     "small order"},
    {"\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQAB\"", "2048"},
    {"\"kty\":\"RSA\",\"n\":\"" RSA_N "\"", "n and e"},
    {"\"kty\":\"RSA\",\"e\":\"AQ\",\"n\":\"" RSA_N "\"", "exponent"},
};

static void test_skipped(void **state)
{
    (void)state;
    char text[4096];
    struct pst_why why;
    for (size_t i = 0; i < N_OF(skipped); i++) {
        struct pst_jwks *jwks = NULL;
        snprintf(text, sizeof(text), "{\"keys\":[{%s}]}", skipped[i].jwk);
        assert_int_equal(parse(text, &standard, &jwks, &why), -PST_EINVAL);
        if (!strstr(why.text, skipped[i].reason))
            fail_msg("%s: %s", skipped[i].jwk, why.text);
        /* Beside a good one: the good one counts. */
        snprintf(text, sizeof(text), "{\"keys\":[{%s},{" OKP "}]}", skipped[i].jwk);
        assert_int_equal(parse(text, &standard, &jwks, &why), 0);
        assert_int_equal(jwks->n, 1);
        assert_int_equal(jwks->n_skipped, 1);
        assert_int_equal(jwks->at[0].alg, PST_ALG_EDDSA);
        assert_non_null(strstr(why.text, skipped[i].reason));
        pst_jwks_free(jwks);
    }
}

static const struct set_case {
    const char *text;
    int err;
} sets[] = {
    {"", -PST_EPARSE},
    {"[]", -PST_EPARSE},
    {"{}", -PST_EPARSE},
    {"{\"keys\":{}}", -PST_EPARSE},
    {"{\"keys\":[]}", -PST_EINVAL},
    {"{\"keys\":[1,\"x\",null]}", -PST_EINVAL},
    {"{\"keys\":[{" EC "}],\"keys\":[{" EC "}]}", -PST_EPARSE},
    {"{\"keys\":[{" EC ",\"crv\":\"P-256\"}]}", -PST_EPARSE},
    {"{\"keys\":[{" EC "}]", -PST_EPARSE},
    {"{\"keys\":[[[[[[[[[[1]]]]]]]]]]}", -PST_EPARSE},
};

static void test_sets(void **state)
{
    (void)state;
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    for (size_t i = 0; i < N_OF(sets); i++) {
        assert_int_equal(parse(sets[i].text, &standard, &jwks, &why), sets[i].err);
        assert_null(jwks);
        assert_true(why.text[0] != '\0');
    }
    pst_jwks_free(NULL);
}

static void test_bounds(void **state)
{
    (void)state;
    struct pst_buf text;
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    for (unsigned n = PST_JWKS_KEYS_MAX; n <= PST_JWKS_KEYS_MAX + 1; n++) {
        pst_buf_init(&text, 1 << 20);
        pst_buf_add_cstr(&text, "{\"keys\":[");
        for (unsigned i = 0; i < n; i++)
            pst_buf_printf(&text, "%s{\"kid\":\"%u\"," EC "}", i > 0 ? "," : "", i);
        pst_buf_add_cstr(&text, "]}");
        int err = pst_jwks_parse(pst_buf_str(&text), &standard, &jwks, &why);
        assert_int_equal(err, n <= PST_JWKS_KEYS_MAX ? 0 : -PST_ELIMIT);
        if (err == 0)
            assert_int_equal(jwks->n, n);
        if (err == 0)
            pst_jwks_free(jwks);
        pst_buf_done(&text);
    }
    char *large = malloc(PST_JWKS_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', PST_JWKS_BYTES_MAX + 1);
    assert_int_equal(pst_jwks_parse((struct pst_str){large, PST_JWKS_BYTES_MAX + 1}, &standard, &jwks, &why),
                     -PST_ELIMIT);
    free(large);
}

/* By kid and algorithm; without a kid only where there is no choice. */
static void test_find(void **state)
{
    (void)state;
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    const struct pst_jwk *found = NULL;
    struct pst_jws jws = {.alg = PST_ALG_ES256, .kid = PST_STR("a")};
    assert_int_equal(parse("{\"keys\":[{\"kid\":\"a\"," EC "},{\"kid\":\"b\"," EC "},{\"kid\":\"a\"," OKP
                           "},{\"kid\":\"a\"," EC "}]}",
                           &standard, &jwks, &why),
                     0);
    assert_int_equal(jwks->n, 3);
    assert_non_null(strstr(why.text, "kid of an earlier"));
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_OK);
    assert_ptr_equal(found, &jwks->at[0]);
    jws.kid = PST_STR("b");
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_OK);
    assert_ptr_equal(found, &jwks->at[1]);
    jws.alg = PST_ALG_EDDSA;
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_KEY_ALG);
    jws.kid = PST_STR("c");
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_NO_KEY);
    jws.kid = PST_STR("");
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_OK);
    assert_ptr_equal(found, &jwks->at[2]);
    jws.alg = PST_ALG_ES256;
    assert_int_equal(pst_jwks_find(jwks, &jws, &found), PST_JWT_NO_KEY);
    pst_jwks_free(jwks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algorithms), cmocka_unit_test(test_skipped), cmocka_unit_test(test_sets),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
