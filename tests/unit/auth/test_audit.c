/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: what is written of each change, in whose name, and that nothing of it can be altered
 * unseen. */
#include "postern/auth/admin_token.h"
#include "postern/auth/audit.h"
#include "postern/base/clock.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#define SECRET "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

static struct rig rig;
static struct pst_keys *keys;

static int set_up(void **state)
{
    const struct pst_actor actor = {PST_ACTOR_TOKEN, "t1", "pipeline", "192.0.2.7"};
    (void)state;
    rig_init(&rig);
    keys = rig_keys(&rig);
    pst_keys_set_actor(keys, &actor);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pst_keys_service_close(keys);
    rig_done(&rig);
    return 0;
}

static struct pst_keys_store *store(void)
{
    return pst_keys_service_store(keys);
}

/* "n action target before after" of each row, newest first. */
static int write_line(const struct pst_audit_row *row, void *arg)
{
    char *text = arg;
    size_t used = strlen(text);
    assert_true(pst_str_eq(row->actor_kind, PST_STR("token")) && pst_str_eq(row->actor_id, PST_STR("t1")));
    assert_true(pst_str_eq(row->actor_name, PST_STR("pipeline")));
    assert_true(pst_str_eq(row->address, PST_STR("192.0.2.7")));
    assert_true(llabs(pst_clock_real_us() - row->time_us) < INT64_C(600) * 1000000);
    snprintf(text + used, 65536 - used,
             "%llu " PST_STR_FMT " " PST_STR_FMT " " PST_STR_FMT " " PST_STR_FMT "\n",
             (unsigned long long)row->n, PST_STR_ARG(row->action), PST_STR_ARG(row->target),
             PST_STR_ARG(row->before), PST_STR_ARG(row->after));
    return 0;
}

static const char *trail(const struct pst_audit_filter *filter)
{
    static char text[65536];
    text[0] = '\0';
    assert_int_equal(pst_audit_list(store(), filter, write_line, text), 0);
    return text;
}

static const char *last(void)
{
    const struct pst_audit_filter filter = {.limit = 1};
    return trail(&filter);
}

static void assert_last(const char *action, const char *id, const char *rest)
{
    char expected[512];
    snprintf(expected, sizeof(expected), " %s %s %s\n", action, id, rest);
    const char *line = last();
    assert_string_equal(strchr(line, ' '), expected);
}

static struct pst_audit_verdict verify(const uint8_t *noted)
{
    struct pst_audit_verdict verdict;
    assert_int_equal(pst_audit_verify(store(), noted, &verdict), 0);
    return verdict;
}

static void test_changes_of_a_key(void **state)
{
    (void)state;
    struct pst_why why;
    struct pst_key_made made = rig_make(keys, "first");
    struct pst_str id = pst_str_of(made.id);
    assert_non_null(strstr(last(), "1 key.create"));
    assert_non_null(strstr(last(), "\"name\":\"first\""));
    assert_int_equal(pst_keys_enable(keys, id, false, &why), 0);
    assert_last("key.disable", made.id, "{\"enabled\":true} {\"enabled\":false}");
    assert_int_equal(pst_keys_enable(keys, id, true, &why), 0);
    assert_last("key.enable", made.id, "{\"enabled\":false} {\"enabled\":true}");
    const struct pst_key_row fields = {
        .id = id, .name = PST_STR("second"), .tags = PST_STR("[\"a\"]"), .networks = PST_STR("[]")};
    assert_int_equal(pst_keys_change(keys, &fields,
                                     PST_KEYS_SET_NAME | PST_KEYS_SET_TAGS | PST_KEYS_SET_NETWORKS, 0, &why),
                     0);
    assert_last("key.update", made.id,
                "{\"name\":\"first\",\"tags\":null} {\"name\":\"second\",\"tags\":[\"a\"]}");
    rig_rotate(keys, made.id, 2, 1000000);
    assert_non_null(strstr(last(), "key.rotate"));
    assert_non_null(strstr(last(), "{\"key2\":{\"shown\":"));
    assert_null(strstr(last(), "\"key1\""));
    assert_int_equal(pst_keys_revoke(keys, id, 1, &why), 0);
    assert_non_null(strstr(last(), "{\"key1\":null}\n"));
    assert_int_equal(pst_keys_remove(keys, id, &why), 0);
    assert_non_null(strstr(last(), "7 key.delete"));
    assert_non_null(strstr(last(), "\"name\":\"second\""));
    assert_non_null(strstr(last(), "} \n"));
    assert_int_equal(verify(NULL).last, 7);
}

static void test_no_secret_in_it(void **state)
{
    (void)state;
    struct pst_key_made made = rig_make(keys, "k");
    rig_import(keys, "imported", SECRET, NULL);
    struct pst_secret rotated = rig_rotate(keys, made.id, 1, 1000000);
    const struct pst_audit_filter all = {0};
    const char *text = trail(&all);
    assert_null(strstr(text, SECRET));
    assert_null(strstr(text, rotated.text));
    for (int i = 0; i < 2; i++)
        assert_null(strstr(text, made.secrets[i].text));
    assert_null(strstr(text, "digest"));
    assert_non_null(strstr(text, "2 key.import "));
}

static void test_tokens(void **state)
{
    (void)state;
    struct pst_why why;
    struct pst_admin_token_made made;
    assert_int_equal(pst_admin_token_make(keys, PST_STR("ci"), PST_ADMIN_VIEWER, 0, &made, &why), 0);
    assert_last("admin_token.create", made.id, " {\"name\":\"ci\",\"role\":\"viewer\",\"expires_at\":null}");
    assert_int_equal(pst_admin_token_revoke(keys, pst_str_of(made.id), &why), 0);
    assert_last("admin_token.revoke", made.id, "{\"revoked\":false} {\"revoked\":true}");
    assert_int_equal(pst_admin_token_revoke(keys, PST_STR("nobody"), &why), -PST_ENOENT);
    assert_int_equal(verify(NULL).last, 2);
}

/* What fails is not written down, and what cannot be written down does not happen. */
static void test_both_or_neither(void **state)
{
    (void)state;
    struct pst_why why;
    struct pst_key_made made = rig_make(keys, "k");
    const struct pst_key_row fields = {.id = pst_str_of(made.id), .name = PST_STR("other")};
    assert_int_equal(pst_keys_change(keys, &fields, PST_KEYS_SET_NAME, 99, &why), -PST_EAGAIN);
    assert_int_equal(pst_keys_remove(keys, PST_STR("nobody000000"), &why), -PST_ENOENT);
    assert_int_equal(pst_keys_revoke(keys, pst_str_of(made.id), 3, &why), -PST_EINVAL);
    assert_int_equal(verify(NULL).rows, 1);
    rig_sql(&rig, "keys.db",
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END");
    assert_true(pst_keys_remove(keys, pst_str_of(made.id), &why) < 0);
    assert_non_null(strstr(why.text, "full"));
    const struct pst_key_new request = {.name = PST_STR("lost")};
    assert_true(pst_keys_make(keys, &request, &made, &why) < 0);
    uint64_t n = 0;
    assert_int_equal(pst_keys_count(store(), NULL, &n), 0);
    assert_int_equal(n, 1);
}

static void test_inside_a_transaction(void **state)
{
    (void)state;
    struct pst_why why;
    struct pst_key_made made = rig_make(keys, "k");
    assert_int_equal(pst_keys_begin(store()), 0);
    assert_int_equal(pst_keys_enable(keys, pst_str_of(made.id), false, &why), 0);
    assert_int_equal(pst_audit_note(keys, "session.end", PST_STR("s"), PST_STR(""), PST_STR("{}"), &why), 0);
    pst_keys_rollback(store());
    assert_int_equal(verify(NULL).rows, 1);
    assert_int_equal(pst_keys_begin(store()), 0);
    assert_int_equal(pst_keys_enable(keys, pst_str_of(made.id), false, &why), 0);
    assert_int_equal(pst_audit_note(keys, "session.end", PST_STR("s"), PST_STR(""), PST_STR("{}"), &why), 0);
    assert_int_equal(pst_keys_commit(store()), 0);
    assert_int_equal(verify(NULL).rows, 3);
    assert_last("session.end", "s", " {}");
}

/* The database itself refuses, whoever asks it. */
static void refuses(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open(rig_path(&rig, "keys.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, &message), SQLITE_CONSTRAINT);
    assert_string_equal(message, "the audit trail is append-only");
    sqlite3_free(message);
    sqlite3_close(db);
}

static void make_rows(unsigned n)
{
    struct pst_why why;
    char target[16];
    for (unsigned i = 1; i <= n; i++) {
        snprintf(target, sizeof(target), "t%u", i);
        assert_int_equal(pst_audit_note(keys, i % 2 == 0 ? "key.even" : "token.odd", pst_str_of(target),
                                        PST_STR("{\"a\":1}"), PST_STR("{\"a\":2}"), &why),
                         0);
    }
}

static void test_append_only(void **state)
{
    (void)state;
    make_rows(3);
    refuses("UPDATE audit SET target = 'x' WHERE n = 2");
    refuses("DELETE FROM audit WHERE n = 3");
    refuses("DELETE FROM audit");
    refuses("REPLACE INTO audit SELECT * FROM audit WHERE n = 2");
    refuses("INSERT INTO audit SELECT 9, time_us, 'cli', '', '', '', 'x', '', NULL, NULL, hash FROM audit "
            "WHERE n = 2");
    refuses("UPDATE audit_start SET n = -1");
    refuses("DELETE FROM audit_start");
    assert_int_equal(verify(NULL).rows, 3);
}

/* Past the triggers: every field that is altered shows, and where. */
static void test_altered_rows_show(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "time_us = time_us + 1",
        "actor_kind = 'cli'",
        "actor_id = 't2'",
        "actor_name = ''",
        "address = ''",
        "action = 'token.no'",
        "target = target || ''",
        "before = NULL",
        "after = '{\"a\":3}'",
        "hash = zeroblob(32)",
        "target = 't', action = action || '3'",
    };
    make_rows(5);
    rig_sql(&rig, "keys.db",
            "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; CREATE TABLE kept AS SELECT * FROM "
            "audit");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        char sql[256];
        snprintf(sql, sizeof(sql), "UPDATE audit SET %s WHERE n = 3", changes[i]);
        rig_sql(&rig, "keys.db", sql);
        bool same = strcmp(changes[i], "target = target || ''") == 0; /* the control: nothing was altered */
        assert_int_equal(verify(NULL).broken, same ? 0 : 3);
        assert_false(verify(NULL).missing);
        rig_sql(
            &rig, "keys.db",
            "UPDATE audit SET (time_us, actor_kind, actor_id, actor_name, address, action, target, before, "
            "after, hash) = (SELECT time_us, actor_kind, actor_id, actor_name, address, action, target, "
            "before, after, hash FROM kept WHERE kept.n = audit.n)");
    }
    struct pst_audit_verdict whole = verify(NULL);
    assert_int_equal(whole.broken, 0);
    assert_true(verify(whole.hash).noted_found);
    rig_sql(&rig, "keys.db", "DELETE FROM audit WHERE n = 5"); /* the end cut off shows by what was noted */
    assert_int_equal(verify(whole.hash).broken, 0);
    assert_false(verify(whole.hash).noted_found);
    rig_sql(&rig, "keys.db", "DELETE FROM audit WHERE n = 2");
    struct pst_audit_verdict cut = verify(NULL);
    assert_int_equal(cut.broken, 3);
    assert_true(cut.missing);
}

static void test_filters_and_pages(void **state)
{
    (void)state;
    make_rows(6);
    const struct pst_audit_filter of_kind = {.action = PST_STR("key.")}, exact = {.action = PST_STR("key")},
                                  target = {.target = PST_STR("t3")}, actor = {.actor = PST_STR("pipeline")},
                                  nobody = {.actor = PST_STR("cli")}, later = {.from_us = INT64_MAX},
                                  earlier = {.to_us = 1}, page = {.before_n = 3, .limit = 1};
    uint64_t n = 0;
    const struct {
        const struct pst_audit_filter *filter;
        uint64_t n;
    } counts[] = {{&of_kind, 3}, {&exact, 0}, {&target, 1}, {&actor, 6},
                  {&nobody, 0},  {&later, 0}, {&earlier, 0}};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        assert_int_equal(pst_audit_count(store(), counts[i].filter, &n), 0);
        assert_int_equal(n, counts[i].n);
        unsigned lines = 0;
        for (const char *at = trail(counts[i].filter); *at != '\0'; at++)
            lines += *at == '\n';
        assert_int_equal(lines, n);
    }
    assert_string_equal(trail(&page), "2 key.even t2 {\"a\":1} {\"a\":2}\n");
}

static void test_forgetting(void **state)
{
    (void)state;
    make_rows(10);
    struct pst_audit_verdict before = verify(NULL);
    assert_int_equal(pst_audit_forget(store(), 1, 100), 0);
    assert_int_equal(pst_audit_forget(store(), INT64_MAX, 4), 4);
    struct pst_audit_verdict after = verify(before.hash);
    assert_int_equal(after.first, 5);
    assert_int_equal(after.rows, 6);
    assert_int_equal(after.broken, 0);
    assert_true(after.noted_found);
    refuses("DELETE FROM audit WHERE n = 5");
    assert_int_equal(pst_audit_forget(store(), INT64_MAX, 100), 6);
    assert_int_equal(pst_audit_forget(store(), INT64_MAX, 100), 0);
    assert_true(verify(before.hash).noted_found);
    make_rows(1);
    after = verify(before.hash);
    assert_int_equal(after.last, 11);
    assert_int_equal(after.broken, 0);
}

/* The clock went back: what is young stays, and what stands behind it too. */
static void test_forgets_in_order(void **state)
{
    (void)state;
    const struct pst_actor actor = {0};
    const int64_t times[] = {10, 20, 500, 30, 40};
    for (size_t i = 0; i < 5; i++) {
        const struct pst_audit_event event = {.actor = &actor, .action = PST_STR("a"), .time_us = times[i]};
        assert_int_equal(pst_audit_append(store(), &event), 0);
    }
    assert_int_equal(pst_audit_forget(store(), 100, 100), 2);
    assert_int_equal(pst_audit_forget(store(), 100, 100), 0);
    assert_int_equal(pst_audit_forget(store(), 501, 100), 3);
    assert_int_equal(verify(NULL).broken, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_changes_of_a_key),  TEST(test_no_secret_in_it),      TEST(test_tokens),
        TEST(test_both_or_neither),   TEST(test_inside_a_transaction), TEST(test_append_only),
        TEST(test_altered_rows_show), TEST(test_filters_and_pages),    TEST(test_forgetting),
        TEST(test_forgets_in_order),
    };
    return cmocka_run_group_tests_name("auth/audit", tests, NULL, NULL);
}
