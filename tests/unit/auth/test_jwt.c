/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens: what RFC 8725 warns of, what each claim may be, and Wycheproof's signatures. */
#include "token_rig.h"
#include "vectors.h"

#include "postern/auth/jwt.h"
#include "postern/crypto/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER      "{\"alg\":\"ES256\",\"kid\":\"one\"}"
#define CLAIMS      "{\"iss\":\"i\",\"exp\":2000}"

static struct token_rig rig;
static struct pst_jwt jwt; /* 10 KB */

static int open_rig(void **state)
{
    (void)state;
    token_rig_open(&rig);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    token_rig_close(&rig);
    return 0;
}

/* All that does not depend on time, issuer and audience. */
static enum pst_jwt_verdict check_with(const struct pst_jwks *jwks, struct pst_str token)
{
    const struct pst_jwk *jwk = NULL;
    enum pst_jwt_verdict verdict = pst_jwt_parse(token, &jwt);
    if (verdict != PST_JWT_OK)
        return verdict;
    verdict = pst_jwks_find(jwks, &jwt.jws, &jwk);
    if (verdict == PST_JWT_OK)
        verdict = pst_jws_verify(&jwt.jws, jwk->alg, jwk->key);
    pst_jwt_done(&jwt);
    return verdict;
}

static enum pst_jwt_verdict check(const char *header, const char *claims)
{
    return check_with(rig.jwks, token_sign(&rig, header, claims));
}

static const struct header_case {
    const char *header;
    enum pst_jwt_verdict verdict;
} headers[] = {
    {HEADER, PST_JWT_OK},
    {" { \"kid\" : \"one\" , \"alg\" : \"ES256\" }\n", PST_JWT_OK},
    {"{\"alg\":\"ES256\"}", PST_JWT_OK}, /* one key alone needs no kid */
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":\"JWT\"}", PST_JWT_OK},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":\"jwt\"}", PST_JWT_OK},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":\"application/at+jwt\"}", PST_JWT_OK},
    /* A token does not bring its own key: these are not looked at. */
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"jku\":\"https://evil.example/jwks\",\"x5u\":\"https://"
     "evil.example\"}",
     PST_JWT_OK},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5c\":[\"AA==\"]}",
     PST_JWT_OK},
    {"{\"alg\":\"ES256\",\"kid\":\"two\",\"jku\":\"https://evil.example/jwks\"}", PST_JWT_NO_KEY},
    {"{\"alg\":\"ES256\",\"kid\":\"ONE\"}", PST_JWT_NO_KEY},
    {"{\"alg\":\"ES256\",\"kid\":\"../../dev/null\"}", PST_JWT_NO_KEY},
    {"{\"alg\":\"ES256\",\"kid\":\"\"}", PST_JWT_KID},
    {"{\"alg\":\"ES256\",\"kid\":1}", PST_JWT_KID},
    {"{\"alg\":\"ES256\",\"kid\":null}", PST_JWT_KID},
    {"{\"alg\":\"none\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"NONE\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"nOnE\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":null,\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":[\"ES256\"],\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"HS256\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"es256\",\"kid\":\"one\"}", PST_JWT_ALG},
    {"{\"alg\":\"RS256\",\"kid\":\"one\"}", PST_JWT_KEY_ALG},
    {"{\"alg\":\"ES384\",\"kid\":\"one\"}", PST_JWT_KEY_ALG},
    {"{\"alg\":\"EdDSA\",\"kid\":\"one\"}", PST_JWT_KEY_ALG},
    {"{\"alg\":\"EdDSA\"}", PST_JWT_NO_KEY},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[\"exp\"]}", PST_JWT_EXTENSION},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"crit\":[]}", PST_JWT_EXTENSION},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"b64\":false}", PST_JWT_EXTENSION},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"cty\":\"JWT\"}", PST_JWT_NESTED},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"enc\":\"A128GCM\"}", PST_JWT_NESTED},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"zip\":\"DEF\"}", PST_JWT_NESTED},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":\"logout+jwt\"}", PST_JWT_TYPE},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":\"dpop+jwt\"}", PST_JWT_TYPE},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"typ\":7}", PST_JWT_TYPE},
    {"{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"one\"}", PST_JWT_HEADER},
    {"{\"alg\":\"none\",\"\\u0061lg\":\"ES256\",\"kid\":\"one\"}", PST_JWT_HEADER},
    {"{\"alg\":\"ES256\",\"kid\":\"o\\u0000ne\"}", PST_JWT_HEADER},
    {"{\"alg\":\"ES256\",\"kid\":\"\xff\"}", PST_JWT_HEADER},
    {"{\"alg\":\"ES256\",\"kid\":\"one\"}{}", PST_JWT_HEADER},
    {"{\"alg\":\"ES256\",\"kid\":\"one\"", PST_JWT_HEADER},
    {"[\"ES256\"]", PST_JWT_HEADER},
    {"\"ES256\"", PST_JWT_HEADER},
    {"", PST_JWT_HEADER},
    {"{\"alg\":\"ES256\",\"kid\":\"one\",\"x\":[[[[[[[[1]]]]]]]]}", PST_JWT_HEADER},
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(headers); i++) {
        enum pst_jwt_verdict verdict = check(headers[i].header, CLAIMS);
        if (verdict != headers[i].verdict)
            fail_msg("%s: %s", headers[i].header, pst_jwt_verdict_text(verdict));
    }
}

static const struct header_case claims[] = {
    {"{\"exp\":1}", PST_JWT_OK},
    {"{\"exp\":253402300799}", PST_JWT_OK},
    {"{\"exp\":1.5,\"nbf\":0,\"iat\":1.25e3,\"aud\":[],\"iss\":\"\",\"sub\":\"s\"}", PST_JWT_OK},
    {"{\"exp\":1,\"aud\":[\"a\",\"b\"],\"groups\":[\"g\"],\"xms\":{\"a\":{\"b\":[1]}}}", PST_JWT_OK},
    {"{}", PST_JWT_CLAIM},
    {"{\"exp\":null}", PST_JWT_CLAIM},
    {"{\"exp\":\"1\"}", PST_JWT_CLAIM},
    {"{\"exp\":true}", PST_JWT_CLAIM},
    {"{\"exp\":-1}", PST_JWT_CLAIM},
    {"{\"exp\":-0.5}", PST_JWT_CLAIM},
    {"{\"exp\":253402300800}", PST_JWT_CLAIM},
    {"{\"exp\":1e300}", PST_JWT_CLAIM},
    {"{\"exp\":9223372036854775807}", PST_JWT_CLAIM},
    {"{\"exp\":9223372036854775808}", PST_JWT_CLAIMS},
    {"{\"exp\":1e999}", PST_JWT_CLAIMS},
    {"{\"exp\":1,\"nbf\":\"0\"}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"iat\":[0]}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"iss\":1}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"sub\":{}}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"aud\":1}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"aud\":[\"a\",1]}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"aud\":null}", PST_JWT_CLAIM},
    {"{\"exp\":1,\"exp\":2}", PST_JWT_CLAIMS},
    {"{\"exp\":1,\"x\":{\"oid\":\"a\",\"oid\":\"b\"}}", PST_JWT_CLAIMS},
    {"{\"exp\":1,\"x\":[[[[[[[[1]]]]]]]]}", PST_JWT_CLAIMS},
    {"[]", PST_JWT_CLAIMS},
    {"1", PST_JWT_CLAIMS},
    {"", PST_JWT_CLAIMS},
    /* A token within a token (RFC 8725 section 2.7) is no object of claims. */
    {"eyJhbGciOiJub25lIn0.eyJleHAiOjF9.", PST_JWT_CLAIMS},
};

static void test_claims(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(claims); i++) {
        enum pst_jwt_verdict verdict = check(HEADER, claims[i].header);
        if (verdict != claims[i].verdict)
            fail_msg("%s: %s", claims[i].header, pst_jwt_verdict_text(verdict));
    }
}

static enum pst_jwt_verdict changed(struct pst_str token, size_t at, char c)
{
    char text[PST_JWT_MAX];
    memcpy(text, token.p, token.len);
    text[at] = c;
    return check_with(rig.jwks, (struct pst_str){text, token.len});
}

static void test_form(void **state)
{
    (void)state;
    struct pst_str token = token_sign(&rig, HEADER, CLAIMS);
    assert_int_equal(check_with(rig.jwks, token), PST_JWT_OK);
    /* Any other character anywhere: never good. */
    static const char others[] = "=+/ \n\t,.~A";
    for (size_t at = 0; at < token.len; at++) {
        for (const char *c = others; *c; c++) {
            if (*c != token.p[at])
                assert_int_not_equal(changed(token, at, *c), PST_JWT_OK);
        }
    }
    /* Shorter anywhere: never good. Without its signature: not even then. */
    for (size_t len = 0; len < token.len; len++)
        assert_int_not_equal(check_with(rig.jwks, (struct pst_str){token.p, len}), PST_JWT_OK);
    char text[PST_JWT_MAX];
    for (size_t extra = 0; extra < 3; extra++) {
        static const char *const ends[] = {".", "=", ".eyJleHAiOjF9"};
        int n = snprintf(text, sizeof(text), "%.*s%s", (int)token.len, token.p, ends[extra]);
        assert_int_not_equal(check_with(rig.jwks, (struct pst_str){text, (size_t)n}), PST_JWT_OK);
    }
    assert_int_equal(check_with(rig.jwks, PST_STR("..")), PST_JWT_HEADER);
    assert_int_equal(check_with(rig.jwks, PST_STR("a.b")), PST_JWT_PARTS);
    assert_int_equal(check_with(rig.jwks, PST_STR("a.b.c.d.e")), PST_JWT_PARTS);
    assert_int_equal(check_with(rig.jwks, PST_STR("")), PST_JWT_PARTS);
}

/* The longest token that is taken, and one character more. */
static void test_size(void **state)
{
    (void)state;
    char text[PST_JWT_MAX];
    size_t longest = 0;
    for (size_t pad = PST_JWT_MAX * 3 / 4 - 244; pad < PST_JWT_MAX * 3 / 4 + 56; pad++) {
        int n = snprintf(text, sizeof(text), "{\"exp\":1,\"x\":\"%0*d\"}", (int)pad, 0);
        assert_true(n > 0 && (size_t)n < sizeof(text));
        struct pst_str token = token_sign(&rig, HEADER, text);
        assert_int_equal(check_with(rig.jwks, token),
                         token.len <= PST_JWT_MAX ? PST_JWT_OK : PST_JWT_TOO_LONG);
        if (token.len <= PST_JWT_MAX)
            longest = token.len;
    }
    assert_true(longest >= PST_JWT_MAX - 2);
    /* A header as long as a token may be, and one that opens 3,000 brackets. */
    memset(text, 'A', sizeof(text));
    assert_int_equal(check_with(rig.jwks, (struct pst_str){text, sizeof(text)}), PST_JWT_PARTS);
    char deep[3001];
    memset(deep, '[', 3000);
    deep[3000] = '\0';
    assert_int_equal(check(deep, CLAIMS), PST_JWT_HEADER);
    assert_int_equal(check(HEADER, deep), PST_JWT_CLAIMS);
}

/* The public key as an HMAC secret (RFC 8725 section 2.1): HS256 is not known here, whatever it is keyed
 * with; and a signature of one's own key does not do. */
static void test_confusion(void **state)
{
    (void)state;
    struct token_rig other;
    token_rig_open(&other);
    struct pst_str token = token_sign(&other, HEADER, CLAIMS);
    assert_int_equal(check_with(other.jwks, token), PST_JWT_OK);
    assert_int_equal(check_with(rig.jwks, token), PST_JWT_SIGNATURE);
    token_rig_close(&other);
}

static enum pst_jwt_verdict times(const char *text, int64_t now_s, int64_t leeway_s)
{
    assert_int_equal(pst_jwt_parse(token_sign(&rig, HEADER, text), &jwt), PST_JWT_OK);
    enum pst_jwt_verdict verdict = pst_jwt_check_times(&jwt, now_s, leeway_s);
    pst_jwt_done(&jwt);
    return verdict;
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(times("{\"exp\":1000}", 999, 0), PST_JWT_OK);
    assert_int_equal(times("{\"exp\":1000}", 1000, 0), PST_JWT_EXPIRED);
    assert_int_equal(times("{\"exp\":1000.9}", 1000, 0), PST_JWT_EXPIRED);
    assert_int_equal(times("{\"exp\":1000}", 1059, 60), PST_JWT_OK);
    assert_int_equal(times("{\"exp\":1000}", 1060, 60), PST_JWT_EXPIRED);
    assert_int_equal(times("{\"exp\":0}", 0, 0), PST_JWT_EXPIRED);
    assert_int_equal(times("{\"exp\":2000,\"nbf\":1000}", 1000, 0), PST_JWT_OK);
    assert_int_equal(times("{\"exp\":2000,\"nbf\":1000}", 999, 0), PST_JWT_NOT_YET);
    assert_int_equal(times("{\"exp\":2000,\"nbf\":1000.1}", 1000, 0), PST_JWT_NOT_YET);
    assert_int_equal(times("{\"exp\":2000,\"nbf\":1000}", 940, 60), PST_JWT_OK);
    assert_int_equal(times("{\"exp\":2000,\"nbf\":1000}", 939, 60), PST_JWT_NOT_YET);
    assert_int_equal(times("{\"exp\":2000,\"iat\":1000}", 999, 0), PST_JWT_NOT_YET);
    assert_int_equal(times("{\"exp\":2000,\"iat\":1000}", 1000, 0), PST_JWT_OK);
}

static void expect_audience(const char *text, const char *audience, bool expected)
{
    assert_int_equal(pst_jwt_parse(token_sign(&rig, HEADER, text), &jwt), PST_JWT_OK);
    assert_int_equal(pst_jwt_is_for(&jwt, pst_str_of(audience)), expected);
    pst_jwt_done(&jwt);
}

static void test_audience(void **state)
{
    (void)state;
    expect_audience("{\"exp\":1,\"aud\":\"https://a\"}", "https://a", true);
    expect_audience("{\"exp\":1,\"aud\":\"https://a\"}", "https://a/", false);
    expect_audience("{\"exp\":1,\"aud\":\"https://a\"}", "https://", false);
    expect_audience("{\"exp\":1,\"aud\":[\"b\",\"https://a\"]}", "https://a", true);
    expect_audience("{\"exp\":1,\"aud\":[\"b\"]}", "https://a", false);
    expect_audience("{\"exp\":1,\"aud\":[]}", "", false);
    expect_audience("{\"exp\":1}", "", false);
}

static void test_shape(void **state)
{
    (void)state;
    assert_true(pst_jwt_is_shaped(token_sign(&rig, HEADER, CLAIMS)));
    assert_true(pst_jwt_is_shaped(token_sign(&rig, " {}", "")) == false);
    assert_true(pst_jwt_is_shaped(PST_STR("eyJ.eyJ.")));
    assert_false(pst_jwt_is_shaped(PST_STR("eyJ.eyJ")));
    assert_false(pst_jwt_is_shaped(PST_STR("eyJ.ey J.x")));
    assert_false(pst_jwt_is_shaped(PST_STR("eyJ.eyJ.x.y")));
    assert_false(pst_jwt_is_shaped(PST_STR("")));
    assert_false(pst_jwt_is_shaped(PST_STR("0123456789abcdef0123456789abcdef")));
}

static void test_make(void **state)
{
    (void)state;
    struct pst_buf out;
    json_t *made =
        json_pack("{s:s, s:I, s:s}", "iss", "urn:test", "exp", (json_int_t)1600, "name", "J\u00f6rg");
    pst_buf_init(&out, PST_JWT_MAX + 100);
    pst_buf_add_cstr(&out, "before ");
    assert_int_equal(pst_jwt_make(rig.key, PST_STR("one"), made, &out), 0);
    struct pst_str token = pst_str_skip(pst_buf_str(&out), 7);
    assert_int_equal(check_with(rig.jwks, token), PST_JWT_OK);
    assert_int_equal(pst_jwt_parse(token, &jwt), PST_JWT_OK);
    assert_true(json_equal(jwt.claims, made));
    assert_string_equal(json_string_value(json_object_get(jwt.jws.header, "typ")), "JWT");
    assert_true(pst_str_eq(jwt.issuer, PST_STR("urn:test")));
    assert_int_equal(jwt.expires_s, 1600);
    pst_jwt_done(&jwt);
    /* More than a token may hold, and more than the buffer may. */
    char pad[PST_JWT_MAX];
    memset(pad, 'x', sizeof(pad) - 1);
    pad[sizeof(pad) - 1] = '\0';
    json_object_set_new(made, "pad", json_string(pad));
    assert_int_equal(pst_jwt_make(rig.key, PST_STR("one"), made, &out), -PST_ELIMIT);
    pst_buf_done(&out);
    json_object_del(made, "pad");
    pst_buf_init(&out, 100);
    assert_int_equal(pst_jwt_make(rig.key, PST_STR("one"), made, &out), -PST_ELIMIT);
    pst_buf_done(&out);
    json_decref(made);
}

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < PST_JWT_VERDICTS; i++)
        assert_ptr_equal(strstr(pst_jwt_verdict_text((enum pst_jwt_verdict)i), "the token"),
                         pst_jwt_verdict_text((enum pst_jwt_verdict)i));
    assert_non_null(pst_jwt_verdict_text(PST_JWT_VERDICTS));
}

/* Cases that Wycheproof calls valid and that are refused here on purpose: a key that names its algorithm is
 * used with no other (PS384 under a key for PS256), and "ES521" is no algorithm. */
static bool refused_on_purpose(json_int_t id)
{
    return id == 346 || id == 350 || id == 347 || id == 351;
}

static struct pst_jwks *set_of(const json_t *group)
{
    struct pst_alg_list all = {{PST_ALG_RS256, PST_ALG_RS384, PST_ALG_RS512, PST_ALG_PS256, PST_ALG_PS384,
                                PST_ALG_PS512, PST_ALG_ES256, PST_ALG_ES384, PST_ALG_ES512, PST_ALG_EDDSA}};
    const json_t *public = json_object_get(group, "public");
    json_t *set = json_pack("{s:[O]}", "keys", public ? public : json_object_get(group, "private"));
    char *text = json_dumps(set, 0);
    struct pst_jwks *jwks = NULL;
    struct pst_why why;
    (void)!pst_jwks_parse(pst_str_of(text), &all, &jwks, &why);
    free(text);
    json_decref(set);
    return jwks;
}

static bool accepts(const struct pst_jwks *jwks, struct pst_str token)
{
    static struct pst_jws jws;
    const struct pst_jwk *jwk = NULL;
    if (pst_jws_parse(token, &jws) != PST_JWT_OK)
        return false;
    bool good = jwks && pst_jwks_find(jwks, &jws, &jwk) == PST_JWT_OK &&
                pst_jws_verify(&jws, jwk->alg, jwk->key) == PST_JWT_OK;
    pst_jws_done(&jws);
    return good;
}

static void test_wycheproof(void **state)
{
    (void)state;
    json_t *root = vectors_load("json_web_signature.json"), *group, *test;
    size_t g, t, valid = 0, refused = 0, symmetric = 0;
    json_array_foreach(json_object_get(root, "testGroups"), g, group)
    {
        struct pst_jwks *jwks = set_of(group);
        bool is_public = json_object_get(group, "public") != NULL;
        json_array_foreach(json_object_get(group, "tests"), t, test)
        {
            json_int_t id = json_integer_value(json_object_get(test, "tcId"));
            bool good = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
            bool expected = good && is_public && !refused_on_purpose(id);
            if (accepts(jwks, pst_str_of(json_string_value(json_object_get(test, "jws")))) != expected)
                fail_msg("case %d: %s", (int)id, json_string_value(json_object_get(test, "comment")));
            valid += expected;
            refused += !expected && is_public;
            symmetric += !is_public;
        }
        pst_jwks_free(jwks);
    }
    assert_int_equal(valid + refused + symmetric, json_integer_value(json_object_get(root, "numberOfTests")));
    assert_true(valid > 25 && symmetric > 30);
    print_message("%zu Wycheproof cases good, %zu refused, %zu of HMAC refused\n", valid, refused, symmetric);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),  cmocka_unit_test(test_claims),     cmocka_unit_test(test_form),
        cmocka_unit_test(test_size),     cmocka_unit_test(test_confusion),  cmocka_unit_test(test_times),
        cmocka_unit_test(test_audience), cmocka_unit_test(test_shape),      cmocka_unit_test(test_make),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_wycheproof),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
