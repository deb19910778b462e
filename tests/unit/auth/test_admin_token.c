/* SPDX-License-Identifier: Apache-2.0 */
/* Admin tokens: made, checked, refused, revoked, and the first one. */
#include "postern/auth/admin_token.h"

#include "postern/base/clock.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DAY_US (INT64_C(86400) * 1000000)

static struct rig rig;
static struct pst_keys *keys;
static struct pst_why why;

static int set_up(void **state)
{
    (void)state;
    rig_init(&rig);
    keys = rig_keys(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pst_keys_service_close(keys);
    rig_done(&rig);
    return 0;
}

static struct pst_admin_token_made make(const char *name, enum pst_admin_role role, int64_t expires_us)
{
    struct pst_admin_token_made made;
    assert_int_equal(pst_admin_token_make(keys, pst_str_of(name), role, expires_us, &made, &why), 0);
    return made;
}

static int check(const char *text, int64_t now_us, struct pst_admin_token_row *ret)
{
    return pst_admin_token_check(keys, pst_str_of(text), now_us, ret, &why);
}

static void test_check(void **state)
{
    (void)state;
    int64_t now_us = pst_clock_real_us();
    struct pst_admin_token_made a = make("pipeline", PST_ADMIN_ADMIN, 0);
    struct pst_admin_token_made v = make("board", PST_ADMIN_VIEWER, now_us + DAY_US);
    struct pst_admin_token_row row;
    assert_int_equal(check(a.token.text, now_us, &row), 0);
    assert_string_equal(row.id, a.id);
    assert_string_equal(row.name, "pipeline");
    assert_int_equal(row.role, PST_ADMIN_ADMIN);
    assert_true(row.used_us == now_us);
    assert_int_equal(check(v.token.text, now_us + DAY_US - 1, &row), 0);
    assert_int_equal(row.role, PST_ADMIN_VIEWER);
    assert_int_equal(check(v.token.text, now_us + DAY_US, &row), -PST_EACCES);
    assert_non_null(strstr(why.text, "expired"));
    assert_int_equal(pst_admin_token_revoke(keys, pst_str_of(a.id), &why), 0);
    assert_int_equal(check(a.token.text, now_us, &row), -PST_EACCES);
    assert_non_null(strstr(why.text, "revoked"));
    assert_int_equal(pst_admin_token_revoke(keys, PST_STR("zzzzzzzzzzzz"), &why), -PST_ENOENT);
}

/* A character changed anywhere, a wrong length, a key, another installation's token. */
static void test_refused(void **state)
{
    (void)state;
    struct pst_admin_token_made made = make("a", PST_ADMIN_ADMIN, 0);
    struct pst_admin_token_row row;
    for (size_t i = 0; i < made.token.len; i++) {
        char text[PST_KEY_TEXT_LEN + 1];
        memcpy(text, made.token.text, sizeof(text));
        text[i] = text[i] == 'x' ? 'y' : 'x';
        assert_int_equal(check(text, 1, &row), -PST_EACCES);
    }
    made.token.text[made.token.len - 1] = '\0';
    assert_int_equal(check(made.token.text, 1, &row), -PST_EACCES);
    assert_int_equal(check("", 1, &row), -PST_EACCES);
    struct pst_key_made key = rig_make(keys, "k");
    assert_int_equal(check(key.secrets[0].text, 1, &row), -PST_EACCES);
    made = make("b", PST_ADMIN_ADMIN, 0);
    struct rig other;
    rig_init(&other);
    struct pst_keys *others = rig_keys(&other);
    assert_int_equal(pst_admin_token_check(others, pst_secret_str(&made.token), 1, &row, &why), -PST_EACCES);
    pst_keys_service_close(others);
    rig_done(&other);
}

static void test_bad_fields(void **state)
{
    (void)state;
    struct pst_admin_token_made made;
    assert_int_equal(pst_admin_token_make(keys, PST_STR(""), PST_ADMIN_ADMIN, 0, &made, &why), -PST_EINVAL);
    assert_string_equal(why.field, "name");
    assert_int_equal(pst_admin_token_make(keys, PST_STR("a\nb"), PST_ADMIN_ADMIN, 0, &made, &why),
                     -PST_EINVAL);
    assert_int_equal(pst_admin_token_make(keys, PST_STR("a"), PST_ADMIN_ADMIN, 1, &made, &why), -PST_EINVAL);
    assert_string_equal(why.field, "expires");
}

static void test_first(void **state)
{
    (void)state;
    struct pst_admin_token_row row;
    struct stat st;
    char text[64] = "";
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), 1);
    const char *path = rig_path(&rig, PST_ADMIN_TOKEN_FILE);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(check(text, 1, &row), 0);
    assert_int_equal(row.role, PST_ADMIN_ADMIN);
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), 0);
}

/* As a secret store mounts it. */
static void test_first_is_provided(void **state)
{
    (void)state;
    struct pst_admin_token_made made;
    struct pst_admin_token_row row;
    char text[80], target[512];
    assert_int_equal(pst_admin_token_make(keys, PST_STR("elsewhere"), PST_ADMIN_ADMIN, 0, &made, &why), 0);
    snprintf(text, sizeof(text), PST_STR_FMT "\n", PST_STR_ARG(pst_secret_str(&made.token)));
    rig_sql(&rig, "keys.db", "DELETE FROM admin_token");
    snprintf(target, sizeof(target), "%s", rig_path(&rig, "secret"));
    assert_int_equal(symlink("secret", rig_path(&rig, PST_ADMIN_TOKEN_FILE)), 0);
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), -PST_ENOENT); /* it leads nowhere */
    rig_write(&rig, "secret", "pa_not_one", 10, 0600);
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), -PST_EPARSE);
    assert_non_null(strstr(why.text, "is not an admin token"));
    assert_null(strstr(why.text, "pa_not_one"));
    rig_write(&rig, "secret", text, strlen(text), 0600);
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), 1);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(check(text, 1, &row), 0);
    assert_int_equal(row.role, PST_ADMIN_ADMIN);
    assert_int_equal(pst_admin_token_first(keys, rig.dir, &why), 0);
    assert_int_equal(access(target, F_OK), 0);
}

/* Nothing stays behind when the file cannot be written. */
static void test_first_without_a_place(void **state)
{
    (void)state;
    int64_t n = -1;
    assert_true(pst_admin_token_first(keys, "/nonexistent", &why) < 0);
    assert_string_equal(why.field, "data_dir");
    assert_int_equal(pst_admin_tokens_count(pst_keys_service_store(keys), &n), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_is_provided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_first_without_a_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
