/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes and networks: what compiles, what is permitted, and that no other spelling slips past a prefix. */
#include "../../../gateway/auth/policy.h"

#include "postern/base/net.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

static enum pst_key_verdict judge_from(const char *scopes, const char *networks, const char *method,
                                       const char *path, const uint8_t address[static 16])
{
    struct pst_buf block;
    struct pst_why why = {0};
    pst_buf_init(&block, PST_POLICY_BYTES_MAX);
    int err = pst_policy_compile(pst_str_of(scopes), pst_str_of(networks), &block, &why);
    if (err < 0)
        fail_msg("%s %s: %s", scopes, networks, why.text);
    enum pst_key_verdict verdict = PST_KEY_OK;
    if (pst_buf_len(&block) > 0)
        verdict = pst_policy_judge((const uint8_t *)pst_buf_front(&block), pst_buf_len(&block),
                                   pst_str_of(method), pst_str_of(path), address);
    pst_buf_done(&block);
    return verdict;
}

static enum pst_key_verdict judge(const char *scopes, const char *method, const char *path)
{
    return judge_from(scopes, "", method, path, loopback);
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *scopes, *method, *path;
        enum pst_key_verdict verdict;
    } cases[] = {
        {"", "GET", "/a//../b", PST_KEY_OK},
        {"[]", "GET", "/a//../b", PST_KEY_OK},
        {"[{\"path\":\"/text\"}]", "GET", "/text", PST_KEY_OK},
        {"[{\"path\":\"/text\"}]", "POST", "/text/", PST_KEY_OK},
        {"[{\"path\":\"/text/\"}]", "PURGE", "/text/x/y", PST_KEY_OK},
        {"[{\"path\":\"/text\"}]", "GET", "/texts", PST_KEY_SCOPE},
        {"[{\"path\":\"/text\"}]", "GET", "/Text", PST_KEY_SCOPE},
        {"[{\"path\":\"/text\"}]", "GET", "/%74ext", PST_KEY_SCOPE},
        {"[{\"path\":\"/text\"}]", "GET", "/", PST_KEY_SCOPE},
        {"[{\"path\":\"/text\"}]", "OPTIONS", "*", PST_KEY_SPELLING},
        {"[{\"path\":\"/\"}]", "GET", "/anything", PST_KEY_OK},
        {"[{\"path\":\"/\"}]", "GET", "/", PST_KEY_OK},
        {"[{\"path\":\"/a\",\"methods\":[\"GET\"]}]", "HEAD", "/a/b", PST_KEY_OK},
        {"[{\"path\":\"/a\",\"methods\":[\"GET\"]}]", "POST", "/a/b", PST_KEY_SCOPE},
        {"[{\"path\":\"/a\",\"methods\":[\"GET\"]}]", "get", "/a/b", PST_KEY_SCOPE},
        {"[{\"path\":\"/a\",\"methods\":[\"GET\"]},{\"path\":\"/b\"}]", "PUT", "/b/c", PST_KEY_OK},
        {"[{\"path\":\"/a\"}]", "GET", "/a/../b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%2E%2e/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/.%2e", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/.", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%2e/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a//b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "//a", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/..%2fb", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a%2F..", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%5c..%5Cb", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/x%00", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/..;/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%2e%2e;x=y/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/..%3b/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%252e%252e/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/%c0%ae%c0%ae/b", PST_KEY_SPELLING},
        {"[{\"path\":\"/a\"}]", "GET", "/a/...", PST_KEY_OK},
        {"[{\"path\":\"/a\"}]", "GET", "/a/.well-known/x%20y", PST_KEY_OK},
        {"[{\"path\":\"/a\"}]", "GET", "/a/b..c", PST_KEY_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum pst_key_verdict verdict = judge(cases[i].scopes, cases[i].method, cases[i].path);
        if (verdict != cases[i].verdict)
            fail_msg("%s %s %s: %s", cases[i].scopes, cases[i].method, cases[i].path,
                     pst_key_verdict_text(verdict));
    }
}

static void test_networks(void **state)
{
    (void)state;
    uint8_t six[16] = {0xfd, 1, [15] = 9};
    assert_int_equal(judge_from("", "[\"127.0.0.0/8\"]", "GET", "//", loopback), PST_KEY_OK);
    assert_int_equal(judge_from("", "[\"127.0.0.1\"]", "GET", "/", loopback), PST_KEY_OK);
    assert_int_equal(judge_from("", "[\"10.0.0.0/8\",\"fd00::/8\"]", "GET", "/", loopback), PST_KEY_NETWORK);
    assert_int_equal(judge_from("", "[\"10.0.0.0/8\",\"fd00::/8\"]", "GET", "/", six), PST_KEY_OK);
    assert_int_equal(judge_from("[{\"path\":\"/a\"}]", "[\"fd00::/8\"]", "GET", "/a", six), PST_KEY_OK);
    assert_int_equal(judge_from("[{\"path\":\"/a\"}]", "[\"fd00::/8\"]", "GET", "/b", six), PST_KEY_SCOPE);
    assert_int_equal(judge_from("[{\"path\":\"/a\"}]", "[\"fd00::/8\"]", "GET", "/a", loopback),
                     PST_KEY_NETWORK);
}

static void test_refused_rules(void **state)
{
    (void)state;
    static const struct {
        const char *scopes, *networks, *field;
    } cases[] = {
        {"{}", "", "scopes"},
        {"[", "", "scopes"},
        {"[1]", "", "scopes"},
        {"[{}]", "", "scopes"},
        {"[{\"path\":\"a\"}]", "", "scopes"},
        {"[{\"path\":\"/a/../b\"}]", "", "scopes"},
        {"[{\"path\":\"/a//b\"}]", "", "scopes"},
        {"[{\"path\":\"/a%2fb\"}]", "", "scopes"},
        {"[{\"path\":\"/a?b\"}]", "", "scopes"},
        {"[{\"path\":\"/a;b\"}]", "", "scopes"},
        {"[{\"path\":\"/a\",\"methods\":[]}]", "", "scopes"},
        {"[{\"path\":\"/a\",\"methods\":[\"get\"]}]", "", "scopes"},
        {"[{\"path\":\"/a\",\"methods\":\"GET\"}]", "", "scopes"},
        {"[{\"path\":\"/a\",\"method\":[\"GET\"]}]", "", "scopes"},
        {"", "[\"10.0.0.1/8\"]", "networks"},
        {"", "[\"localhost\"]", "networks"},
        {"", "[7]", "networks"},
        {"", "\"10.0.0.0/8\"", "networks"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pst_buf block;
        struct pst_why why = {0};
        pst_buf_init(&block, PST_POLICY_BYTES_MAX);
        assert_int_equal(
            pst_policy_compile(pst_str_of(cases[i].scopes), pst_str_of(cases[i].networks), &block, &why),
            -PST_EINVAL);
        assert_string_equal(why.field, cases[i].field);
        assert_int_equal(pst_buf_len(&block), 0);
        pst_buf_done(&block);
    }
}

/* As many and as long as may be, and one more. */
static void test_bounds(void **state)
{
    (void)state;
    static char text[PST_POLICY_SCOPES_MAX * (PST_POLICY_PREFIX_MAX + 40)];
    for (int n = PST_POLICY_SCOPES_MAX; n <= PST_POLICY_SCOPES_MAX + 1; n++) {
        size_t at = 0;
        text[at++] = '[';
        for (int i = 0; i < n; i++)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%s{\"path\":\"/%0*d\"}", i > 0 ? "," : "",
                                   PST_POLICY_PREFIX_MAX - 1, i);
        snprintf(text + at, sizeof(text) - at, "]");
        struct pst_buf block;
        struct pst_why why;
        pst_buf_init(&block, PST_POLICY_BYTES_MAX);
        int err = pst_policy_compile(pst_str_of(text), pst_str_of(""), &block, &why);
        assert_int_equal(err, n > PST_POLICY_SCOPES_MAX ? -PST_EINVAL : 0);
        pst_buf_done(&block);
    }
}

static void set_rules(struct pst_keys *keys, const char *id, const char *scopes, const char *networks)
{
    const struct pst_key_row row = {
        .id = pst_str_of(id), .scopes = pst_str_of(scopes), .networks = pst_str_of(networks)};
    assert_int_equal(pst_keys_update(pst_keys_service_store(keys), &row,
                                     PST_KEYS_SET_SCOPES | PST_KEYS_SET_NETWORKS, 0, 1),
                     0);
}

static enum pst_key_verdict ask(struct pst_keyring *ring, const char *id, const char *path)
{
    struct pst_key_match match;
    pst_keyring_reader_enter(ring, 0);
    enum pst_key_verdict verdict = pst_keyring_check_id(ring, 0, pst_str_of(id), 1, &match);
    if (verdict == PST_KEY_OK) {
        assert_int_equal(match.secret_slot, 0);
        assert_int_equal(match.generation, 0);
        assert_int_equal(pst_keyring_still_valid(ring, 0, &match, 1), PST_KEY_OK);
        verdict = pst_keyring_permits(ring, 0, &match, PST_STR("GET"), pst_str_of(path), loopback);
        assert_true(verdict == PST_KEY_OK || match.has_policy); /* or the question would not be asked */
    }
    pst_keyring_reader_idle(ring, 0);
    return verdict;
}

/* Through the database: set, changed beside others, unreadable, taken away, deleted. */
static void test_in_the_keyring(void **state)
{
    (void)state;
    struct rig rig;
    struct pst_keyring *ring;
    struct pst_why why;
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    static struct pst_key_made made[300];
    for (size_t i = 0; i < 300; i++)
        made[i] = rig_make(keys, "k");
    set_rules(keys, made[0].id, "[{\"path\":\"/0\"}]", "");
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
    assert_int_equal(ask(ring, made[0].id, "/0/x"), PST_KEY_OK);
    assert_int_equal(ask(ring, made[0].id, "/1"), PST_KEY_SCOPE);
    assert_int_equal(ask(ring, made[1].id, "//"), PST_KEY_OK);
    assert_int_equal(ask(ring, "zzzzzzzzzzzz", "/"), PST_KEY_UNKNOWN);
    assert_int_equal(ask(ring, "no id", "/"), PST_KEY_UNKNOWN);
    char scopes[300][40];
    for (size_t i = 0; i < 300; i++) {
        snprintf(scopes[i], sizeof(scopes[i]), "[{\"path\":\"/%zu\"}]", i);
        set_rules(keys, made[i].id, scopes[i], "");
    }
    assert_int_equal(pst_keyring_refresh(ring), 1);
    for (size_t i = 0; i < 300; i++) {
        char path[8];
        snprintf(path, sizeof(path), "/%zu", i);
        assert_int_equal(ask(ring, made[i].id, path), PST_KEY_OK);
        assert_int_equal(ask(ring, made[(i + 1) % 300].id, path), PST_KEY_SCOPE);
    }
    set_rules(keys, made[0].id, "a newer version's", "");
    set_rules(keys, made[1].id, "", "");
    set_rules(keys, made[2].id, "", "[\"10.0.0.0/8\"]");
    assert_int_equal(pst_keys_remove(keys, pst_str_of(made[3].id), &why), 0);
    assert_int_equal(pst_keyring_refresh(ring), 1);
    assert_int_equal(ask(ring, made[0].id, "/0"), PST_KEY_SCOPE);
    assert_int_equal(ask(ring, made[1].id, "/x//"), PST_KEY_OK);
    assert_int_equal(ask(ring, made[2].id, "/2"), PST_KEY_NETWORK);
    assert_int_equal(ask(ring, made[3].id, "/3"), PST_KEY_UNKNOWN);
    assert_int_equal(ask(ring, made[4].id, "/4"), PST_KEY_OK);
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

/* A secret that two keys had, one after the other: the one where it works on is found. */
static void test_rotated_away_twice(void **state)
{
    (void)state;
    static const char azure[] = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    struct rig rig;
    struct pst_keyring *ring;
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    for (int longer = 0; longer < 2; longer++) {
        struct pst_key_made first = rig_import(keys, "first", azure, NULL);
        struct pst_secret secret = rig_rotate(keys, first.id, 1, 1);
        pst_secret_done(&secret);
        struct pst_key_made second = rig_import(keys, "second", azure, NULL);
        secret = rig_rotate(keys, second.id, 1, INT64_C(3600) * 1000000);
        pst_secret_done(&secret);
        assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
        struct pst_key_match match;
        pst_keyring_reader_enter(ring, 0);
        struct pst_key_row row;
        struct pst_arena arena;
        pst_arena_init(&arena, 1024, 65536);
        assert_int_equal(pst_keys_get(pst_keys_service_store(keys), pst_str_of(second.id), &arena, &row), 0);
        int64_t until_us = row.slot[0].old_valid_until_us;
        assert_int_equal(pst_keyring_check(ring, 0, PST_STR(azure), until_us - 1, &match), PST_KEY_OK);
        assert_string_equal(match.id, second.id);
        assert_false(match.has_policy);
        assert_int_equal(pst_keyring_check(ring, 0, PST_STR(azure), until_us, &match), PST_KEY_EXPIRED);
        pst_arena_done(&arena);
        pst_keyring_reader_idle(ring, 0);
        pst_keyring_free(ring);
        struct pst_why why;
        assert_int_equal(pst_keys_remove(keys, pst_str_of(second.id), &why), 0);
    }
    pst_keys_service_close(keys);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),       cmocka_unit_test(test_networks),
        cmocka_unit_test(test_refused_rules),  cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_in_the_keyring), cmocka_unit_test(test_rotated_away_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
