/* SPDX-License-Identifier: Apache-2.0 */
/* Counting as a whole: journals appended to, drained into usage.db, killed in between, full, damaged. What is
 * asked for is always the same: every record that was appended is counted once. */
#include "usage_test.h"

#include <signal.h>
#include <sys/wait.h>

static void test_what_is_appended_is_counted(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    assert_true(pst_journal_crash_safe(journal));
    for (int i = 0; i < 50; i++) {
        struct pst_usage_record record =
            record_of(i % 2 ? "aaaaaaaaaaaa" : "bbbbbbbbbbbb", "/a", i % 5 ? 200 : 500);
        assert_int_equal(pst_journal_append(journal, &record), 0);
    }
    assert_int_equal(pst_journal_lag(journal), 50);
    assert_int_equal(pst_ledger_drain(ledger), 50);
    assert_int_equal(pst_journal_lag(journal), 0);
    assert_int_equal(pst_ledger_drain(ledger), 0);
    struct total by_key = ask(PST_BY_KEY), by_status = ask(PST_BY_STATUS),
                 by_day = ask(PST_BY_DAY | PST_BY_ROUTE);
    assert_int_equal(by_key.requests, 50);
    assert_int_equal(by_key.lines, 2);
    assert_int_equal(by_key.errors, 10);
    assert_int_equal(by_key.bytes_out, 5000);
    assert_int_equal(by_status.lines, 2);
    assert_int_equal(by_day.requests, 50);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

static void test_last_use_of_each_secret(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("cccccccccccc", "/a", 200);
    int64_t newest = record.time_us;
    assert_int_equal(pst_journal_append(journal, &record), 0);
    record.time_us -= 5000000; /* an older one that was slower to finish moves nothing back */
    assert_int_equal(pst_journal_append(journal, &record), 0);
    assert_int_equal(pst_ledger_drain(ledger), 2);
    struct pst_usage_store *store = NULL;
    struct pst_usage_last last;
    assert_int_equal(pst_usage_store_open(dir, PST_DB_READ, &store, NULL), 0);
    assert_int_equal(pst_usage_store_last_used(store, PST_STR("cccccccccccc"), &last), 0);
    assert_int_equal(last.slot_us[0], 0);
    assert_int_equal(last.slot_us[1], newest);
    assert_int_equal(last.any_us, newest);
    pst_usage_store_close(store);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

/* Requests with a secret that was rotated away are told from those with the one in force, since the minute of
 * a rotation; refused ones are no use, a stream is one request, and a key without a secret is used all the
 * same. */
static void test_old_secrets(void **state)
{
    (void)state;
    const int64_t minute_us = INT64_C(60) * 1000000;
    const struct {
        uint8_t slot, flags, end;
        int minutes; /* before the newest */
    } records[] = {
        {1, 0, PST_END_OK, 0},
        {1, PST_USAGE_OLD_SECRET, PST_END_OK, 0},
        {1, PST_USAGE_OLD_SECRET, PST_END_OK, 2},
        {1, PST_USAGE_OLD_SECRET, PST_END_OK, 2},
        {1, PST_USAGE_OLD_SECRET, PST_END_OK, 9},
        {2, PST_USAGE_OLD_SECRET, PST_END_OK, 1},
        {1, PST_USAGE_OLD_SECRET, PST_END_REFUSED, 0},
        {1, PST_USAGE_OLD_SECRET | PST_USAGE_STREAM | PST_USAGE_GOES_ON, PST_END_OK, 0},
        {0, 0, PST_END_OK, -1},
    };
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("cccccccccccc", "/a", 200);
    int64_t newest = record.time_us / minute_us * minute_us;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        record.secret_slot = records[i].slot;
        record.flags = records[i].flags;
        record.end = records[i].end;
        record.time_us = newest - records[i].minutes * minute_us;
        assert_int_equal(pst_journal_append(journal, &record), 0);
    }
    assert_int_equal(pst_ledger_drain(ledger), sizeof records / sizeof records[0]);
    struct pst_usage_store *store = NULL;
    struct pst_usage_last last;
    struct pst_usage_old old;
    assert_int_equal(pst_usage_store_open(dir, PST_DB_READ, &store, NULL), 0);
    const struct pst_str id = PST_STR("cccccccccccc");
    assert_int_equal(pst_usage_store_last_used(store, id, &last), 0);
    assert_int_equal(last.any_us, newest + minute_us);
    assert_int_equal(last.slot_us[0], newest);
    const struct {
        int slot, since;
        uint64_t requests;
        int64_t last_us;
    } expected[] = {
        {1, 9, 4, newest}, {1, 8, 3, newest}, {1, 1, 1, newest}, {2, 9, 1, newest - minute_us}, {2, 0, 0, 0}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int64_t since_us = newest - expected[i].since * minute_us;
        assert_int_equal(pst_usage_store_old_uses(store, id, expected[i].slot, since_us, &old), 0);
        assert_int_equal(old.requests, expected[i].requests);
        assert_int_equal(old.last_us, expected[i].last_us);
    }
    assert_int_equal(pst_usage_store_old_uses(store, PST_STR("nobody000000"), 1, 0, &old), 0);
    assert_int_equal(old.requests, 0);
    while (pst_ledger_retain(ledger, newest + (PST_USAGE_OLD_DAYS * INT64_C(86400) - 60) * 1000000) > 0)
        continue;
    assert_int_equal(pst_usage_store_old_uses(store, id, 1, 0, &old), 0);
    assert_int_equal(old.requests, 1);
    pst_usage_store_close(store);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

static void test_full_ring_counts_what_it_refuses(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("", "/a", 401);
    for (int i = 0; i < RING; i++)
        assert_int_equal(pst_journal_append(journal, &record), 0);
    for (int i = 0; i < 7; i++)
        assert_int_equal(pst_journal_append(journal, &record), -PST_EBUSY);
    assert_int_equal(pst_journal_lost(journal), 7);
    assert_int_equal(pst_ledger_drain(ledger), RING);
    for (int round = 0; round < 20; round++) { /* many times around */
        for (int i = 0; i < 50; i++)
            assert_int_equal(pst_journal_append(journal, &record), 0);
        assert_int_equal(pst_ledger_drain(ledger), 50);
    }
    struct pst_usage_stats stats;
    pst_ledger_stats(ledger, &stats);
    assert_int_equal(stats.requests, RING + 1000);
    assert_int_equal(stats.lost, 7);
    assert_int_equal(ask(0).requests, RING + 1000);
    struct pst_usage_store *store = NULL;
    uint64_t losses = 0;
    assert_int_equal(pst_usage_store_open(dir, PST_DB_READ, &store, NULL), 0);
    assert_int_equal(pst_usage_store_losses(store, &losses), 0);
    assert_int_equal(losses, 7);
    pst_usage_store_close(store);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

/* The child appends and drains until it is killed, telling through a pipe how far appending got. */
static void append_until_killed(int tell, int log)
{
    struct pst_ledger *ledger = open_ledger(log, log < 0 ? PST_ACCESS_OFF : PST_ACCESS_TEXT);
    struct pst_journal *journal = open_journal(ledger, 4096);
    struct pst_usage_record record = record_of("dddddddddddd", "/kill", 200);
    for (uint32_t n = 1;; n++) {
        char id[40];
        snprintf(id, sizeof(id), "%d-%u", (int)getpid(), n);
        pst_usage_set_request_id(&record, pst_str_of(id));
        while (pst_journal_append(journal, &record) < 0)
            (void)pst_ledger_drain(ledger);
        if (write(tell, &n, sizeof(n)) != (ssize_t)sizeof(n))
            _exit(1);
        if (n % 37 == 0)
            (void)pst_ledger_drain(ledger);
    }
}

static void test_killed_at_any_moment(void **state)
{
    (void)state;
    uint64_t told = 0;
    for (int round = 0; round < 12; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(fds[0]);
            append_until_killed(fds[1], -1);
            _exit(0);
        }
        close(fds[1]);
        uint32_t n = 0, last = 0;
        for (int i = 0; i < 40 + round * 53 && read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n); i++)
            last = n;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
            last = n;
        close(fds[0]);
        told += last;
        /* The next start drains what was left; one record may have been appended and not yet told of. */
        struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
        pst_ledger_close(ledger);
        uint64_t counted = ask(0).requests;
        assert_true(counted >= told && counted <= told + 1);
        told = counted;
    }
    assert_true(told > 500);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The ids of the log's lines, sorted; returns how many. */
static size_t read_ids(const char *path, char *text, size_t size, char **ids, size_t max)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, text, size - 1);
    size_t n = 0;
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    assert_true((size_t)len < size - 1);
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *id = strstr(line, "HTTP/1.1\" 200 100 ");
        assert_non_null(id); /* whole lines only */
        assert_non_null(strstr(line, " key2 2.000 ok - -"));
        assert_true(n < max);
        ids[n] = id + sizeof("HTTP/1.1\" 200 100 ") - 1;
        ids[n][strcspn(ids[n], " ")] = '\0';
        n++;
    }
    qsort(ids, n, sizeof(ids[0]), by_text);
    return n;
}

/* As many lines in the file as requests in usage.db, each of its own. */
static void test_each_request_has_one_line_after_kills(void **state)
{
    (void)state;
    static char text[4 * 1024 * 1024];
    static char *ids[40000];
    char path[128];
    snprintf(path, sizeof(path), "%s/access.log", dir);
    int log = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
    for (int round = 0; round < 25; round++) {
        int fds[2];
        uint32_t n;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(fds[0]);
            append_until_killed(fds[1], log);
            _exit(0);
        }
        close(fds[1]);
        for (int i = 0; i < 100 + round * 17 && read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n); i++)
            continue;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(fds[0]);
    }
    pst_ledger_close(open_ledger(log, PST_ACCESS_TEXT));
    close(log);
    size_t lines = read_ids(path, text, sizeof(text), ids, sizeof(ids) / sizeof(ids[0]));
    assert_int_equal(lines, ask(0).requests);
    for (size_t i = 1; i < lines; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

static void test_damaged_rings_are_set_aside(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    pst_ledger_close(ledger);
    char path[128], aside[160], garbage[8192];
    memset(garbage, 0xA5, sizeof(garbage));
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR "/worker-0.ring", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
    close(fd);
    ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_usage_stats stats;
    pst_ledger_stats(ledger, &stats);
    assert_int_equal(stats.set_aside, 1);
    struct pst_journal *journal = open_journal(ledger, RING);
    assert_true(pst_journal_crash_safe(journal));
    snprintf(aside, sizeof(aside), "%s.unreadable", path);
    assert_int_equal(access(aside, F_OK), 0);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

static void test_one_gateway_per_directory(void **state)
{
    (void)state;
    struct pst_ledger *first = open_ledger(-1, PST_ACCESS_OFF), *second = NULL;
    const struct pst_ledger_options options = {.data_dir = dir, .access_fd = -1};
    assert_int_equal(pst_ledger_open(&options, &second), -PST_EBUSY);
    pst_ledger_close(first);
}

static void test_log_lines_say_no_more_than_they_may(void **state)
{
    (void)state;
    char path[128], text[4096] = "";
    snprintf(path, sizeof(path), "%s/access.log", dir);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    struct pst_ledger *ledger = open_ledger(fd, PST_ACCESS_JSON);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("eeeeeeeeeeee", "/p?key=secret", 200);
    assert_int_equal(pst_journal_append(journal, &record), 0);
    pst_usage_set_path(&record, PST_STR("/\"\n\x01\xff"));
    assert_int_equal(pst_journal_append(journal, &record), 0);
    assert_int_equal(pst_ledger_drain(ledger), 2);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    close(fd);
    assert_null(strstr(text, "key=secret"));
    assert_non_null(strstr(text, "\"path\":\"/p\",\"status\":200"));
    assert_non_null(strstr(text, "\"secret\":\"key2\""));
    assert_non_null(strstr(text, "/\\\"\\n\\u0001\xEF\xBF\xBD\""));
    size_t lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 2);
}

/* A reader that stalls costs lines, never counting. */
static void test_a_stalled_log_holds_nothing_up(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pst_ledger *ledger = open_ledger(fds[1], PST_ACCESS_JSON);
    struct pst_journal *journal = open_journal(ledger, 16384);
    struct pst_usage_record record = record_of("ffffffffffff", "/a", 200);
    for (int i = 0; i < 12000; i++)
        assert_int_equal(pst_journal_append(journal, &record), 0);
    int drained = 0;
    for (int i = 0; i < 8; i++)
        drained += pst_ledger_drain(ledger);
    assert_int_equal(drained, 12000);
    struct pst_usage_stats stats;
    pst_ledger_stats(ledger, &stats);
    assert_true(stats.log_dropped > 0);
    assert_int_equal(ask(0).requests, 12000);
    close(fds[0]);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
    close(fds[1]);
}

static void test_old_rows_are_forgotten_and_sums_stay(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("gggggggggggg", "/old", 200);
    record.time_us -= INT64_C(3) * 86400 * 1000000;
    assert_int_equal(pst_journal_append(journal, &record), 0);
    record.time_us = pst_clock_real_us();
    assert_int_equal(pst_journal_append(journal, &record), 0);
    assert_int_equal(pst_ledger_drain(ledger), 2);
    assert_int_equal(ask(PST_BY_HOUR).requests, 2);
    for (int i = 0; i < 20 && pst_ledger_retain(ledger, pst_clock_real_us()) > 0; i++)
        continue;
    assert_int_equal(ask(PST_BY_HOUR).requests, 1); /* hours are kept for a day here */
    assert_int_equal(ask(PST_BY_DAY).requests, 2);  /* days for ever */
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

static int see_keyless(const struct pst_usage_request *request, void *arg)
{
    *(unsigned *)arg += request->key.len == 0;
    return 0;
}

/* Of requests without a key only the newest have rows; the sums have all of them. */
static void test_rows_without_a_key_are_bounded(void **state)
{
    (void)state;
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF); /* keeps 1000 */
    struct pst_journal *journal = open_journal(ledger, 4096);
    struct pst_usage_record with = record_of("aaaaaaaaaaaa", "/a", 200), without = record_of("", "/a", 401);
    const struct pst_usage_request_query query = {.limit = 10000};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1500; i++)
            assert_int_equal(pst_journal_append(journal, i % 3 == 0 ? &with : &without), 0);
        assert_int_equal(pst_ledger_drain(ledger), 1500);
    }
    for (int i = 0; i < 4000; i++)
        assert_int_equal(pst_journal_append(journal, &without), 0);
    assert_int_equal(pst_ledger_drain(ledger), 4000);
    struct pst_usage_stats stats;
    pst_ledger_stats(ledger, &stats);
    assert_int_equal(stats.keyless_dropped, 3000 + 4000 - 1000);
    assert_int_equal(ask(0).requests, 8500);
    assert_int_equal(ask(PST_BY_HOUR).errors, 7000);
    struct pst_usage_store *store = NULL;
    unsigned keyless = 0;
    uint64_t next = 0;
    assert_int_equal(pst_usage_store_open(dir, PST_DB_READ, &store, NULL), 0);
    assert_int_equal(pst_usage_store_requests(store, &query, see_keyless, &keyless, &next), 0);
    assert_int_equal(keyless, 1000);
    pst_usage_store_close(store);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_appended_is_counted),
        TEST(test_last_use_of_each_secret),
        TEST(test_old_secrets),
        TEST(test_full_ring_counts_what_it_refuses),
        TEST(test_killed_at_any_moment),
        TEST(test_each_request_has_one_line_after_kills),
        TEST(test_damaged_rings_are_set_aside),
        TEST(test_one_gateway_per_directory),
        TEST(test_log_lines_say_no_more_than_they_may),
        TEST(test_a_stalled_log_holds_nothing_up),
        TEST(test_old_rows_are_forgotten_and_sums_stay),
        TEST(test_rows_without_a_key_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
