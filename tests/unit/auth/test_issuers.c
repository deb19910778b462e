/* SPDX-License-Identifier: Apache-2.0 */
/* The settings oidc_issuers and oidc_keys: what items mean, what is refused, and which rule fits. */
#include "token_rig.h"

#include "postern/auth/issuers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define A           "https://a.example"
#define RULE        "aaaaaaaaaaaa *"

struct told {
    char text[4096];
    unsigned n;
};

static void tell(void *arg, const char *setting, const char *problem)
{
    struct told *told = arg;
    size_t len = strlen(told->text);
    snprintf(told->text + len, sizeof(told->text) - len, "%s: %s\n", setting, problem);
    told->n++;
}

/* Lists as the settings have them; up to two items each, NULL: none. */
static struct pst_issuers *parse(const char *i1, const char *i2, const char *r1, const char *r2,
                                 struct told *told)
{
    char *issuers[2], *rules[2];
    size_t n_issuers = 0, n_rules = 0;
    struct pst_issuers *ret = NULL;
    const char *given[] = {i1, i2, r1, r2};
    for (size_t i = 0; i < 4; i++) {
        if (given[i] && i < 2)
            issuers[n_issuers++] = strdup(given[i]);
        else if (given[i])
            rules[n_rules++] = strdup(given[i]);
    }
    *told = (struct told){.n = 0};
    int err = pst_issuers_parse(issuers, n_issuers, rules, n_rules, tell, told, &ret);
    assert_int_equal(err, told->n > 0 ? -PST_EINVAL : 0);
    while (n_issuers > 0)
        free(issuers[--n_issuers]);
    while (n_rules > 0)
        free(rules[--n_rules]);
    return ret;
}

static void test_defaults(void **state)
{
    (void)state;
    struct told told;
    struct pst_issuers *issuers = parse(A, A "/tenant/", "aaaaaaaaaaaa issuer=" A " *", NULL, &told);
    assert_non_null(issuers);
    assert_int_equal(issuers->n, 2);
    const struct pst_issuer *a = &issuers->at[0];
    assert_int_equal(a->source, PST_JWKS_DISCOVERED);
    assert_string_equal(a->jwks, A "/.well-known/openid-configuration");
    assert_string_equal(issuers->at[1].jwks, A "/tenant/.well-known/openid-configuration");
    assert_int_equal(a->n_audiences, 2);
    assert_int_equal(a->leeway_s, 60);
    assert_int_equal(a->refresh_s, 3600);
    assert_null(a->ca_file);
    assert_int_equal(a->algorithms.at[0], PST_ALG_RS256);
    assert_int_equal(a->algorithms.at[3], PST_ALG_EDDSA);
    assert_int_equal(a->algorithms.at[4], PST_ALG_UNKNOWN);
    pst_issuers_free(issuers);
    issuers = parse(NULL, NULL, NULL, NULL, &told);
    assert_int_equal(issuers->n, 0);
    pst_issuers_free(issuers);
    pst_issuers_free(NULL);
}

static void test_words(void **state)
{
    (void)state;
    struct told told;
    struct pst_issuers *issuers = parse(
        "urn:a\tjwks=/etc/keys.json  audience=one audience=\"two words\" algorithm=PS256 algorithm=RS256 "
        "algorithm=PS256 leeway=0 refresh=1m ca_file=/ca.pem",
        "urn:b jwks=https://keys.example:8443/k?v=1", "aaaaaaaaaaaa issuer=urn:b groups=\"x y\" oid=1=2",
        NULL, &told);
    assert_non_null(issuers);
    const struct pst_issuer *a = &issuers->at[0];
    assert_int_equal(a->source, PST_JWKS_FILE);
    assert_string_equal(a->jwks, "/etc/keys.json");
    assert_int_equal(a->n_audiences, 2);
    assert_true(pst_str_eq(a->audiences[1], PST_STR("two words")));
    assert_int_equal(a->algorithms.at[0], PST_ALG_PS256);
    assert_int_equal(a->algorithms.at[1], PST_ALG_RS256);
    assert_int_equal(a->algorithms.at[2], PST_ALG_UNKNOWN);
    assert_int_equal(a->leeway_s, 0);
    assert_int_equal(a->refresh_s, 60);
    assert_string_equal(a->ca_file, "/ca.pem");
    assert_int_equal(issuers->at[1].source, PST_JWKS_URL);
    const struct pst_token_rule *rule = &issuers->rules[0];
    assert_string_equal(rule->key_id, "aaaaaaaaaaaa");
    assert_int_equal(rule->issuer, 1);
    assert_int_equal(rule->n_conditions, 2);
    assert_true(pst_str_eq(rule->conditions[0].value, PST_STR("x y")));
    assert_true(pst_str_eq(rule->conditions[1].value, PST_STR("1=2")));
    assert_int_equal(pst_issuers_find(issuers, PST_STR("urn:b")), 1);
    assert_int_equal(pst_issuers_find(issuers, PST_STR("urn:")), SIZE_MAX);
    pst_issuers_free(issuers);
}

static const struct wrong_case {
    const char *issuer, *rule, *problem;
} wrong[] = {
    {"", RULE, "names no issuer"},
    {"   ", RULE, "names no issuer"},
    {"\"", RULE, "quote is not closed"},
    {"urn:a", RULE, "add jwks="},
    {"http://a.example", RULE, "add jwks="},
    {A " jwks", RULE, "jwks has no value"},
    {A " jwks=", RULE, "jwks has no value"},
    {A " jwks=http://a.example/k", RULE, "https:// only"},
    {A " jwks=https://u:p@a.example/k", RULE, "jwks=https://u:p@a.example/k"},
    {A " jwks=file:///etc/k", RULE, "absolute path"},
    {A " jwks=/a jwks=/b", RULE, "jwks is there twice"},
    {A " algorithm=ES256K", RULE, "ES256K is none of"},
    {A " algorithm=rs256", RULE, "rs256 is none of"},
    {A " leeway=601", RULE, "leeway=601"},
    {A " leeway=-1s", RULE, "leeway=-1s"},
    {A " refresh=59s", RULE, "refresh=59s"},
    {A " refresh=8d", RULE, "refresh=8d"},
    {A " Audience=x", RULE, "\"Audience=x\" is not understood"},
    {A " audience=1 audience=2 audience=3 audience=4 audience=5 audience=6 audience=7 audience=8 audience=9 "
       "audience=10 "
       "audience=11 audience=12 audience=13 audience=14 audience=15 audience=16 audience=17",
     RULE, "more than 16 audiences"},
    {A, NULL, "no rule says"},
    {NULL, RULE, "which issuer"},
    {A, "", "key's id"},
    {A, "short *", "key's id"},
    {A, "AAAAAAAAAAAA *", "key's id"},
    {A, "aaaaaaaaaaaa", "either conditions"},
    {A, "aaaaaaaaaaaa * sub=x", "either conditions"},
    {A, "aaaaaaaaaaaa sub", "no condition"},
    {A, "aaaaaaaaaaaa =x", "no condition"},
    {A, "aaaaaaaaaaaa sub=", "no condition"},
    {A, "aaaaaaaaaaaa issuer=urn:x *", "urn:x is not in oidc_issuers"},
    {A, "aaaaaaaaaaaa a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1", "more than 8 conditions"},
};

static void test_wrong(void **state)
{
    (void)state;
    struct told told;
    for (size_t i = 0; i < N_OF(wrong); i++) {
        assert_null(parse(wrong[i].issuer, NULL, wrong[i].rule, NULL, &told));
        if (!strstr(told.text, wrong[i].problem))
            fail_msg("%s | %s: %s", wrong[i].issuer, wrong[i].rule, told.text);
    }
    /* All of it at once, not the first alone. */
    assert_null(parse(A " leeway=x refresh=y", A, "aaaaaaaaaaaa sub", "bbb *", &told));
    assert_int_equal(told.n, 7);
}

static const struct fit_case {
    const char *rule, *claims;
    bool fits;
} fits[] = {
    {"aaaaaaaaaaaa *", "{}", true},
    {"aaaaaaaaaaaa oid=x", "{\"oid\":\"x\"}", true},
    {"aaaaaaaaaaaa oid=x", "{\"oid\":\"X\"}", false},
    {"aaaaaaaaaaaa oid=x", "{\"oid\":\"x \"}", false},
    {"aaaaaaaaaaaa oid=x", "{\"OID\":\"x\"}", false},
    {"aaaaaaaaaaaa oid=x", "{}", false},
    {"aaaaaaaaaaaa oid=1", "{\"oid\":1}", false},
    {"aaaaaaaaaaaa oid=x", "{\"oid\":{\"x\":1}}", false},
    {"aaaaaaaaaaaa roles=x", "{\"roles\":[\"w\",\"x\"]}", true},
    {"aaaaaaaaaaaa roles=x", "{\"roles\":[[\"x\"],1,null]}", false},
    {"aaaaaaaaaaaa roles=x", "{\"roles\":\"x y\"}", false},
    {"aaaaaaaaaaaa scp=x", "{\"scp\":\"w x y\"}", true},
    {"aaaaaaaaaaaa scp=x", "{\"scp\":\"wx xy\"}", false},
    {"aaaaaaaaaaaa scope=x", "{\"scope\":\"x\"}", true},
    {"aaaaaaaaaaaa scope=x", "{\"scope\":[\"x\"]}", true},
    {"aaaaaaaaaaaa scp=\"x y\"", "{\"scp\":\"x y\"}", true},
    {"aaaaaaaaaaaa oid=x roles=y", "{\"oid\":\"x\",\"roles\":[\"y\"]}", true},
    {"aaaaaaaaaaaa oid=x roles=y", "{\"oid\":\"x\",\"roles\":[\"z\"]}", false},
    {"aaaaaaaaaaaa roles=x roles=y", "{\"roles\":[\"y\",\"x\"]}", true},
    {"aaaaaaaaaaaa roles=x roles=y", "{\"roles\":[\"x\"]}", false},
};

static bool fits_rule(const struct pst_issuers *issuers, size_t issuer, const char *claims, const char *key)
{
    static struct pst_jwt jwt;
    struct token_rig rig;
    char text[512];
    token_rig_open(&rig);
    snprintf(text, sizeof(text), "{\"exp\":1%s%s", claims[1] == '}' ? "" : ",", claims + 1);
    assert_int_equal(pst_jwt_parse(token_sign(&rig, "{\"alg\":\"ES256\"}", text), &jwt), PST_JWT_OK);
    const struct pst_token_rule *rule = pst_issuers_rule(issuers, issuer, &jwt);
    pst_jwt_done(&jwt);
    token_rig_close(&rig);
    return rule && strcmp(rule->key_id, key) == 0;
}

static void test_fits(void **state)
{
    (void)state;
    struct told told;
    for (size_t i = 0; i < N_OF(fits); i++) {
        struct pst_issuers *issuers = parse(A, NULL, fits[i].rule, NULL, &told);
        assert_non_null(issuers);
        if (fits_rule(issuers, 0, fits[i].claims, "aaaaaaaaaaaa") != fits[i].fits)
            fail_msg("%s: %s", fits[i].rule, fits[i].claims);
        pst_issuers_free(issuers);
    }
}

/* The first that fits; and one issuer's rules are not another's. */
static void test_order(void **state)
{
    (void)state;
    struct told told;
    struct pst_issuers *issuers = parse(A, NULL, "aaaaaaaaaaaa sub=x", "bbbbbbbbbbbb *", &told);
    assert_true(fits_rule(issuers, 0, "{\"sub\":\"x\"}", "aaaaaaaaaaaa"));
    assert_true(fits_rule(issuers, 0, "{\"sub\":\"y\"}", "bbbbbbbbbbbb"));
    pst_issuers_free(issuers);
    issuers = parse(A, A "/b", "aaaaaaaaaaaa issuer=" A "/b sub=x", "bbbbbbbbbbbb issuer=" A " *", &told);
    assert_true(fits_rule(issuers, 0, "{\"sub\":\"x\"}", "bbbbbbbbbbbb"));
    assert_true(fits_rule(issuers, 1, "{\"sub\":\"x\"}", "aaaaaaaaaaaa"));
    assert_false(fits_rule(issuers, 1, "{\"sub\":\"y\"}", "bbbbbbbbbbbb"));
    pst_issuers_free(issuers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_words), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_fits),     cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
