/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/jwt.h"
#include "postern/auth/sts.h"
#include "rig.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_S    INT64_C(1800000000)
#define LIFETIME 600
#define PERIOD   3600

static struct rig rig;
static const struct pst_key_match match = {
    .id = "0123456789ab", .secret_slot = 2, .generation = 0x1234567890};

static struct pst_sts *open_sts(void)
{
    struct pst_sts *sts = NULL;
    const struct pst_sts_options options = {.data_dir = rig.dir,
                                            .region = "westeurope",
                                            .lifetime_s = LIFETIME,
                                            .key_period_s = PERIOD,
                                            .n_readers = 2};
    assert_int_equal(pst_sts_open(&options, &sts), 0);
    return sts;
}

static struct pst_str issue(struct pst_sts *sts, const struct pst_key_match *who, int64_t now_s)
{
    static char texts[4][PST_JWT_MAX + 1];
    static unsigned next;
    struct pst_buf out;
    char *text = texts[next++ % 4];
    pst_buf_init(&out, PST_JWT_MAX + 1);
    assert_int_equal(pst_sts_issue(sts, 0, who, now_s * 1000000, &out), 0);
    size_t len = pst_str_clip(pst_buf_str(&out), text, PST_JWT_MAX + 1);
    pst_buf_done(&out);
    return (struct pst_str){text, len};
}

static enum pst_jwt_verdict check(struct pst_sts *sts, struct pst_str token, int64_t now_s,
                                  struct pst_key_match *ret)
{
    int64_t until_s = 0;
    enum pst_jwt_verdict verdict = pst_sts_check(sts, 1, token, now_s * 1000000, ret, &until_s);
    if (verdict == PST_JWT_OK)
        assert_true(until_s > now_s && until_s <= now_s + LIFETIME &&
                    ret->number == pst_key_id_number(pst_str_of(ret->id)));
    return verdict;
}

static int set_up(void **state)
{
    (void)state;
    rig_init(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_done(&rig);
    return 0;
}

static void test_comes_back(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match found;
    struct pst_jwt jwt;
    struct pst_str token = issue(sts, &match, NOW_S);
    for (int i = 0; i < 2; i++) { /* the second time from the cache */
        assert_int_equal(check(sts, token, NOW_S, &found), PST_JWT_OK);
        assert_string_equal(found.id, match.id);
        assert_int_equal(found.secret_slot, match.secret_slot);
        assert_int_equal(found.generation, match.generation);
    }
    assert_int_equal(pst_jwt_parse(token, &jwt), PST_JWT_OK);
    assert_string_equal(json_string_value(json_object_get(jwt.claims, "region")), "westeurope");
    assert_true(jwt.expires_s == NOW_S + LIFETIME);
    pst_jwt_done(&jwt);
    pst_sts_close(sts);
}

/* The secret's generation is not to be read from the token: it is a part of a digest under the pepper. */
static void test_masked(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_jwt jwt;
    assert_int_equal(pst_jwt_parse(issue(sts, &match, NOW_S), &jwt), PST_JWT_OK);
    char *claims = json_dumps(jwt.claims, 0);
    assert_null(strstr(claims, "1234567890"));
    assert_null(strstr(claims, "78187493520")); /* the same, decimal */
    free(claims);
    pst_jwt_done(&jwt);
    pst_sts_close(sts);
}

static void test_times(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match found;
    struct pst_str token = issue(sts, &match, NOW_S);
    assert_int_equal(check(sts, token, NOW_S + LIFETIME - 1, &found), PST_JWT_OK);
    assert_int_equal(check(sts, token, NOW_S + LIFETIME, &found), PST_JWT_EXPIRED);
    struct pst_str fresh = issue(sts, &match, NOW_S + LIFETIME);
    assert_int_equal(check(sts, fresh, NOW_S + LIFETIME, &found), PST_JWT_OK);
    pst_sts_close(sts);
}

static void test_reuse(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match other = match;
    other.generation++;
    struct pst_str first = issue(sts, &match, NOW_S);
    assert_true(pst_str_eq(first, issue(sts, &match, NOW_S + 30)));
    assert_false(pst_str_eq(first, issue(sts, &other, NOW_S + 30))); /* another secret of the same key */
    assert_false(pst_str_eq(first, issue(sts, &match, NOW_S + 120)));
    pst_sts_close(sts);
}

static void test_tampered(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match found;
    struct pst_str token = issue(sts, &match, NOW_S);
    char *text = (char *)(uintptr_t)token.p;
    for (size_t i = 0; i < token.len; i += 7) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(check(sts, token, NOW_S, &found), PST_JWT_OK);
        text[i] = kept;
    }
    assert_int_equal(check(sts, token, NOW_S, &found), PST_JWT_OK);
    assert_int_equal(check(sts, PST_STR("eyJhbGciOiJFUzI1NiJ9.e30.AA"), NOW_S, &found), PST_JWT_NO_KEY);
    pst_sts_close(sts);
}

/* Of another gateway, and of this one after a restart. */
static void test_restart(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match found;
    struct pst_str token = issue(sts, &match, NOW_S);
    pst_sts_close(sts);
    struct stat st;
    assert_int_equal(stat(rig_path(&rig, "token.keys"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    sts = open_sts();
    assert_int_equal(check(sts, token, NOW_S + 1, &found), PST_JWT_OK);
    pst_sts_close(sts);
    rig_done(&rig);
    rig_init(&rig);
    sts = open_sts();
    assert_int_not_equal(check(sts, token, NOW_S + 1, &found), PST_JWT_OK);
    pst_sts_close(sts);
}

/* A token outlives the change of keys, and one change only. */
static void test_rotation(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    struct pst_key_match found;
    struct pst_buf published;
    int64_t later_s = (int64_t)time(NULL) + 10 * PERIOD;
    struct pst_str token = issue(sts, &match, later_s);
    pst_sts_rotate(sts, (later_s + 1) * 1000000);
    assert_int_equal(check(sts, token, later_s + 2, &found), PST_JWT_OK);
    pst_buf_init(&published, 16384);
    assert_int_equal(pst_sts_publish(sts, &published), 0);
    json_t *set = json_loads(pst_buf_cstr(&published), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(set, "keys")), 2);
    assert_null(strstr(pst_buf_cstr(&published), "\"d\"")); /* no private half */
    json_decref(set);
    pst_buf_done(&published);
    pst_sts_rotate(sts, (later_s + 2 * PERIOD) * 1000000);
    pst_sts_rotate(sts, (later_s + 4 * PERIOD) * 1000000);
    int64_t until_s;
    enum pst_jwt_verdict verdict = /* of a worker that has not seen it before */
        pst_sts_check(sts, 0, token, (later_s + 2) * 1000000, &found, &until_s);
    assert_int_equal(verdict, PST_JWT_NO_KEY);
    pst_sts_close(sts);
}

static void test_others_read_it(void **state)
{
    (void)state;
    struct pst_sts *sts = open_sts();
    pst_sts_close(sts);
    assert_int_equal(chmod(rig_path(&rig, "token.keys"), 0644), 0);
    const struct pst_sts_options options = {
        .data_dir = rig.dir, .region = "", .lifetime_s = 1, .key_period_s = 1};
    struct stat st;
    assert_int_equal(pst_sts_open(&options, &sts), 0); /* it is ours, and put right */
    pst_sts_close(sts);
    assert_int_equal(stat(rig_path(&rig, "token.keys"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    if (geteuid() != 0)
        return; /* only root can give a file away */
    assert_int_equal(chown(rig_path(&rig, "token.keys"), 65534, 65534), 0);
    assert_int_equal(pst_sts_open(&options, &sts), -PST_EACCES);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_comes_back), TEST(test_masked),        TEST(test_times),
                                       TEST(test_reuse),      TEST(test_tampered),      TEST(test_restart),
                                       TEST(test_rotation),   TEST(test_others_read_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
