/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage: which tables answer, and that a database from before one of them is brought up to it. */
#include "postern/db/usage_store.h"
#include "scratch.h"

#include <sqlite3.h>

#define HOUR_US  (INT64_C(3600) * 1000000)
#define DAY      20000 /* since 1970 */
#define DAY_US   (24 * HOUR_US)
#define N_DAYS   4
#define STATUSES 2

static int scratch_store(void **state, struct pst_usage_store **ret)
{
    return pst_usage_store_open(*state, PST_DB_WRITE, ret, NULL);
}

/* In each hour of the days one request of each of two keys and statuses, with 1 byte in, 10 out. */
static void fill(struct pst_usage_store *store)
{
    int64_t keys[2], route;
    assert_int_equal(pst_usage_store_begin(store), 0);
    assert_int_equal(pst_usage_store_key(store, PST_STR("one"), &keys[0]), 0);
    assert_int_equal(pst_usage_store_key(store, PST_STR("two"), &keys[1]), 0);
    assert_int_equal(pst_usage_store_route(store, PST_STR("/a"), &route), 0);
    for (int i = 0; i < N_DAYS * 24 * 2 * STATUSES; i++) {
        struct pst_usage_sum sum = {
            .hour = DAY * 24 + i / (2 * STATUSES),
            .key = keys[i % 2],
            .route = route,
            .status = i / 2 % STATUSES == 0 ? 200 : 500,
            .requests = 1,
            .bytes_in = 1,
            .bytes_out = 10,
            .duration_max_us = (uint64_t)i,
        };
        assert_int_equal(pst_usage_store_add_sum(store, &sum), 0);
    }
    assert_int_equal(pst_usage_store_commit(store), 0);
}

struct total {
    unsigned lines;
    uint64_t requests, errors, bytes_out, longest_us;
};

static int add(const struct pst_usage_line *line, void *arg)
{
    struct total *t = arg;
    t->lines++;
    t->requests += line->requests;
    t->errors += line->errors;
    t->bytes_out += line->bytes_out;
    t->longest_us = line->duration_max_us > t->longest_us ? line->duration_max_us : t->longest_us;
    return 0;
}

static struct total ask(struct pst_usage_store *store, struct pst_usage_query query)
{
    struct total t = {0};
    assert_int_equal(pst_usage_store_sums(store, &query, add, &t), 0);
    return t;
}

/* From `first` hours behind the first day's beginning to `last`; both 0: all. */
static void assert_sums(struct pst_usage_store *store, unsigned by, int first, int last, unsigned lines)
{
    int hours = last > 0 ? last - first : N_DAYS * 24;
    const struct pst_usage_query query = {.by = by,
                                          .from_us = last > 0 ? DAY * DAY_US + first * HOUR_US : 0,
                                          .to_us = last > 0 ? DAY * DAY_US + last * HOUR_US : 0};
    struct total all = ask(store, query);
    assert_int_equal(all.lines, lines);
    assert_int_equal(all.requests, hours * 4);
    assert_int_equal(all.errors, hours * 2);
    assert_int_equal(all.bytes_out, hours * 40);
    assert_int_equal(all.longest_us, (last > 0 ? last : N_DAYS * 24) * 4 - 1);
    struct pst_usage_query one = query;
    one.key = PST_STR("two");
    assert_int_equal(ask(store, one).requests, hours * 2);
    one.status = 500;
    assert_int_equal(ask(store, one).requests, hours);
}

static void assert_all_sums(struct pst_usage_store *store)
{
    assert_sums(store, 0, 0, 0, 1);
    assert_sums(store, PST_BY_DAY, 0, 0, N_DAYS);
    assert_sums(store, PST_BY_DAY, 24, 72, 2); /* whole days */
    assert_sums(store, PST_BY_DAY, 5, 67, 3);  /* both ends cut a day */
    assert_sums(store, PST_BY_DAY, 5, 72, 3);  /* one */
    assert_sums(store, PST_BY_DAY, 24, 67, 2); /* the other */
    assert_sums(store, PST_BY_DAY, 30, 40, 1); /* within a day */
    assert_sums(store, PST_BY_DAY, 20, 30, 2); /* over midnight, no whole day */
    assert_sums(store, PST_BY_HOUR, 5, 67, 62);
    assert_sums(store, PST_BY_KEY, 5, 67, 2);
    assert_sums(store, PST_BY_STATUS | PST_BY_DAY, 5, 67, 6);
    assert_sums(store, PST_BY_CLASS | PST_BY_DAY, 5, 67, 6);
    assert_sums(store, PST_BY_CLASS | PST_BY_KEY, 5, 67, 4);
    assert_sums(store, PST_BY_KEY | PST_BY_ROUTE | PST_BY_STATUS, 24, 67, 4);
}

static void test_sums(void **state)
{
    struct pst_usage_store *store = NULL;
    assert_int_equal(scratch_store(state, &store), 0);
    fill(store);
    assert_all_sums(store);
    pst_usage_store_close(store);
}

/* What was asked of days that have been forgotten is gone from every table. */
static void test_forgotten(void **state)
{
    struct pst_usage_store *store = NULL;
    const struct pst_usage_query by_day = {.by = PST_BY_DAY}, by_key = {.by = PST_BY_KEY};
    assert_int_equal(scratch_store(state, &store), 0);
    fill(store);
    while (pst_usage_store_forget(store, 0, 0, DAY + 3, 0) > 0)
        ;
    assert_int_equal(ask(store, by_day).lines, 1);
    assert_int_equal(ask(store, by_day).requests, ask(store, by_key).requests);
    pst_usage_store_close(store);
}

static void test_migration(void **state)
{
    struct pst_usage_store *store = NULL;
    char path[256];
    sqlite3 *db;
    assert_int_equal(scratch_store(state, &store), 0);
    fill(store);
    pst_usage_store_close(store);
    scratch_path(path, sizeof(path), state, PST_USAGE_FILE);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE daily_total; PRAGMA user_version = 2", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(scratch_store(state, &store), 0);
    assert_all_sums(store);
    pst_usage_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sums, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_migration, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
