/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of usage: which tables answer, and that a database from before one of them is brought up to it. */
#include "postern/db/usage_store.h"
#include "postern/usage/record.h"
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

/* Errors and endpoints: each is summed alone, with others, and by what is asked for; requests without any are
 * the empty group. */

static const struct {
    const char *error, *endpoint;
    uint32_t method, status;
} groups[] = {{"", "a:1", PST_USAGE_GET, 200},
              {"", "b:2", PST_USAGE_POST, 200},
              {"key_missing", "", PST_USAGE_GET, 401},
              {"upstream_reset", "a:1", PST_USAGE_DELETE, 502},
              {"upstream_reset", "b:2", PST_USAGE_OPTIONS, 502}};

/* The first has 1 request, the second 10, and so on. */
static void assert_group(const struct pst_usage_line *line)
{
    size_t i = 0;
    for (uint64_t n = line->requests; n >= 10; n /= 10)
        i++;
    assert_in_range(i, 0, sizeof groups / sizeof groups[0] - 1);
    assert_true(pst_str_eq(line->error, pst_str_of(groups[i].error)));
    assert_true(pst_str_eq(line->endpoint, pst_str_of(groups[i].endpoint)));
    assert_int_equal(line->method, groups[i].method);
}

static int see_group(const struct pst_usage_line *line, void *arg)
{
    assert_group(line);
    (*(unsigned *)arg)++;
    return 0;
}

static void fill_errors(struct pst_usage_store *store)
{
    uint64_t requests = 1;
    assert_int_equal(pst_usage_store_begin(store), 0);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++, requests *= 10) {
        struct pst_usage_sum sum = {
            .hour = DAY * 24, .method = groups[i].method, .status = groups[i].status, .requests = requests};
        assert_int_equal(pst_usage_store_name(store, pst_str_of(groups[i].error), &sum.error), 0);
        assert_int_equal(pst_usage_store_name(store, pst_str_of(groups[i].endpoint), &sum.endpoint), 0);
        assert_int_equal(pst_usage_store_add_sum(store, &sum), 0);
        assert_int_equal(pst_usage_store_add_sum(store, &sum), 0);
        sum.requests = -requests; /* added twice and taken back once: one group */
        assert_int_equal(pst_usage_store_add_sum(store, &sum), 0);
    }
    assert_int_equal(pst_usage_store_commit(store), 0);
}

static void test_errors(void **state)
{
    struct pst_usage_store *store = NULL;
    unsigned lines = 0;
    assert_int_equal(scratch_store(state, &store), 0);
    fill_errors(store);
    for (unsigned time = 0; time <= PST_BY_DAY; time = time == 0 ? PST_BY_HOUR : time * 2) {
        const struct pst_usage_query all = {.by = PST_BY_ERROR | PST_BY_ENDPOINT | PST_BY_METHOD | time};
        assert_int_equal(pst_usage_store_sums(store, &all, see_group, &lines), 0);
    }
    assert_int_equal(lines, 3 * 5);
    assert_int_equal(ask(store, (struct pst_usage_query){.by = PST_BY_ERROR}).lines, 3);
    assert_int_equal(ask(store, (struct pst_usage_query){.by = PST_BY_ENDPOINT}).lines, 3);
    assert_int_equal(ask(store, (struct pst_usage_query){.by = PST_BY_ERROR | PST_BY_DAY}).lines, 3);
    assert_int_equal(ask(store, (struct pst_usage_query){.by = PST_BY_METHOD}).lines, 4);
    struct pst_usage_query of = {.by = PST_BY_DAY, .error = PST_STR("upstream_reset")};
    assert_int_equal(ask(store, of).requests, 11000);
    of.by = PST_BY_HOUR | PST_BY_ENDPOINT;
    assert_int_equal(ask(store, of).requests, 11000);
    of.error = PST_STR("no_such_error");
    assert_int_equal(ask(store, of).requests, 0);
    pst_usage_store_close(store);
}

/* A request as it was written, newest first. */
static int see_request(const struct pst_usage_request *request, void *arg)
{
    unsigned *n = arg;
    bool first = (*n)++ == 0;
    assert_true(pst_str_eq(request->error, pst_str_of(first ? "job" : "")));
    assert_true(pst_str_eq(request->endpoint, pst_str_of(first ? "" : "a:1")));
    assert_true(pst_str_eq(request->rule, pst_str_of(first ? "/speech" : "")));
    assert_int_equal(request->row.what >> 48 & 255, first ? 0 : 3);
    assert_int_equal(request->row.what >> 32 & 65535, 54321);
    return 0;
}

static void test_requests(void **state)
{
    struct pst_usage_store *store = NULL;
    static const uint8_t client[4];
    struct pst_usage_row row = {.time_us = DAY * DAY_US, .client = client, .client_len = 4};
    struct pst_usage_request_query query = {.limit = 10};
    unsigned n = 0;
    uint64_t next = 0;
    assert_int_equal(scratch_store(state, &store), 0);
    assert_int_equal(pst_usage_store_begin(store), 0);
    assert_int_equal(pst_usage_store_name(store, PST_STR("a:1"), &row.endpoint), 0);
    row.what = UINT64_C(3) << 48 | UINT64_C(54321) << 32;
    assert_int_equal(pst_usage_store_add(store, &row), 0);
    row.endpoint = 0;
    row.what = UINT64_C(54321) << 32;
    assert_int_equal(pst_usage_store_name(store, PST_STR("job"), &row.error), 0);
    assert_int_equal(pst_usage_store_name(store, PST_STR("/speech"), &row.rule), 0);
    assert_int_equal(pst_usage_store_add(store, &row), 0);
    assert_int_equal(pst_usage_store_commit(store), 0);
    assert_int_equal(pst_usage_store_requests(store, &query, see_request, &n, &next), 0);
    assert_int_equal(n, 2);
    query.error = PST_STR("job");
    n = 0;
    assert_int_equal(pst_usage_store_requests(store, &query, see_request, &n, &next), 0);
    assert_int_equal(n, 1);
    pst_usage_store_close(store);
}

/* Rows without a key: the newest are kept; what has a key stays, wherever it is, and is still found behind
 * the gap that they leave. */

struct seen {
    unsigned keyed, keyless;
    int64_t oldest_us; /* of those without a key */
};

static int see_row(const struct pst_usage_request *request, void *arg)
{
    struct seen *seen = arg;
    if (request->key.len > 0) {
        seen->keyed++;
    } else {
        seen->keyless++;
        seen->oldest_us = request->row.time_us;
    }
    return 0;
}

static struct seen see_rows(struct pst_usage_store *store, unsigned pages)
{
    struct pst_usage_request_query query = {.limit = 100000};
    struct seen seen = {0};
    uint64_t next = 0;
    for (unsigned i = 0; i < pages; i++) {
        assert_int_equal(pst_usage_store_requests(store, &query, see_row, &seen, &next), 0);
        query.before = next;
    }
    assert_int_equal(next, 0);
    return seen;
}

static void add_rows(struct pst_usage_store *store, int64_t key, unsigned n, int64_t *time_us)
{
    static const uint8_t client[4];
    for (unsigned i = 0; i < n; i++) {
        struct pst_usage_row row = {.time_us = ++*time_us, .key = key, .client = client, .client_len = 4};
        assert_int_equal(pst_usage_store_add(store, &row), 0);
    }
}

static int64_t count_in(void **state, const char *table)
{
    char path[256], sql[64];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    scratch_path(path, sizeof(path), state, PST_USAGE_FILE);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void test_keyless_rows(void **state)
{
    struct pst_usage_store *store = NULL;
    int64_t key, time_us = 0;
    uint64_t dropped = 0, sum = 0;
    assert_int_equal(scratch_store(state, &store), 0);
    assert_int_equal(pst_usage_store_begin(store), 0);
    assert_int_equal(pst_usage_store_key(store, PST_STR("one"), &key), 0);
    add_rows(store, key, 10, &time_us);
    assert_int_equal(pst_usage_store_commit(store), 0);
    for (int round = 0; round < 60; round++) {
        assert_int_equal(pst_usage_store_begin(store), 0);
        add_rows(store, 0, 5000, &time_us);
        assert_int_equal(pst_usage_store_bound_keyless(store, 100, &dropped), 0);
        sum += dropped;
        assert_int_equal(pst_usage_store_commit(store), 0);
    }
    assert_int_equal(sum, 60 * 5000 - 100);
    struct seen seen = see_rows(store, 1); /* one page, though 300,000 numbers were given */
    assert_int_equal(seen.keyed, 10);
    assert_int_equal(seen.keyless, 100);
    assert_int_equal(seen.oldest_us, time_us - 99);
    assert_int_equal(count_in(state, "keyless"), 100);
    assert_in_range(count_in(state, "span"), 1, 3);
    /* A transaction that fails takes its count along, and a bound that was lowered is reached in steps. */
    assert_int_equal(pst_usage_store_begin(store), 0);
    add_rows(store, 0, 50, &time_us);
    pst_usage_store_rollback(store);
    assert_int_equal(pst_usage_store_begin(store), 0);
    add_rows(store, 0, 19900, &time_us);
    assert_int_equal(pst_usage_store_bound_keyless(store, 0, &dropped), 1);
    assert_int_equal(pst_usage_store_bound_keyless(store, 0, &dropped), 1);
    assert_int_equal(pst_usage_store_bound_keyless(store, 0, &dropped), 0);
    assert_int_equal(pst_usage_store_commit(store), 0);
    seen = see_rows(store, 1);
    assert_int_equal(seen.keyed, 10);
    assert_int_equal(seen.keyless, 0);
    /* What is forgotten by its time is no longer counted among them. */
    assert_int_equal(pst_usage_store_begin(store), 0);
    add_rows(store, 0, 30, &time_us);
    assert_int_equal(pst_usage_store_commit(store), 0);
    while (pst_usage_store_forget(store, INT64_MAX, 0, 0, 0) > 0)
        ;
    assert_int_equal(count_in(state, "keyless"), 0);
    pst_usage_store_close(store);
}

/* Files of earlier versions: what 0001_usage.sql and so on made, filled as that version did. */

static void run_file(sqlite3 *db, const char *name)
{
    char path[512], sql[16384];
    snprintf(path, sizeof(path), "%s/%s", MIGRATIONS, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(sql, 1, sizeof(sql) - 1, file);
    fclose(file);
    assert_in_range(n, 1, sizeof(sql) - 2);
    sql[n] = '\0';
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* The rows of fill(), and a request, in the columns that versions 1 to 3 had. */
static const char fill_sql[] =
    "INSERT INTO key (id) VALUES ('one'), ('two'); INSERT INTO route (path) VALUES ('/a');"
    "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 383)"
    " INSERT INTO hourly SELECT 480000 + i / 4, i % 2 + 1, 0, 1, 0, iif(i / 2 % 2, 500, 200), 1, 1, 10, 0, "
    "i, 0 FROM n;"
    "INSERT INTO daily SELECT hour / 24, key, slot, route, method, status, sum(requests), sum(bytes_in),"
    " sum(bytes_out), 0, max(duration_max_us), 0 FROM hourly GROUP BY hour / 24, key, slot, route, method, "
    "status;"
    "INSERT INTO request (time_us, duration_us, ttfb_us, bytes_in, bytes_out, key, route, what, client)"
    " VALUES (1728000000000000, 1, 1, 0, 0, 1, 1, 200 | (54321 << 32), x'7f000001');"
    "INSERT INTO span VALUES (1, 1, 1728000000000000, 1728000000000000);"
    "PRAGMA application_id = 0x50535455;";

static int see_old(const struct pst_usage_request *request, void *arg)
{
    (*(unsigned *)arg)++;
    assert_int_equal(request->row.what & 1023, 200);
    assert_int_equal(request->error.len + request->endpoint.len + request->rule.len, 0);
    return 0;
}

static void test_migration(void **state)
{
    static const char *const files[] = {"0001_usage.sql", "0002_old_secrets.sql", "0003_daily_total.sql",
                                        "0004_errors.sql"};
    for (int version = 1; version <= 4; version++) {
        struct pst_usage_store *store = NULL;
        char path[256], sql[64];
        sqlite3 *db;
        unsigned n = 0;
        uint64_t next = 0;
        scratch_path(path, sizeof(path), state, PST_USAGE_FILE);
        remove(path);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        for (int i = 0; i < version && i < 3; i++)
            run_file(db, files[i]);
        assert_int_equal(sqlite3_exec(db, fill_sql, NULL, NULL, NULL), SQLITE_OK);
        for (int i = 3; i < version; i++)
            run_file(db, files[i]);
        snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        if (version >= 3) /* as that version's keeper would have */
            assert_int_equal(sqlite3_exec(db,
                                          "INSERT INTO daily_total SELECT day, status, sum(requests), "
                                          "sum(bytes_in), sum(bytes_out), 0, max(duration_max_us), 0 FROM "
                                          "daily GROUP BY day, status",
                                          NULL, NULL, NULL),
                             SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(scratch_store(state, &store), 0);
        assert_all_sums(store);
        assert_int_equal(ask(store, (struct pst_usage_query){.by = PST_BY_ERROR | PST_BY_ENDPOINT}).lines, 1);
        const struct pst_usage_request_query query = {.limit = 10};
        assert_int_equal(pst_usage_store_requests(store, &query, see_old, &n, &next), 0);
        assert_int_equal(n, 1);
        fill_errors(store); /* and it goes on from there */
        assert_int_equal(ask(store, (struct pst_usage_query){.error = PST_STR("key_missing")}).requests, 100);
        pst_usage_store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sums, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_errors, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_requests, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_keyless_rows, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_migration, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
