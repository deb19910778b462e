/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/conf/nearest.h"
#include "postern/conf/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *nearest(const char *word)
{
    static const char *const names[] = {"serve", "demo", "check", "key", "usage", "settings", "version"};
    struct pst_nearest nearest;
    pst_nearest_begin(&nearest, word);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        pst_nearest_offer(&nearest, names[i]);
    return nearest.best != NULL ? nearest.best : "";
}

static void test_typos(void **state)
{
    (void)state;
    assert_string_equal(nearest("chek"), "check");
    assert_string_equal(nearest("cehck"), "check"); /* two letters in each other's place are two */
    assert_string_equal(nearest("Setings"), "settings");
    assert_string_equal(nearest("keys"), "key");
    assert_string_equal(nearest("server"), "serve");
    assert_string_equal(nearest("verzions"), "version");
}

static void test_other_words(void **state)
{
    (void)state;
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("x"), "");
    assert_string_equal(nearest("status"), "");
    assert_string_equal(nearest("help"), "");
    char word[200];
    memset(word, 's', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_string_equal(nearest(word), "");
}

static void test_settings(void **state)
{
    (void)state;
    assert_string_equal(pst_setting_nearest("max-heders")->name, "max_headers");
    assert_string_equal(pst_setting_nearest("DATADIR")->name, "data_dir");
    assert_string_equal(pst_setting_nearest("tls_cert")->name, "tls_certificate");
    assert_string_equal(pst_setting_nearest("max_body")->name, "max_body_size"); /* not written to its end */
    assert_string_equal(pst_setting_nearest("listen-address")->name, "listen");  /* or further than that */
    assert_string_equal(pst_setting_nearest("log_formt")->name, "log_format");
    assert_null(pst_setting_nearest("certificate_authority"));
    assert_null(pst_setting_nearest("max"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typos),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
