/* SPDX-License-Identifier: Apache-2.0 */
/* The keys service: what is taken, what is refused, what is stored. */
#include "postern/auth/keys.h"

#include "postern/auth/pepper.h"
#include "postern/base/arena.h"
#include "postern/base/clock.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define AZURE1 "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define AZURE2 "00000000000000000000000000000001"
#define DAY_US (INT64_C(86400) * 1000000)

static struct rig rig;
static struct pst_keys *keys;

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

static void get(const char *id, struct pst_arena *arena, struct pst_key_row *ret)
{
    pst_arena_init(arena, 1024, 65536);
    assert_int_equal(pst_keys_get(pst_keys_service_store(keys), pst_str_of(id), arena, ret), 0);
}

static void test_make(void **state)
{
    (void)state;
    int64_t before_us = pst_clock_real_us();
    const struct pst_key_new request = {
        .name = PST_STR("Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x94\x91"),
        .note = PST_STR("a note"),
        .expires_us = before_us + DAY_US,
        .not_before_us = before_us + 1000000,
    };
    struct pst_key_made made;
    struct pst_why why;
    assert_int_equal(pst_keys_make(keys, &request, &made, &why), 0);
    struct pst_arena arena;
    struct pst_key_row row;
    get(made.id, &arena, &row);
    assert_true(pst_str_eq(row.name, request.name));
    assert_true(pst_str_eq(row.note, request.note));
    assert_int_equal(row.state, PST_KEY_STATE_ACTIVE);
    assert_true(row.expires_us == request.expires_us && row.not_before_us == request.not_before_us);
    assert_true(row.created_us == made.created_us && row.created_us >= before_us);
    for (int i = 0; i < 2; i++) {
        char prefix[PST_KEY_SHOWN_PREFIX_SIZE], last4[PST_KEY_LAST4_SIZE];
        struct pst_str id;
        assert_int_equal(pst_key_classify(pst_secret_str(&made.secrets[i]), &id), PST_KEY_KIND_GENERATED);
        assert_true(pst_str_eq(id, pst_str_of(made.id)));
        pst_key_shown_parts(pst_secret_str(&made.secrets[i]), prefix, last4);
        assert_true(row.slot[i].digest.set && !row.slot[i].imported && !row.slot[i].old_digest.set);
        assert_true(pst_str_eq(row.slot[i].prefix, pst_str_of(prefix)));
        assert_true(pst_str_eq(row.slot[i].last4, pst_str_of(last4)));
    }
    assert_memory_not_equal(row.slot[0].digest.bytes, row.slot[1].digest.bytes, PST_KEYS_DIGEST_BYTES);
    pst_arena_done(&arena);
}

static void expect_refusal(const struct pst_key_new *request, int err, const char *field)
{
    struct pst_key_made made = {.id = "untouched"};
    struct pst_why why = {0};
    uint64_t before = 0, after = 0;
    assert_int_equal(pst_keys_count(pst_keys_service_store(keys), NULL, &before), 0);
    int result = pst_keys_make(keys, request, &made, &why);
    if (result != err)
        fail_msg("\"" PST_STR_FMT "\": %d, not %d", PST_STR_ARG(request->name), result, err);
    assert_true(why.text[0] != '\0');
    assert_true(field == NULL ? why.field == NULL : why.field != NULL && strcmp(why.field, field) == 0);
    assert_string_equal(made.id, "untouched");
    assert_int_equal(pst_keys_count(pst_keys_service_store(keys), NULL, &after), 0);
    assert_true(before == after);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "a\nb",
        "a\tb",
        "\x7f",
        "\x1b[31m",
        "\xc2\x85", /* NEL */
        "\xff",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf", /* overlong */
        "\x80",
        "\xe2\x82",
        "\xf0\x9f\x94",
        "a\xc3", /* cut off */
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* surrogates */
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", /* overlong; beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xe2(\xa1",
    };
    static const char *const good[] = {
        "a",
        "\xc2\xa0",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct pst_key_new request = {.name = pst_str_of(bad[i])};
        expect_refusal(&request, -PST_EINVAL, "name");
        if (bad[i][0] == '\0')
            continue;
        const struct pst_key_new noted = {.name = PST_STR("good"), .note = pst_str_of(bad[i])};
        expect_refusal(&noted, -PST_EINVAL, "note");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        rig_make(keys, good[i]);
    char longest[PST_KEY_NAME_CHARS_MAX + 2];
    memset(longest, 'n', sizeof(longest));
    const struct pst_key_new fits = {.name = {longest, PST_KEY_NAME_CHARS_MAX}};
    const struct pst_key_new too_long = {.name = {longest, PST_KEY_NAME_CHARS_MAX + 1}};
    const struct pst_key_new with_nul = {.name = {"a\0b", 3}};
    struct pst_key_made made;
    struct pst_why why;
    assert_int_equal(pst_keys_make(keys, &fits, &made, &why), 0);
    expect_refusal(&too_long, -PST_EINVAL, "name");
    expect_refusal(&with_nul, -PST_EINVAL, "name");
}

static void test_times(void **state)
{
    (void)state;
    int64_t now_us = pst_clock_real_us();
    const struct pst_key_new past = {.name = PST_STR("a"), .expires_us = now_us - 1};
    const struct pst_key_new never = {
        .name = PST_STR("a"), .expires_us = now_us + DAY_US, .not_before_us = now_us + DAY_US};
    expect_refusal(&past, -PST_EINVAL, "expires");
    expect_refusal(&never, -PST_EINVAL, "not_before");
    struct pst_key_row row = {.state = PST_KEY_STATE_ACTIVE, .expires_us = 200, .not_before_us = 100};
    assert_string_equal(pst_key_row_state(&row, 99), "not_yet");
    assert_string_equal(pst_key_row_state(&row, 100), "active");
    assert_string_equal(pst_key_row_state(&row, 199), "active");
    assert_string_equal(pst_key_row_state(&row, 200), "expired");
    row.state = PST_KEY_STATE_DISABLED;
    assert_string_equal(pst_key_row_state(&row, 150), "disabled");
}

static void test_chosen_id(void **state)
{
    (void)state;
    struct pst_key_made made;
    struct pst_why why;
    const struct pst_key_new request = {.id = PST_STR("chosenbyhand"), .name = PST_STR("a")};
    assert_int_equal(pst_keys_make(keys, &request, &made, &why), 0);
    assert_string_equal(made.id, "chosenbyhand");
    struct pst_str inside;
    assert_int_equal(pst_key_classify(pst_secret_str(&made.secrets[0]), &inside), PST_KEY_KIND_GENERATED);
    assert_true(pst_str_eq(inside, request.id));
    expect_refusal(&request, -PST_EEXIST, NULL);
    /* Nor when it was just deleted: a gateway could take the new key for the old one. */
    assert_int_equal(pst_keys_remove(keys, request.id, &why), 0);
    expect_refusal(&request, -PST_EEXIST, NULL);
    static const char *const bad[] = {"short", "chosenbyhand1", "Chosenbyhand", "chosen-by-ha",
                                      "chosen_by_ha"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct pst_key_new wrong = {.id = pst_str_of(bad[i]), .name = PST_STR("a")};
        expect_refusal(&wrong, -PST_EINVAL, "id");
    }
}

static void test_import(void **state)
{
    (void)state;
    struct pst_key_made made = rig_import(keys, "two", AZURE1, AZURE2);
    assert_int_equal(made.secrets[0].len, 0);
    assert_int_equal(made.secrets[1].len, 0);
    struct pst_arena arena;
    struct pst_key_row row;
    get(made.id, &arena, &row);
    assert_true(row.slot[0].imported && row.slot[1].imported);
    assert_int_equal(row.slot[0].prefix.len, 0);
    assert_true(pst_str_eq(row.slot[0].last4, PST_STR("e1f0")));
    pst_arena_done(&arena);
    static const char *const bad[] = {
        "short",
        "has blanks in it, and more",
        "ps_4k1x0c9qz7mt_AbCdEfGhIjKlMnOpQrStUvWxYz_48ivvd",
        "with a newline\nin it, no",
        "umlauts-are-no-ascii-\xc3\xa4",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct pst_key_new request = {.name = PST_STR("a"), .imports = {pst_str_of(bad[i]), {0}}};
        expect_refusal(&request, -PST_EINVAL, "secret");
        const struct pst_key_new second = {.name = PST_STR("a"),
                                           .imports = {PST_STR("a-secret-nobody-has"), pst_str_of(bad[i])}};
        expect_refusal(&second, -PST_EINVAL, "secret");
    }
    const struct pst_key_new twice = {
        .name = PST_STR("a"), .imports = {PST_STR("a-secret-nobody-has"), PST_STR("a-secret-nobody-has")}};
    expect_refusal(&twice, -PST_EINVAL, "secret");
    const struct pst_key_new taken1 = {.name = PST_STR("a"), .imports = {PST_STR(AZURE1), {0}}};
    const struct pst_key_new taken2 = {.name = PST_STR("a"), .imports = {{0}, PST_STR(AZURE1)}};
    expect_refusal(&taken1, -PST_EEXIST, NULL);
    expect_refusal(&taken2, -PST_EEXIST, NULL);
    /* Free again when its key is gone. */
    struct pst_why why;
    assert_int_equal(pst_keys_remove(keys, pst_str_of(made.id), &why), 0);
    rig_import(keys, "again", AZURE1, NULL);
}

/* What was imported stays taken while it still works: also in its grace period. */
static void test_import_in_grace(void **state)
{
    (void)state;
    struct pst_key_made made = rig_import(keys, "first", AZURE1, NULL);
    rig_rotate(keys, made.id, 1, DAY_US);
    const struct pst_key_new request = {.name = PST_STR("a"), .imports = {PST_STR(AZURE1), {0}}};
    expect_refusal(&request, -PST_EEXIST, NULL);
    rig_rotate(keys, made.id, 1, 0);
    rig_import(keys, "second", AZURE1, NULL);
}

static void test_rotate(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "turn");
    int64_t before_us = pst_clock_real_us();
    struct pst_secret fresh = rig_rotate(keys, made.id, 2, DAY_US);
    int64_t after_us = pst_clock_real_us();
    assert_int_equal(pst_key_classify(pst_secret_str(&fresh), NULL), PST_KEY_KIND_GENERATED);
    assert_string_not_equal(fresh.text, made.secrets[1].text);
    struct pst_arena arena;
    struct pst_key_row row;
    get(made.id, &arena, &row);
    assert_false(row.slot[0].old_digest.set);
    assert_true(row.slot[1].old_digest.set);
    assert_true(row.slot[1].old_valid_until_us >= before_us + DAY_US &&
                row.slot[1].old_valid_until_us <= after_us + DAY_US);
    assert_true(pst_str_eq(row.slot[1].old_last4, pst_str_of(made.secrets[1].text + PST_KEY_TEXT_LEN - 4)));
    pst_arena_done(&arena);
    rig_rotate(keys, made.id, 2, 0);
    get(made.id, &arena, &row);
    assert_false(row.slot[1].old_digest.set);
    assert_true(row.slot[1].old_valid_until_us == 0);
    pst_arena_done(&arena);
    struct pst_secret none = {0};
    struct pst_why why = {0};
    assert_int_equal(pst_keys_rotate(keys, pst_str_of(made.id), 1, -1, &none, &why), -PST_EINVAL);
    assert_int_equal(pst_keys_rotate(keys, pst_str_of(made.id), 1, PST_KEY_GRACE_MAX_US + 1, &none, &why),
                     -PST_EINVAL);
    assert_int_equal(pst_keys_rotate(keys, pst_str_of(made.id), 3, 0, &none, &why), -PST_EINVAL);
    assert_int_equal(pst_keys_rotate(keys, PST_STR("nosuchkey123"), 1, 0, &none, &why), -PST_ENOENT);
    assert_int_equal(pst_keys_rotate(keys, PST_STR("short"), 1, 0, &none, &why), -PST_ENOENT);
    assert_int_equal(none.len, 0);
}

static void test_enable_and_remove(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "switch");
    struct pst_str id = pst_str_of(made.id);
    struct pst_why why = {0};
    struct pst_arena arena;
    struct pst_key_row row;
    assert_int_equal(pst_keys_enable(keys, id, false, &why), 0);
    get(made.id, &arena, &row);
    assert_int_equal(row.state, PST_KEY_STATE_DISABLED);
    pst_arena_done(&arena);
    assert_int_equal(pst_keys_enable(keys, id, true, &why), 0);
    get(made.id, &arena, &row);
    assert_int_equal(row.state, PST_KEY_STATE_ACTIVE);
    pst_arena_done(&arena);
    assert_int_equal(pst_keys_remove(keys, id, &why), 0);
    assert_int_equal(pst_keys_remove(keys, id, &why), -PST_ENOENT);
    assert_int_equal(pst_keys_enable(keys, id, true, &why), -PST_ENOENT);
    assert_non_null(strstr(why.text, made.id));
    struct pst_secret none = {0};
    assert_int_equal(pst_keys_rotate(keys, id, 1, 0, &none, &why), -PST_ENOENT);
}

/* No file of the directory holds a secret, nor a digest that needs no pepper. */
static void test_nothing_stored(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "hidden");
    rig_import(keys, "azure", AZURE1, NULL);
    static const char *const files[] = {"keys.db", "keys.db-wal", "pepper"};
    uint8_t plain[PST_SHA256_BYTES];
    pst_sha256(made.secrets[0].text, made.secrets[0].len, plain);
    size_t seen = 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        FILE *file = fopen(rig_path(&rig, files[i]), "rb");
        assert_non_null(file);
        static char content[1 << 20];
        size_t n = fread(content, 1, sizeof(content), file);
        fclose(file);
        seen += n;
        assert_null(memmem(content, n, made.secrets[0].text + 16, PST_KEY_SECRET_LEN));
        assert_null(memmem(content, n, made.secrets[1].text + 16, PST_KEY_SECRET_LEN));
        assert_null(memmem(content, n, AZURE1, strlen(AZURE1)));
        assert_null(memmem(content, n, plain, sizeof(plain)));
    }
    assert_true(seen > 10000);
}

static int open_keys(const char *dir, bool make, struct pst_why *why)
{
    struct pst_keys *other = NULL;
    int err = pst_keys_service_open(dir, make, &other, why);
    pst_keys_service_close(other);
    return err;
}

static void test_open(void **state)
{
    (void)state;
    char dir[512];
    struct pst_why why = {0};
    struct stat st;
    snprintf(dir, sizeof(dir), "%s", rig_path(&rig, "new"));
    assert_int_equal(open_keys(dir, false, &why), -PST_ENOENT);
    assert_non_null(strstr(why.text, dir));
    assert_int_equal(access(dir, F_OK), -1); /* reading makes nothing */
    umask(0);
    assert_int_equal(open_keys(dir, true, &why), 0);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(open_keys(dir, false, &why), 0);
    snprintf(dir, sizeof(dir), "%s", rig_path(&rig, "no/parent"));
    assert_int_equal(open_keys(dir, true, &why), -PST_ENOENT);
    assert_non_null(strstr(why.text, dir));
    rig_write(&rig, "a-file", "x", 1, 0600);
    snprintf(dir, sizeof(dir), "%s", rig_path(&rig, "a-file"));
    assert_true(open_keys(dir, true, &why) < 0);
    assert_non_null(strstr(why.text, "a-file"));
    assert_true(open_keys(dir, false, &why) < 0);
    assert_non_null(strstr(why.text, "a-file"));
    static char longest[8192];
    memset(longest, 'd', sizeof(longest) - 1);
    assert_int_equal(open_keys(longest, true, &why), -PST_EINVAL);
}

/* Over keys that are there no new pepper is made: it would make them useless. What needs none goes on. */
static void test_pepper_lost(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "there");
    struct pst_why why = {0};
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    assert_int_equal(open_keys(rig.dir, true, &why), -PST_ENOENT);
    assert_non_null(strstr(why.text, PST_PEPPER_FILE));
    assert_int_equal(access(rig_path(&rig, PST_PEPPER_FILE), F_OK), -1);
    struct pst_keys *other = NULL;
    struct pst_secret none = {0};
    assert_int_equal(pst_keys_service_open(rig.dir, false, &other, &why), 0);
    assert_int_equal(pst_keys_enable(other, pst_str_of(made.id), false, &why), 0);
    assert_int_equal(pst_keys_rotate(other, pst_str_of(made.id), 1, 0, &none, &why), -PST_ENOENT);
    assert_int_equal(pst_keys_remove(other, pst_str_of(made.id), &why), 0);
    pst_keys_service_close(other);
    /* No key is left that needs the old one. */
    assert_int_equal(open_keys(rig.dir, true, &why), 0);
    assert_int_equal(access(rig_path(&rig, PST_PEPPER_FILE), F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_make),           TEST(test_names),
        TEST(test_times),          TEST(test_chosen_id),
        TEST(test_import),         TEST(test_import_in_grace),
        TEST(test_rotate),         TEST(test_enable_and_remove),
        TEST(test_nothing_stored), TEST(test_open),
        TEST(test_pepper_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
