/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/credential.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define K1   "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define K2   "ffffffffffffffffffffffffffffffff"
#define L16  "0123456789abcdef"
#define L64  L16 L16 L16 L16
#define L128 L64 L64

static struct pst_key_sources defaults(void)
{
    struct pst_key_sources sources;
    pst_key_sources_init(&sources);
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("Ocp-Apim-Subscription-Key")), 0);
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("api-key")), 0);
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("Authorization: Bearer")), 0);
    return sources;
}

/* What a request has: "name", "value", ..., NULL. */
#define FIELDS_MAX 6
struct find_case {
    const char *what;
    const char *fields[2 * FIELDS_MAX + 1];
    const char *query;
    enum pst_credential_result result;
    const char *value;
    int source;
    bool too_long;
};

static const struct find_case cases[] = {
    {"no key", {NULL}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"other fields", {"accept", K1, "x-api-key", K1}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"the first source", {"Ocp-Apim-Subscription-Key", K1}, NULL, PST_CREDENTIAL_ONE, K1, 0, false},
    {"in any case", {"OCP-APIM-SUBSCRIPTION-KEY", K1}, NULL, PST_CREDENTIAL_ONE, K1, 0, false},
    {"the second", {"Api-Key", K1}, NULL, PST_CREDENTIAL_ONE, K1, 1, false},
    {"white space around it", {"api-key", " \t" K1 "\t "}, NULL, PST_CREDENTIAL_ONE, K1, 1, false},
    {"bearer", {"Authorization", "Bearer " K1}, NULL, PST_CREDENTIAL_ONE, K1, 2, false},
    {"bearer in any case", {"authorization", "bEaReR " K1}, NULL, PST_CREDENTIAL_ONE, K1, 2, false},
    {"several blanks", {"authorization", "Bearer \t  " K1 " "}, NULL, PST_CREDENTIAL_ONE, K1, 2, false},
    {"bearer without blank", {"authorization", "Bearer" K1}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"basic", {"authorization", "Basic dXNlcjpwYXNz"}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"digest", {"authorization", "Digest username=\"x\""}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"no scheme", {"authorization", K1}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"an empty authorization", {"authorization", ""}, NULL, PST_CREDENTIAL_NONE, "", 0, false},
    {"basic and a key", {"authorization", "Basic x", "api-key", K1}, NULL, PST_CREDENTIAL_ONE, K1, 1, false},
    {"basic and bearer",
     {"authorization", "Basic x", "authorization", "Bearer " K1},
     NULL,
     PST_CREDENTIAL_ONE,
     K1,
     2,
     false},
    {"the same thrice",
     {"authorization", "Bearer " K1, "api-key", K1, "ocp-apim-subscription-key", K1},
     NULL,
     PST_CREDENTIAL_ONE,
     K1,
     0,
     false},
    {"the same repeated", {"api-key", K1, "api-key", K1}, NULL, PST_CREDENTIAL_ONE, K1, 1, false},
    {"two different",
     {"api-key", K1, "authorization", "Bearer " K2},
     NULL,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"two different in one header",
     {"api-key", K1, "api-key", K2},
     NULL,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"the same but for case",
     {"api-key", "abcdefghijklmnop", "Api-Key", "ABCDEFGHIJKLMNOP"},
     NULL,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"a third that agrees does not mend it",
     {"api-key", K1, "api-key", K2, "api-key", K1},
     NULL,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"a list is one value, and no key",
     {"api-key", K1 ", " K1},
     NULL,
     PST_CREDENTIAL_ONE,
     K1 ", " K1,
     1,
     false},
    {"empty", {"api-key", ""}, NULL, PST_CREDENTIAL_EMPTY, "", 0, false},
    {"blanks", {"api-key", " \t"}, NULL, PST_CREDENTIAL_EMPTY, "", 0, false},
    {"bearer alone", {"authorization", "Bearer"}, NULL, PST_CREDENTIAL_EMPTY, "", 0, false},
    {"bearer and blanks", {"authorization", "Bearer  "}, NULL, PST_CREDENTIAL_EMPTY, "", 0, false},
    {"empty beside a key",
     {"ocp-apim-subscription-key", "", "api-key", K1},
     NULL,
     PST_CREDENTIAL_ONE,
     K1,
     1,
     false},
    {"a key beside empty",
     {"api-key", K1, "authorization", "Bearer"},
     NULL,
     PST_CREDENTIAL_ONE,
     K1,
     1,
     false},
    {"the longest", {"api-key", L128}, NULL, PST_CREDENTIAL_ONE, L128, 1, false},
    {"too long", {"api-key", L128 "x"}, NULL, PST_CREDENTIAL_ONE, L128, 1, true},
    {"too long and its beginning",
     {"api-key", L128 "x", "api-key", L128},
     NULL,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"too long twice", {"api-key", L128 "x", "api-key", L128 "x"}, NULL, PST_CREDENTIAL_ONE, L128, 1, true},
    {"query, not asked for", {NULL}, "subscription-key=" K1, PST_CREDENTIAL_NONE, "", 0, false},
};

/* With the query parameter "subscription-key" switched on. */
static const struct find_case query_cases[] = {
    {"none", {NULL}, "a=1&b=2", PST_CREDENTIAL_NONE, "", 0, false},
    {"alone", {NULL}, "subscription-key=" K1, PST_CREDENTIAL_ONE, K1, PST_KEY_SOURCE_QUERY, false},
    {"among others, in any case",
     {NULL},
     "a=1&Subscription-Key=" K1 "&b",
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"its name escaped",
     {NULL},
     "subscription%2Dkey=" K1,
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"its value escaped",
     {NULL},
     "subscription-key=%30f1e2d3c4b5a69788796a5b4c3d2e1f%30",
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"a part of a name",
     {NULL},
     "xsubscription-key=" K1 "&subscription-keyx=" K1,
     PST_CREDENTIAL_NONE,
     "",
     0,
     false},
    {"in a value", {NULL}, "a=subscription-key=" K1, PST_CREDENTIAL_NONE, "", 0, false},
    {"empty", {NULL}, "subscription-key=", PST_CREDENTIAL_EMPTY, "", 0, false},
    {"without a value", {NULL}, "subscription-key", PST_CREDENTIAL_EMPTY, "", 0, false},
    {"empty beside a header", {"api-key", K1}, "subscription-key=", PST_CREDENTIAL_ONE, K1, 1, false},
    {"the same as in the header", {"api-key", K1}, "subscription-key=" K1, PST_CREDENTIAL_ONE, K1, 1, false},
    {"another than in the header",
     {"api-key", K1},
     "subscription-key=" K2,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"twice the same",
     {NULL},
     "subscription-key=" K1 "&subscription-key=" K1,
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"two different",
     {NULL},
     "subscription-key=" K1 "&SUBSCRIPTION-KEY=" K2,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"the longest", {NULL}, "subscription-key=" L128, PST_CREDENTIAL_ONE, L128, PST_KEY_SOURCE_QUERY, false},
    {"too long", {NULL}, "subscription-key=" L128 "x", PST_CREDENTIAL_ONE, L128, PST_KEY_SOURCE_QUERY, true},
    {"much too long",
     {NULL},
     "subscription-key=" L128 L128 L128,
     PST_CREDENTIAL_ONE,
     L128,
     PST_KEY_SOURCE_QUERY,
     true},
    {"rubbish escaped", {NULL}, "subscription-key=%zz", PST_CREDENTIAL_EMPTY, "", 0, false},
};

/* With the names of the cloud's clients beside the one that is set. */
static const struct find_case cloud_cases[] = {
    {"Speech",
     {NULL},
     "language=en-US&Ocp-Apim-Subscription-Key=" K1,
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"Translator",
     {NULL},
     "Subscription-Key=" K1 "&Subscription-Region=x",
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"OpenAI", {NULL}, "API-KEY=" K1, PST_CREDENTIAL_ONE, K1, PST_KEY_SOURCE_QUERY, false},
    {"bearer", {NULL}, "authorization=Bearer%20" K1, PST_CREDENTIAL_ONE, K1, PST_KEY_SOURCE_QUERY, false},
    {"bearer, with a plus",
     {NULL},
     "Authorization=bearer+" K1,
     PST_CREDENTIAL_ONE,
     K1,
     PST_KEY_SOURCE_QUERY,
     false},
    {"bearer with nothing", {NULL}, "Authorization=Bearer%20", PST_CREDENTIAL_EMPTY, "", 0, false},
    {"the same in field and query",
     {"api-key", K1},
     "Authorization=Bearer%20" K1,
     PST_CREDENTIAL_ONE,
     K1,
     1,
     false},
    {"another in the query",
     {"api-key", K1},
     "Authorization=Bearer%20" K2,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"two names, two keys",
     {NULL},
     "subscription-key=" K1 "&api-key=" K2,
     PST_CREDENTIAL_CONFLICT,
     NULL,
     0,
     false},
    {"long as a token",
     {NULL},
     "Authorization=Bearer%20" L128 L128,
     PST_CREDENTIAL_ONE,
     L128,
     PST_KEY_SOURCE_QUERY,
     true},
};

static void run(const struct pst_key_sources *sources, const struct find_case *c, bool cloud_names)
{
    struct pst_field storage[FIELDS_MAX];
    struct pst_fields fields;
    struct pst_credential found;
    pst_fields_init(&fields, storage, FIELDS_MAX);
    for (size_t i = 0; c->fields[i] != NULL; i += 2)
        assert_int_equal(pst_fields_add(&fields, pst_str_of(c->fields[i]), pst_str_of(c->fields[i + 1])), 0);
    pst_credential_find(sources, &fields, pst_str_of(c->query), cloud_names, &found);
    if (found.result != c->result)
        fail_msg("%s: result %d, not %d", c->what, (int)found.result, (int)c->result);
    if (c->result == PST_CREDENTIAL_ONE) {
        if (strcmp(found.value.text, c->value) != 0 || found.source != c->source ||
            found.too_long != c->too_long)
            fail_msg("%s: \"%s\" from %d, too long %d", c->what, found.value.text, found.source,
                     found.too_long);
        assert_int_equal(found.value.len, strlen(c->value));
    } else if (c->result != PST_CREDENTIAL_CONFLICT) {
        assert_int_equal(found.value.len, 0);
    }
    pst_credential_done(&found);
    assert_int_equal(found.value.len, 0);
    for (size_t i = 0; i < sizeof(found.value.text); i++)
        assert_int_equal(found.value.text[i], 0);
}

static void test_find(void **state)
{
    (void)state;
    struct pst_key_sources sources = defaults();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run(&sources, &cases[i], false);
}

static void test_find_in_query(void **state)
{
    (void)state;
    struct pst_key_sources sources = defaults();
    assert_int_equal(pst_key_sources_set_query(&sources, PST_STR("subscription-key")), 0);
    for (size_t i = 0; i < sizeof(query_cases) / sizeof(query_cases[0]); i++)
        run(&sources, &query_cases[i], false);
    for (size_t i = 0; i < sizeof(cloud_cases) / sizeof(cloud_cases[0]); i++)
        run(&sources, &cloud_cases[i], true);
}

/* What must not be forwarded: every field that is a source, whatever is in it; no other. */
static void test_is_field(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool is;
    } fields[] = {
        {"Ocp-Apim-Subscription-Key", K1, true},
        {"OCP-APIM-SUBSCRIPTION-KEY", "", true},
        {"api-key", "rubbish \xff", true},
        {"authorization", "Bearer " K1, true},
        {"authorization", "BEARER", true},
        {"authorization", "Bearer\t" K1, true},
        {"authorization", "Basic x", false},
        {"authorization", "Bearerx", false},
        {"authorization", "", false},
        {"api-keys", K1, false},
        {"accept", K1, false},
    };
    struct pst_key_sources sources = defaults();
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct pst_field field = {.name = pst_str_of(fields[i].name),
                                        .value = pst_str_of(fields[i].value)};
        if (pst_credential_is_field(&sources, &field) != fields[i].is)
            fail_msg("%s: %s", fields[i].name, fields[i].value);
    }
}

static void test_add(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
    } sources_in[] = {
        {"X-My-Key", 0},
        {"  spaced  ", 0},
        {"Authorization: Bearer", 0},
        {"Authorization:ApiKey", 0},
        {"authorization :  token ", 0},
        {"", -PST_EPARSE},
        {":", -PST_EPARSE},
        {": Bearer", -PST_EPARSE},
        {"two words", -PST_EPARSE},
        {"k\xc3\xa4se", -PST_EPARSE},
        {"a\r\nb", -PST_EPARSE},
        {"Authorization", -PST_EPARSE},
        {"Authorization:", -PST_EPARSE},
        {"Authorization: two words", -PST_EPARSE},
        {"X-Key: Bearer", -PST_EINVAL},
        {"Host", -PST_EINVAL},
        {"content-length", -PST_EINVAL},
        {"TRANSFER-ENCODING", -PST_EINVAL},
        {"connection", -PST_EINVAL},
        {"a234567890123456789012345678901234567890123456789012345678901234", -PST_ELIMIT},
    };
    for (size_t i = 0; i < sizeof(sources_in) / sizeof(sources_in[0]); i++) {
        struct pst_key_sources sources;
        pst_key_sources_init(&sources);
        int result = pst_key_sources_add(&sources, pst_str_of(sources_in[i].text));
        if (result != sources_in[i].result)
            fail_msg("\"%s\": %d", sources_in[i].text, result);
        assert_int_equal(sources.n, result == 0 ? 1 : 0);
    }
    struct pst_key_sources sources = defaults();
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("API-KEY")), -PST_EEXIST);
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("authorization:bearer")), -PST_EEXIST);
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("authorization: other")), 0);
    for (size_t i = sources.n; i < PST_KEY_SOURCES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "x-%zu", i);
        assert_int_equal(pst_key_sources_add(&sources, pst_str_of(name)), 0);
    }
    assert_int_equal(pst_key_sources_add(&sources, PST_STR("one-more")), -PST_ELIMIT);
}

static void test_set_query(void **state)
{
    (void)state;
    struct pst_key_sources sources = defaults();
    static const char *const bad[] = {"a b", "a=b", "a&b", "a%20", "\xc3\xa4", "a+b", "a#"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(pst_key_sources_set_query(&sources, pst_str_of(bad[i])), -PST_EPARSE);
    assert_int_equal(pst_key_sources_set_query(&sources, PST_STR(L64)), -PST_ELIMIT);
    assert_int_equal(sources.query_len, 0);
    assert_int_equal(pst_key_sources_set_query(&sources, PST_STR("k_e.y-~1")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find), cmocka_unit_test(test_find_in_query), cmocka_unit_test(test_is_field),
        cmocka_unit_test(test_add),  cmocka_unit_test(test_set_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
