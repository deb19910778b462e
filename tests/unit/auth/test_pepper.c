/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/pepper.h"

#include "postern/auth/admin_token.h"
#include "postern/auth/keyring.h"
#include "postern/base/num.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct rig rig;

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

/* Loading must fail with `err`, say where, and leave the file as it is. */
static void expect_refusal(int err, bool may_create)
{
    struct pst_pepper pepper;
    struct pst_why why = {0};
    assert_int_equal(pst_pepper_load(rig.dir, may_create, &pepper, &why), err);
    assert_non_null(strstr(why.text, rig_path(&rig, PST_PEPPER_FILE)));
}

static void load(struct pst_pepper *ret)
{
    struct pst_why why = {0};
    if (pst_pepper_load(rig.dir, false, ret, &why) < 0)
        fail_msg("%s", why.text);
}

static void test_made_once(void **state)
{
    (void)state;
    struct pst_pepper first, again;
    struct pst_why why = {0};
    struct stat st;
    umask(0);
    assert_int_equal(pst_pepper_load(rig.dir, true, &first, &why), 0);
    assert_int_equal(stat(rig_path(&rig, PST_PEPPER_FILE), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(pst_pepper_load(rig.dir, true, &again, &why), 0);
    assert_memory_equal(first.bytes, again.bytes, PST_PEPPER_BYTES);
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    assert_int_equal(pst_pepper_load(rig.dir, true, &again, &why), 0);
    assert_memory_not_equal(first.bytes, again.bytes, PST_PEPPER_BYTES);
    pst_pepper_done(&again);
    static const struct pst_pepper nothing;
    assert_memory_equal(&again, &nothing, sizeof(again));
}

static void test_missing(void **state)
{
    (void)state;
    expect_refusal(-PST_ENOENT, false);
    assert_int_equal(access(rig_path(&rig, PST_PEPPER_FILE), F_OK), -1);
}

static void test_forms(void **state)
{
    (void)state;
    uint8_t expected[PST_PEPPER_BYTES];
    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = (uint8_t)i;
    static const char *const good[] = {HEX, HEX "\n", HEX "\r\n", " " HEX "\t\n\n",
                                       "\xEF\xBB\xBF" HEX "\r\n"};
    struct pst_pepper pepper;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        rig_write(&rig, PST_PEPPER_FILE, good[i], strlen(good[i]), 0600);
        load(&pepper);
        assert_memory_equal(pepper.bytes, expected, sizeof(expected));
    }
    rig_write(&rig, PST_PEPPER_FILE, expected, sizeof(expected), 0400);
    load(&pepper);
    assert_memory_equal(pepper.bytes, expected, sizeof(expected));
    uint8_t with_end[PST_PEPPER_BYTES + 2];
    memcpy(with_end, expected, sizeof(expected));
    memcpy(with_end + sizeof(expected), "\r\n", 2);
    rig_write(&rig, PST_PEPPER_FILE, with_end, sizeof(with_end), 0400);
    load(&pepper);
    assert_memory_equal(pepper.bytes, expected, sizeof(expected));
}

static void test_not_a_pepper(void **state)
{
    (void)state;
    char large[300];
    memset(large, '0', sizeof(large));
    static const char *const bad[] = {"", "\n", "0", HEX "0", HEX "\n0", "x" HEX, "0x" HEX, HEX "\n" HEX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rig_write(&rig, PST_PEPPER_FILE, bad[i], strlen(bad[i]), 0600);
        expect_refusal(-PST_EPARSE, true);
    }
    rig_write(&rig, PST_PEPPER_FILE, HEX, sizeof(HEX) - 2, 0600); /* a digit short */
    expect_refusal(-PST_EPARSE, true);
    rig_write(&rig, PST_PEPPER_FILE, large, sizeof(large), 0600);
    expect_refusal(-PST_EPARSE, true);
}

/* Whoever can read the pepper can try secrets against a copy of the database. One of ours is closed again:
 * the mount of its volume may have opened it. */
static void test_modes(void **state)
{
    (void)state;
    static const unsigned wide[] = {0640, 0604, 0644, 0660, 0602, 0610, 0777, 0440};
    struct pst_pepper pepper;
    struct stat st;
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        rig_write(&rig, PST_PEPPER_FILE, HEX, sizeof(HEX) - 1, wide[i]);
        load(&pepper);
        assert_int_equal(stat(rig_path(&rig, PST_PEPPER_FILE), &st), 0);
        assert_int_equal(st.st_mode & 07777, wide[i] & 0700);
        assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    }
}

static void test_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give a file away */
    rig_write(&rig, PST_PEPPER_FILE, HEX, sizeof(HEX) - 1, 0600);
    assert_int_equal(chown(rig_path(&rig, PST_PEPPER_FILE), 65534, 65534), 0);
    expect_refusal(-PST_EACCES, true);
}

/* As Kubernetes mounts it: behind links, or as a single file into data_dir, below which the data lies. */
static void test_mounted(void **state)
{
    (void)state;
    char own[512];
    struct pst_pepper pepper, again;
    struct pst_why why = {0};
    snprintf(own, sizeof(own), "%s", rig_path(&rig, "private"));
    assert_int_equal(mkdir(own, 0700), 0);
    assert_int_equal(mkdir(rig_path(&rig, "..2026"), 0700), 0);
    rig_write(&rig, "..2026/pepper", HEX, sizeof(HEX) - 1, 0400);
    assert_int_equal(symlink("..2026", rig_path(&rig, "..data")), 0);
    assert_int_equal(symlink("..data/pepper", rig_path(&rig, PST_PEPPER_FILE)), 0);
    load(&pepper);
    if (pst_pepper_load(own, true, &again, &why) < 0)
        fail_msg("%s", why.text);
    assert_memory_equal(pepper.bytes, again.bytes, PST_PEPPER_BYTES);
    assert_int_equal(access(rig_path(&rig, "private/pepper"), F_OK), -1);
    /* One of its own comes first. */
    rig_write(&rig, "private/pepper", HEX, sizeof(HEX) - 3, 0600);
    assert_int_equal(pst_pepper_load(own, true, &again, &why), -PST_EPARSE);
}

static void test_not_a_file(void **state)
{
    (void)state;
    char target[512];
    snprintf(target, sizeof(target), "%s", rig_path(&rig, "elsewhere"));
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, rig_path(&rig, PST_PEPPER_FILE)), 0);
    expect_refusal(-PST_EACCES, true);
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    assert_int_equal(mkdir(rig_path(&rig, PST_PEPPER_FILE), 0700), 0);
    expect_refusal(-PST_EACCES, true);
    assert_int_equal(rmdir(rig_path(&rig, PST_PEPPER_FILE)), 0);
    assert_int_equal(mkfifo(rig_path(&rig, PST_PEPPER_FILE), 0600), 0);
    expect_refusal(-PST_EACCES, true); /* and does not hang */
}

/* Several processes that start together end up with one pepper. */
static void test_race(void **state)
{
    (void)state;
    enum { PROCESSES = 8 };
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct pst_pepper mine;
            struct pst_why why;
            bool ok = pst_pepper_load(rig.dir, true, &mine, &why) == 0 &&
                      write(fds[1], mine.bytes, sizeof(mine.bytes)) == sizeof(mine.bytes);
            _exit(ok ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct pst_pepper pepper;
    load(&pepper);
    for (int i = 0; i < PROCESSES; i++) {
        uint8_t theirs[PST_PEPPER_BYTES];
        assert_int_equal(read(fds[0], theirs, sizeof(theirs)), (int)sizeof(theirs));
        assert_memory_equal(theirs, pepper.bytes, sizeof(theirs));
    }
    close(fds[0]);
    close(fds[1]);
}

/* HMAC-SHA-256 under HMAC-SHA-256(pepper, purpose); the expected value is Python's hmac module's. */
static void test_derive(void **state)
{
    (void)state;
    rig_write(&rig, PST_PEPPER_FILE, HEX, sizeof(HEX) - 1, 0600);
    struct pst_pepper pepper;
    struct pst_hmac_key keys, other;
    uint8_t digest[PST_SHA256_BYTES], different[PST_SHA256_BYTES], expected[PST_SHA256_BYTES];
    load(&pepper);
    pst_pepper_derive(&pepper, PST_KEY_DIGEST_PURPOSE, &keys);
    pst_pepper_derive(&pepper, "something else", &other);
    pst_hmac_sha256(&keys, PST_STR("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), digest);
    pst_hmac_sha256(&other, PST_STR("0f1e2d3c4b5a69788796a5b4c3d2e1f0"), different);
    assert_int_equal(
        pst_hex_decode(PST_STR("bba7264850a2eb0be9458a4841bd27a7184a23842cf449a0c4cab6092768bb2c"), expected,
                       sizeof(expected)),
        0);
    assert_memory_equal(digest, expected, sizeof(digest));
    assert_memory_not_equal(digest, different, sizeof(digest));
    pst_hmac_key_done(&keys);
    pst_hmac_key_done(&other);
}

/* One letter of it is another. */
static void spoil_pepper(void)
{
    struct pst_pepper pepper;
    char text[2 * PST_PEPPER_BYTES + 1];
    load(&pepper);
    pepper.bytes[0] ^= 1;
    pst_hex_encode(pepper.bytes, sizeof(pepper.bytes), text);
    rig_write(&rig, PST_PEPPER_FILE, text, sizeof(text) - 1, 0600);
}

static void expect_no_service(int err, const char *words)
{
    struct pst_keys *keys = NULL;
    struct pst_keyring *ring = NULL;
    struct pst_why why = {0};
    assert_int_equal(pst_keys_service_open(rig.dir, true, &keys, &why), err);
    if (strstr(why.text, words) == NULL)
        fail_msg("%s", why.text);
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), err);
}

/* From the first secret on that is made under a pepper, another one is told from it. */
static void test_another(void **state)
{
    (void)state;
    struct pst_keys *keys = rig_keys(&rig);
    pst_keys_service_close(keys);
    spoil_pepper();
    keys = rig_keys(&rig); /* nothing depends on it yet */
    rig_make(keys, "a");
    pst_keys_service_close(keys);
    spoil_pepper();
    expect_no_service(-PST_EACCES, "is not the pepper that the keys in");
    spoil_pepper(); /* back again */
    pst_keys_service_close(rig_keys(&rig));
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    expect_no_service(-PST_ENOENT, "is missing");
}

/* Admin tokens are made under it, too: before the first key, and when all keys are gone. */
static void test_tokens_depend(void **state)
{
    (void)state;
    struct pst_keys *keys = rig_keys(&rig);
    struct pst_admin_token_made made;
    struct pst_why why = {0};
    assert_int_equal(pst_admin_token_make(keys, PST_STR("a"), PST_ADMIN_VIEWER, 0, &made, &why), 0);
    pst_keys_service_close(keys);
    spoil_pepper();
    expect_no_service(-PST_EACCES, "is not the pepper");
    assert_int_equal(unlink(rig_path(&rig, PST_PEPPER_FILE)), 0);
    expect_no_service(-PST_ENOENT, "is missing");
}

/* A database from before, in which nothing tells a pepper: what is made next does. */
static void test_older_database(void **state)
{
    (void)state;
    struct pst_keys *keys = rig_keys(&rig);
    struct pst_key_made made = rig_make(keys, "a");
    pst_keys_service_close(keys);
    rig_sql(&rig, PST_KEYS_FILE, "DROP TABLE pepper_check; PRAGMA user_version = 5");
    keys = rig_keys(&rig);
    rig_rotate(keys, made.id, 1, 0);
    pst_keys_service_close(keys);
    spoil_pepper();
    expect_no_service(-PST_EACCES, "is not the pepper");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_pepper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mounted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_race, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_derive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tokens_depend, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_database, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
