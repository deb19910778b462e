/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/certificate_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KEY "0123456789ab"
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct pst_client_identity identity(void)
{
    struct pst_client_identity id = {
        .subject = PST_STR("O=Tests, CN=robot"),
        .common_name = PST_STR("robot"),
        .names = {{false, PST_STR("a.robot.example")}, {true, PST_STR("spiffe://example/ns/a")}},
        .n_names = 2,
        .valid = true,
    };
    for (uint8_t i = 0; i < 32; i++)
        id.sha256[i] = i;
    return id;
}

static const struct {
    const char *pattern;
    bool fits;
} cases[] = {
    {"*", true},
    {"dns=a.robot.example", true},
    {"dns=A.Robot.Example", true},
    {"dns=*.robot.example", true},
    {"dns=*.example", false},
    {"dns=robot.example", false},
    {"dns=spiffe://example/ns/a", false},
    {"uri=spiffe://example/ns/a", true},
    {"uri=spiffe://example/ns/A", false},
    {"uri=spiffe://example/ns/*", true},
    {"uri=spiffe://example/ns", false},
    {"uri=a.robot.example", false},
    {"cn=robot", true},
    {"cn=Robot", false},
    {"cn=robo", false},
    {"subject=O=Tests, CN=robot", true},
    {"subject=CN=robot", false},
    {"sha256=" HEX, true},
    {"sha256=00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F",
     true},
    {"key-sha256=" HEX, false},
};

static void test_fits(void **state)
{
    (void)state;
    const struct pst_client_identity id = identity();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256] = KEY " ";
        struct pst_why why = {.text = ""};
        struct pst_certificate_rules *rules = NULL;
        strcat(text, cases[i].pattern);
        char *items[] = {text};
        if (pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_KEYS, items, 1, &rules, &why) != 0)
            fail_msg("%s: %s", text, why.text);
        struct pst_str found = pst_certificate_rules_find(rules, &id);
        if ((found.len > 0) != cases[i].fits)
            fail_msg("%s", text);
        if (found.len > 0)
            assert_true(pst_str_eq(found, PST_STR(KEY)));
        pst_certificate_rules_free(rules);
    }
}

static void test_first_decides(void **state)
{
    (void)state;
    const struct pst_client_identity id = identity();
    char *items[] = {(char[]){"aaaaaaaaaaaa cn=other"}, (char[]){" bbbbbbbbbbbb  cn=robot "},
                     (char[]){"cccccccccccc *"}};
    struct pst_certificate_rules *rules = NULL;
    struct pst_why why = {.text = ""};
    assert_int_equal(pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_KEYS, items, 3, &rules, &why), 0);
    assert_true(pst_str_eq(pst_certificate_rules_find(rules, &id), PST_STR("bbbbbbbbbbbb")));
    pst_certificate_rules_free(rules);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      KEY,
                                      KEY " ",
                                      "x *",
                                      KEY " dns=",
                                      KEY " nothing",
                                      KEY " sha256=00",
                                      KEY " sha256=" HEX "00",
                                      KEY " sha256=g" HEX,
                                      ("* " KEY)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256] = "";
        strcat(text, bad[i]);
        char *items[] = {text};
        struct pst_why why = {.text = ""};
        struct pst_certificate_rules *rules = NULL;
        if (pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_KEYS, items, 1, &rules, &why) != -PST_EPARSE)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strlen(why.text) > 10);
    }
}

static void test_roles(void **state)
{
    (void)state;
    const struct pst_client_identity id = identity();
    char *items[] = {(char[]){"admin cn=somebody"}, (char[]){"viewer dns=*.robot.example"},
                     (char[]){"admin *"}};
    struct pst_certificate_rules *rules = NULL;
    struct pst_why why = {.text = ""};
    assert_int_equal(pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_ROLES, items, 3, &rules, &why), 0);
    assert_true(pst_str_eq(pst_certificate_rules_find(rules, &id), PST_STR("viewer")));
    pst_certificate_rules_free(rules);
    static const char *const bad[] = {"", "admin", "Admin *", "root *", KEY " *", "viewer nothing"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64] = "";
        strcat(text, bad[i]);
        char *item = text;
        why.text[0] = '\0';
        if (pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_ROLES, &item, 1, &rules, &why) !=
            -PST_EPARSE)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strlen(why.text) > 10);
    }
}

/* A key's rule and a role's are not to be mistaken for each other. */
static void test_words_are_of_their_kind(void **state)
{
    (void)state;
    char *item = (char[]){"admin *"};
    struct pst_certificate_rules *rules = NULL;
    struct pst_why why = {.text = ""};
    assert_int_equal(pst_certificate_rules_parse(PST_CERTIFICATE_RULES_OF_KEYS, &item, 1, &rules, &why),
                     -PST_EPARSE);
    assert_non_null(strstr(why.text, "is no key's id"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_first_decides),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_words_are_of_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
