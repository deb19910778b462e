/* SPDX-License-Identifier: Apache-2.0 */
/* What the keyring says of a key, and how it follows the database. */
#include "postern/auth/keyring.h"

#include "postern/auth/pepper.h"
#include "postern/base/arena.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define AZURE1 "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define AZURE2 "00000000000000000000000000000001"
#define DAY_US (INT64_C(86400) * 1000000)
#define READER 1 /* of the two there are; the other idles */

static struct rig rig;
static struct pst_keys *keys;
static struct pst_keyring *ring;

static int set_up(void **state)
{
    (void)state;
    rig_init(&rig);
    keys = rig_keys(&rig);
    return pst_keyring_open(&ring, rig.dir, 2);
}

static int tear_down(void **state)
{
    (void)state;
    pst_keyring_free(ring);
    ring = NULL;
    pst_keys_service_close(keys);
    rig_done(&rig);
    return 0;
}

static void refresh(void)
{
    assert_int_equal(pst_keyring_refresh(ring), 1);
    assert_int_equal(pst_keyring_refresh(ring), 0);
}

static enum pst_key_verdict check_at(struct pst_str presented, int64_t now_us, struct pst_key_match *ret)
{
    pst_keyring_reader_enter(ring, READER);
    enum pst_key_verdict verdict = pst_keyring_check(ring, READER, presented, now_us, ret);
    if (ret->id[0] != '\0') {
        struct pst_key_match by_id;
        (void)!pst_keyring_check_id(ring, READER, pst_str_of(ret->id), now_us, &by_id);
        assert_true(ret->number == pst_key_id_number(pst_str_of(ret->id)));
        assert_true(by_id.number == ret->number);
    }
    pst_keyring_reader_idle(ring, READER);
    return verdict;
}

static enum pst_key_verdict check(const char *presented)
{
    struct pst_key_match match;
    return check_at(pst_str_of(presented), pst_clock_real_us(), &match);
}

static enum pst_key_verdict still_valid(const struct pst_key_match *match, int64_t now_us)
{
    pst_keyring_reader_enter(ring, READER);
    enum pst_key_verdict verdict = pst_keyring_still_valid(ring, READER, match, now_us);
    pst_keyring_reader_idle(ring, READER);
    return verdict;
}

static void assert_nobody(const struct pst_key_match *match)
{
    static const struct pst_key_match nobody;
    assert_memory_equal(match, &nobody, sizeof(*match));
}

static void test_generated(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a"), other = rig_make(keys, "b");
    assert_int_equal(check(made.secrets[0].text), PST_KEY_UNKNOWN); /* not before the refresh */
    refresh();
    for (int i = 0; i < 2; i++) {
        struct pst_key_match match;
        assert_int_equal(check_at(pst_secret_str(&made.secrets[i]), 1, &match), PST_KEY_OK);
        assert_string_equal(match.id, made.id);
        assert_int_equal(match.secret_slot, i + 1);
        assert_false(match.old_secret);
        assert_int_equal(check_at(pst_secret_str(&other.secrets[i]), 1, &match), PST_KEY_OK);
        assert_string_equal(match.id, other.id);
    }
}

static void test_unknown_and_malformed(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a");
    rig_import(keys, "b", AZURE1, NULL);
    refresh();
    struct pst_secret wrong, stranger;
    struct pst_key_match match = {.secret_slot = 9};
    char id[PST_KEY_ID_SIZE];
    assert_int_equal(pst_key_make_id(id), 0);
    assert_int_equal(pst_key_make_secret(made.id, &wrong), 0); /* of a key there is, but not its secret */
    assert_int_equal(pst_key_make_secret(id, &stranger), 0);
    const struct {
        struct pst_str text;
        enum pst_key_verdict verdict;
    } cases[] = {
        {pst_secret_str(&wrong), PST_KEY_UNKNOWN},
        {pst_secret_str(&stranger), PST_KEY_UNKNOWN},
        {PST_STR(AZURE2), PST_KEY_UNKNOWN},
        {PST_STR("0F1E2D3C4B5A69788796A5B4C3D2E1F0"), PST_KEY_UNKNOWN},
        {PST_STR(""), PST_KEY_MALFORMED},
        {PST_STR("0f1e2d3c4b5a697"), PST_KEY_MALFORMED},
        {PST_STR("0f1e2d3c4b5a6978 8796a5b4c3d2e1f0"), PST_KEY_MALFORMED},
        {{made.secrets[0].text, PST_KEY_TEXT_LEN - 1}, PST_KEY_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check_at(cases[i].text, 1, &match), cases[i].verdict);
        assert_nobody(&match);
    }
}

static void test_imported(void **state)
{
    (void)state;
    struct pst_key_made made = rig_import(keys, "two", AZURE1, AZURE2);
    refresh();
    struct pst_key_match match;
    assert_int_equal(check_at(PST_STR(AZURE1), 1, &match), PST_KEY_OK);
    assert_string_equal(match.id, made.id);
    assert_int_equal(match.secret_slot, 1);
    assert_int_equal(check_at(PST_STR(AZURE2), 1, &match), PST_KEY_OK);
    assert_int_equal(match.secret_slot, 2);
    /* The next secrets are of our making; the imported one works on in its grace period. */
    struct pst_secret fresh = rig_rotate(keys, made.id, 1, DAY_US);
    refresh();
    assert_int_equal(check(fresh.text), PST_KEY_OK);
    assert_int_equal(check_at(PST_STR(AZURE1), pst_clock_real_us(), &match), PST_KEY_OK);
    assert_true(match.old_secret);
    assert_string_equal(match.id, made.id);
    rig_rotate(keys, made.id, 1, 0);
    refresh();
    assert_int_equal(check(AZURE1), PST_KEY_UNKNOWN);
    assert_int_equal(check(fresh.text), PST_KEY_UNKNOWN);
    assert_int_equal(check(AZURE2), PST_KEY_OK);
}

/* A secret that one key had once, and another has now: the one that has it counts. */
static void test_imported_by_the_next(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) { /* whichever way the two lie in their shard */
        char secret[40];
        snprintf(secret, sizeof(secret), "some-secret-of-number-%d", i);
        struct pst_key_made first = rig_import(keys, "first", secret, NULL);
        rig_rotate(keys, first.id, 1, 1000);
        refresh();
        usleep(2000);
        struct pst_key_made second = rig_import(keys, "second", secret, NULL);
        refresh();
        struct pst_key_match match;
        assert_int_equal(check_at(pst_str_of(secret), pst_clock_real_us(), &match), PST_KEY_OK);
        assert_string_equal(match.id, second.id);
    }
}

static void test_disabled(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "switch");
    struct pst_key_match match, later;
    struct pst_why why;
    refresh();
    assert_int_equal(check_at(pst_secret_str(&made.secrets[0]), 1, &match), PST_KEY_OK);
    assert_int_equal(pst_keys_enable(keys, pst_str_of(made.id), false, &why), 0);
    refresh();
    assert_int_equal(check_at(pst_secret_str(&made.secrets[0]), 1, &later), PST_KEY_DISABLED);
    assert_string_equal(later.id, made.id);
    assert_int_equal(still_valid(&match, 1), PST_KEY_DISABLED);
    struct pst_secret wrong; /* who does not know the secret is not told */
    assert_int_equal(pst_key_make_secret(made.id, &wrong), 0);
    assert_int_equal(check(wrong.text), PST_KEY_UNKNOWN);
    assert_int_equal(pst_keys_enable(keys, pst_str_of(made.id), true, &why), 0);
    refresh();
    assert_int_equal(check(made.secrets[1].text), PST_KEY_OK);
    assert_int_equal(still_valid(&match, 1), PST_KEY_OK);
}

static void test_times_to_the_microsecond(void **state)
{
    (void)state;
    int64_t now_us = pst_clock_real_us();
    const struct pst_key_new request = {
        .name = PST_STR("between"), .not_before_us = now_us + 1000000, .expires_us = now_us + 2000000};
    struct pst_key_made made;
    struct pst_key_match match;
    struct pst_why why;
    assert_int_equal(pst_keys_make(keys, &request, &made, &why), 0);
    refresh();
    const struct {
        int64_t at_us;
        enum pst_key_verdict verdict;
    } moments[] = {
        {now_us, PST_KEY_NOT_YET},
        {request.not_before_us - 1, PST_KEY_NOT_YET},
        {request.not_before_us, PST_KEY_OK},
        {request.expires_us - 1, PST_KEY_OK},
        {request.expires_us, PST_KEY_EXPIRED},
        {INT64_MAX, PST_KEY_EXPIRED},
    };
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        assert_int_equal(check_at(pst_secret_str(&made.secrets[1]), moments[i].at_us, &match),
                         moments[i].verdict);
        assert_string_equal(match.id, made.id);
        assert_int_equal(still_valid(&match, moments[i].at_us), moments[i].verdict);
    }
}

static int64_t old_until(const char *id, int slot)
{
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 1024, 65536);
    assert_int_equal(pst_keys_get(pst_keys_service_store(keys), pst_str_of(id), &arena, &row), 0);
    pst_arena_done(&arena);
    return row.slot[slot - 1].old_valid_until_us;
}

static void rotation_of(int slot)
{
    struct pst_key_made made = rig_make(keys, "turn");
    struct pst_str before = pst_secret_str(&made.secrets[slot - 1]);
    struct pst_str beside = pst_secret_str(&made.secrets[2 - slot]);
    struct pst_key_match first, old;
    refresh();
    assert_int_equal(check_at(before, 1, &first), PST_KEY_OK);
    struct pst_secret fresh = rig_rotate(keys, made.id, slot, DAY_US);
    int64_t until_us = old_until(made.id, slot);
    refresh();
    assert_int_equal(check_at(before, until_us - 1, &old), PST_KEY_OK);
    assert_true(old.old_secret);
    assert_int_equal(old.secret_slot, slot);
    assert_true(old.generation == first.generation);
    assert_int_equal(still_valid(&first, until_us - 1), PST_KEY_OK);
    assert_int_equal(check_at(before, until_us, &old), PST_KEY_EXPIRED);
    assert_string_equal(old.id, made.id);
    assert_int_equal(still_valid(&first, until_us), PST_KEY_EXPIRED);
    struct pst_key_match match;
    assert_int_equal(check_at(pst_secret_str(&fresh), until_us, &match), PST_KEY_OK);
    assert_false(match.old_secret);
    assert_int_equal(check_at(beside, until_us, &match), PST_KEY_OK);
    assert_int_equal(match.secret_slot, 3 - slot);
    /* Once more, at once: now nothing of before works. */
    rig_rotate(keys, made.id, slot, 0);
    refresh();
    assert_int_equal(check_at(before, 1, &match), PST_KEY_UNKNOWN);
    assert_int_equal(check_at(pst_secret_str(&fresh), 1, &match), PST_KEY_UNKNOWN);
    assert_int_equal(still_valid(&first, 1), PST_KEY_UNKNOWN);
    assert_int_equal(check_at(beside, 1, &match), PST_KEY_OK);
}

static void test_rotation(void **state)
{
    (void)state;
    rotation_of(1);
    rotation_of(2);
}

/* Both secrets in their grace period at once, in a shard with others like it. */
static void test_both_rotated(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "both");
    struct pst_secret fresh[2];
    for (int i = 0; i < 200; i++) {
        struct pst_key_made other = rig_make(keys, "other");
        rig_rotate(keys, other.id, 1 + i % 2, DAY_US);
    }
    for (int i = 0; i < 2; i++)
        fresh[i] = rig_rotate(keys, made.id, i + 1, DAY_US);
    refresh();
    for (int i = 0; i < 2; i++) {
        struct pst_key_match match;
        assert_int_equal(check(fresh[i].text), PST_KEY_OK);
        assert_int_equal(check_at(pst_secret_str(&made.secrets[i]), pst_clock_real_us(), &match), PST_KEY_OK);
        assert_true(match.old_secret);
        assert_int_equal(match.secret_slot, i + 1);
        assert_string_equal(match.id, made.id);
    }
    rig_rotate(keys, made.id, 1, 0);
    refresh();
    assert_int_equal(check(made.secrets[0].text), PST_KEY_UNKNOWN);
    assert_int_equal(check(made.secrets[1].text), PST_KEY_OK);
}

static void test_delete(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "gone"), stays = rig_make(keys, "stays");
    struct pst_key_made imported = rig_import(keys, "gone, too", AZURE1, NULL);
    struct pst_key_match match;
    struct pst_why why;
    refresh();
    assert_int_equal(check_at(pst_secret_str(&made.secrets[0]), 1, &match), PST_KEY_OK);
    assert_int_equal(pst_keys_remove(keys, pst_str_of(made.id), &why), 0);
    assert_int_equal(pst_keys_remove(keys, pst_str_of(imported.id), &why), 0);
    refresh();
    assert_int_equal(still_valid(&match, 1), PST_KEY_UNKNOWN);
    assert_int_equal(check(made.secrets[0].text), PST_KEY_UNKNOWN);
    assert_int_equal(check(AZURE1), PST_KEY_UNKNOWN);
    assert_int_equal(check(stays.secrets[0].text), PST_KEY_OK);
    struct pst_keyring_stats stats;
    pst_keyring_stats(ring, &stats);
    assert_int_equal(stats.keys, 1);
}

static void test_still_valid_of_nobody(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a");
    refresh();
    const struct pst_key_match nobody = {0};
    struct pst_key_match match;
    assert_int_equal(still_valid(&nobody, 1), PST_KEY_UNKNOWN);
    assert_int_equal(check_at(pst_secret_str(&made.secrets[0]), 1, &match), PST_KEY_OK);
    assert_int_equal(still_valid(&match, 1), PST_KEY_OK);
    match.secret_slot = 2; /* the other secret is another one */
    assert_int_equal(still_valid(&match, 1), PST_KEY_UNKNOWN);
    match.secret_slot = 3;
    assert_int_equal(still_valid(&match, 1), PST_KEY_UNKNOWN);
}

/* What is loaded at the start is what refreshes would have brought. */
static void test_loaded_anew(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a"), gone = rig_make(keys, "b"), off = rig_make(keys, "c");
    struct pst_why why;
    rig_import(keys, "d", AZURE1, AZURE2);
    struct pst_secret fresh = rig_rotate(keys, made.id, 2, DAY_US);
    assert_int_equal(pst_keys_remove(keys, pst_str_of(gone.id), &why), 0);
    assert_int_equal(pst_keys_enable(keys, pst_str_of(off.id), false, &why), 0);
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            refresh();
        else
            pst_keyring_free(ring);
        if (round == 1)
            assert_int_equal(pst_keyring_open(&ring, rig.dir, 2), 0);
        assert_int_equal(pst_keyring_refresh(ring), 0);
        assert_int_equal(check(made.secrets[0].text), PST_KEY_OK);
        assert_int_equal(check(made.secrets[1].text), PST_KEY_OK);
        assert_int_equal(check(fresh.text), PST_KEY_OK);
        assert_int_equal(check(gone.secrets[0].text), PST_KEY_UNKNOWN);
        assert_int_equal(check(off.secrets[0].text), PST_KEY_DISABLED);
        assert_int_equal(check(AZURE1), PST_KEY_OK);
        assert_int_equal(check(AZURE2), PST_KEY_OK);
        struct pst_keyring_stats stats;
        pst_keyring_stats(ring, &stats);
        assert_int_equal(stats.keys, 3);
    }
}

/* Sweeping what has no effect any more is no change. */
static void test_purge_is_no_change(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a");
    rig_rotate(keys, made.id, 1, 1000);
    refresh();
    usleep(2000);
    assert_int_equal(pst_keys_purge(pst_keys_service_store(keys), pst_clock_real_us()), 1);
    assert_int_equal(pst_keyring_refresh(ring), 0);
    assert_int_equal(check(made.secrets[0].text), PST_KEY_EXPIRED);
}

/* Keys are served from what was last read, whatever happens to the database; and from it again afterwards. */
static void test_refresh_fails(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "a");
    struct pst_keyring_stats stats;
    refresh();
    pst_log_setup(PST_LOG_ERROR, PST_LOG_TEXT);
    rig_sql(&rig, "keys.db", "ALTER TABLE change RENAME TO hidden");
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(pst_keyring_refresh(ring), -PST_EDB);
        pst_keyring_stats(ring, &stats);
        assert_true(stats.stale);
        assert_int_equal(stats.refresh_errors, i);
        assert_int_equal(check(made.secrets[0].text), PST_KEY_OK);
    }
    rig_sql(&rig, "keys.db", "ALTER TABLE hidden RENAME TO change");
    assert_int_equal(pst_keyring_refresh(ring), 0);
    struct pst_key_made next = rig_make(keys, "b");
    refresh();
    pst_keyring_stats(ring, &stats);
    assert_false(stats.stale);
    assert_int_equal(stats.refresh_errors, 3);
    assert_int_equal(stats.keys, 2);
    assert_int_equal(check(next.secrets[0].text), PST_KEY_OK);
}

static void test_open_refusals(void **state)
{
    (void)state;
    struct pst_keyring *other = NULL;
    rig_make(keys, "there");
    pst_log_setup(PST_LOG_ERROR, PST_LOG_TEXT);
    assert_int_equal(pst_keyring_open(&other, rig.dir, PST_KEYRING_MAX_READERS + 1), -PST_EINVAL);
    assert_int_equal(pst_keyring_open(&other, rig_path(&rig, "no/parent"), 1), -PST_ENOENT);
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    assert_int_equal(pst_keyring_open(&other, rig.dir, 1), -PST_ENOENT); /* the pepper is lost */
    assert_int_equal(access(rig_path(&rig, PST_PEPPER_FILE), F_OK), -1);
    rig_sql(&rig, "keys.db", "PRAGMA user_version=99");
    assert_int_equal(pst_keyring_open(&other, rig.dir, 1), -PST_EVERSION);
    assert_null(other);
    pst_keyring_free(NULL);
}

/* An empty directory, nobody having called the command line: the gateway starts, with no keys. */
static void test_fresh_directory(void **state)
{
    (void)state;
    struct pst_keyring *fresh = NULL;
    struct pst_keyring_stats stats;
    char dir[512];
    snprintf(dir, sizeof(dir), "%s", rig_path(&rig, "fresh"));
    assert_int_equal(pst_keyring_open(&fresh, dir, 0), 0);
    pst_keyring_stats(fresh, &stats);
    assert_int_equal(stats.keys, 0);
    assert_true(stats.bytes > 0);
    pst_keyring_free(fresh);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"ok", "malformed", "unknown", "disabled", "expired", "not_yet"};
    for (int i = PST_KEY_OK; i <= PST_KEY_NOT_YET; i++)
        assert_string_equal(pst_key_verdict_text((enum pst_key_verdict)i), texts[i]);
}

/* An older copy is put back into the database under a running gateway (`.restore` of sqlite3 does it in a
 * transaction): keys that came since are gone, and what was rotated away works again. */
static void test_restored(void **state)
{
    (void)state;
    char copy[300], sql[600];
    snprintf(copy, sizeof(copy), "%s/copy.db", rig.dir);
    struct pst_key_made stays = rig_make(keys, "stays"), deleted = rig_make(keys, "deleted later");
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", copy);
    rig_sql(&rig, PST_KEYS_FILE, sql);
    struct pst_key_made later = rig_make(keys, "later");
    struct pst_secret rotated = rig_rotate(keys, stays.id, 1, 0);
    struct pst_why why = {0};
    assert_int_equal(pst_keys_remove(keys, pst_str_of(deleted.id), &why), 0);
    refresh();
    assert_int_equal(check(later.secrets[0].text), PST_KEY_OK);
    snprintf(sql, sizeof(sql),
             "ATTACH '%s' AS old; BEGIN; DELETE FROM key; INSERT INTO key SELECT * FROM old.key;"
             " UPDATE change SET seq = (SELECT seq FROM old.change); COMMIT",
             copy);
    rig_sql(&rig, PST_KEYS_FILE, sql);
    refresh();
    assert_int_equal(check(later.secrets[0].text), PST_KEY_UNKNOWN);
    assert_int_equal(check(rotated.text), PST_KEY_UNKNOWN);
    assert_int_equal(check(stays.secrets[0].text), PST_KEY_OK);
    assert_int_equal(check(deleted.secrets[0].text), PST_KEY_OK);
}

/* Another file under the name: neither side takes what the other writes for its own. */
static void test_replaced(void **state)
{
    (void)state;
    char away[300];
    struct pst_key_made made = rig_make(keys, "a");
    refresh();
    snprintf(away, sizeof(away), "%s/away.db", rig.dir);
    assert_int_equal(rename(rig_path(&rig, PST_KEYS_FILE), away), 0);
    for (int i = 0; i < 2; i++) { /* removed, then replaced */
        struct pst_key_made other;
        struct pst_why why = {0};
        struct pst_keyring_stats stats;
        const struct pst_key_new request = {.name = PST_STR("b")};
        assert_int_equal(pst_keyring_refresh(ring), -PST_EDB);
        pst_keyring_stats(ring, &stats);
        assert_true(stats.stale);
        assert_int_equal(check(made.secrets[0].text), PST_KEY_OK); /* as last read */
        assert_int_equal(pst_keys_make(keys, &request, &other, &why), -PST_EDB);
        if (strstr(why.text, i == 0 ? "was removed while it was open" : "was replaced while it was open") ==
            NULL)
            fail_msg("%s", why.text);
        rig_write(&rig, PST_KEYS_FILE, "", 0, 0600);
    }
    assert_int_equal(rename(away, rig_path(&rig, PST_KEYS_FILE)), 0);
    assert_int_equal(pst_keyring_refresh(ring), 0);
    rig_make(keys, "b");
    refresh();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_restored),        TEST(test_replaced),
        TEST(test_generated),       TEST(test_unknown_and_malformed),
        TEST(test_imported),        TEST(test_imported_by_the_next),
        TEST(test_disabled),        TEST(test_times_to_the_microsecond),
        TEST(test_rotation),        TEST(test_both_rotated),
        TEST(test_delete),          TEST(test_still_valid_of_nobody),
        TEST(test_loaded_anew),     TEST(test_purge_is_no_change),
        TEST(test_refresh_fails),   TEST(test_open_refusals),
        TEST(test_fresh_directory), TEST(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
