/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_all_zero(const void *memory, size_t len)
{
    const unsigned char *at = memory;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(at[i], 0);
}

static void test_set_and_wipe(void **state)
{
    (void)state;
    struct pst_secret secret = {0};
    assert_int_equal(pst_secret_set(&secret, PST_STR("hunter2hunter2")), 0);
    assert_true(pst_str_eq(pst_secret_str(&secret), PST_STR("hunter2hunter2")));
    assert_string_equal(secret.text, "hunter2hunter2");
    /* A shorter one leaves nothing of the longer one. */
    assert_int_equal(pst_secret_set(&secret, PST_STR("x")), 0);
    assert_all_zero(secret.text + 1, sizeof(secret.text) - 1);
    pst_secret_done(&secret);
    assert_all_zero(&secret, sizeof(secret));
    pst_secret_done(NULL);
}

static void test_bound(void **state)
{
    (void)state;
    char text[PST_SECRET_MAX + 1];
    memset(text, 'a', sizeof(text));
    struct pst_secret secret = {0};
    assert_int_equal(pst_secret_set(&secret, (struct pst_str){text, PST_SECRET_MAX}), 0);
    assert_int_equal(secret.len, PST_SECRET_MAX);
    assert_int_equal(secret.text[PST_SECRET_MAX], 0);
    assert_int_equal(pst_secret_set(&secret, (struct pst_str){text, PST_SECRET_MAX + 1}), -PST_ELIMIT);
    assert_all_zero(&secret, sizeof(secret));
    assert_int_equal(pst_secret_set(&secret, (struct pst_str){NULL, 0}), 0);
    assert_int_equal(pst_secret_str(&secret).len, 0);
}

static struct pst_secret *outlived;
static void fill_scoped(void)
{
    PST_SECRET_SCOPE secret = {0};
    assert_int_equal(pst_secret_set(&secret, PST_STR("gone at the end of the scope")), 0);
    outlived = &secret;
    assert_int_equal(outlived->len, 28);
    pst_secret_done(outlived);
    assert_all_zero(outlived, sizeof(*outlived));
}

static void test_scope(void **state)
{
    (void)state;
    fill_scoped();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_wipe),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
