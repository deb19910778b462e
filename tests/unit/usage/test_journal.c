/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's file: what it says of itself, what an earlier version left in it, what is not believed. */
#include "journal_private.h"
#include "losses.h"
#include "usage_test.h"

/* Names */

static void test_names(void **state)
{
    (void)state;
    struct pst_journal *journal = NULL;
    char long_name[PST_JOURNAL_NAME_MAX + 50];
    memset(long_name, 'n', sizeof(long_name));
    make_journal_dir();
    assert_int_equal(pst_journal_open(dir, 0, RING, &journal), 0);
    assert_int_equal(pst_journal_name(journal, PST_STR("")), 0);
    uint16_t missing = pst_journal_name(journal, PST_STR("key_missing"));
    uint16_t wrong = pst_journal_name(journal, PST_STR("key_wrong"));
    uint16_t cut = pst_journal_name(journal, (struct pst_str){long_name, sizeof(long_name)});
    assert_true(missing > 0 && wrong > 0 && cut > 0 && missing != wrong);
    assert_int_equal(pst_journal_name(journal, PST_STR("key_missing")), missing);
    assert_true(pst_str_eq(journal_name(journal, missing), PST_STR("key_missing")));
    assert_true(pst_str_eq(journal_name(journal, wrong), PST_STR("key_wrong")));
    assert_int_equal(journal_name(journal, cut).len, PST_JOURNAL_NAME_MAX);
    assert_int_equal(journal_name(journal, 0).len, 0);
    /* Numbers that nobody gave, and a name that was damaged. */
    for (unsigned n = 1; n <= UINT16_MAX; n++) {
        if (n != missing && n != wrong && n != cut)
            assert_true(pst_str_eq(journal_name(journal, (uint16_t)n), PST_STR("unknown")));
    }
    journal->names[missing + 4] ^= 1;
    assert_true(pst_str_eq(journal_name(journal, missing), PST_STR("unknown")));
    pst_journal_close(journal);
}

static void test_room_for_names_ends(void **state)
{
    (void)state;
    struct pst_journal *journal = NULL;
    char text[PST_JOURNAL_NAME_MAX + 1];
    uint16_t numbers[1000];
    unsigned n = 0;
    make_journal_dir();
    assert_int_equal(pst_journal_open(dir, 0, RING, &journal), 0);
    for (; n < 1000; n++) {
        snprintf(text, sizeof(text), "%0*u", 1 + (int)(n * 37 % PST_JOURNAL_NAME_MAX), n);
        numbers[n] = pst_journal_name(journal, pst_str_of(text));
        if (numbers[n] == 0)
            break;
    }
    assert_true(n > 100 && n < 1000);
    while (n-- > 0) {
        snprintf(text, sizeof(text), "%0*u", 1 + (int)(n * 37 % PST_JOURNAL_NAME_MAX), n);
        assert_true(pst_str_eq(journal_name(journal, numbers[n]), pst_str_of(text)));
    }
    pst_journal_close(journal);
}

/* Every length of a path is read back as it was, whatever stood in its place before. */
static void test_paths_of_every_length(void **state)
{
    (void)state;
    struct pst_journal *journal = NULL;
    char path[PST_USAGE_PATH_SIZE + 1];
    make_journal_dir();
    assert_int_equal(pst_journal_open(dir, 0, RING, &journal), 0);
    for (uint64_t n = 0; n < 4 * PST_USAGE_PATH_SIZE; n++) {
        struct pst_usage_record read, record = record_of("aaaaaaaaaaaa", "", 200);
        size_t len = (n * 67) % (PST_USAGE_PATH_SIZE + 1);
        memset(path, 'a' + (int)(n % 26), len);
        pst_usage_set_path(&record, (struct pst_str){path, len});
        assert_int_equal(pst_journal_append(journal, &record), 0);
        assert_true(journal_read(journal, n, &read));
        assert_int_equal(read.path_len, len);
        assert_memory_equal(read.path, path, len);
        assert_false(journal_read(journal, n + RING, &read)); /* it is of that number alone */
        if (len > 0) {
            journal->ring[n % RING * sizeof(read) + offsetof(struct pst_usage_record, path) + len - 1] ^= 1;
            assert_false(journal_read(journal, n, &read));
        }
        journal_release(journal, n + 1);
    }
    pst_journal_close(journal);
}

/* Version 1: its layout and its check, written down once more. */

struct head_v1 {
    uint64_t magic;
    uint32_t version, record_bytes, capacity, reserved;
    uint8_t uuid[16];
    _Alignas(64) uint64_t head;
    uint64_t lost;
    _Alignas(64) uint64_t drained;
    uint64_t logged;
};

struct record_v1 {
    int64_t time_us;
    uint64_t duration_us, ttfb_us, bytes_in, bytes_out;
    uint16_t status, client_port;
    uint8_t method, secret_slot, end, tls, http, flags, request_id_len, path_len;
    uint32_t check;
    uint8_t client[16];
    char key_id[24], request_id[64], path[160];
};

static uint32_t check_v1(const struct record_v1 *record, uint64_t n, const uint8_t *uuid)
{
    uint64_t lanes[4], words[40], hash = 0;
    assert_int_equal(sizeof(*record), sizeof(words));
    memcpy(words, record, sizeof(words));
    memcpy(lanes, uuid, 16);
    lanes[2] = n * UINT64_C(0x9E3779B97F4A7C15);
    lanes[3] = ~n;
    for (size_t i = 0; i < 40; i++)
        lanes[i % 4] = (lanes[i % 4] ^ words[i]) * UINT64_C(0xFF51AFD7ED558CCD) + (lanes[i % 4] >> 29);
    for (size_t i = 0; i < 4; i++)
        hash = (hash ^ lanes[i]) * UINT64_C(0xC4CEB9FE1A85EC53) + (hash >> 31);
    return (uint32_t)(hash >> 32);
}

/* Records `drained` to `head` of a ring that has gone around, the last of them damaged. */
static void write_ring_v1(uint64_t drained, uint64_t head)
{
    static struct {
        union {
            struct head_v1 head;
            char page[4096];
        };
        struct record_v1 ring[RING];
    } file;
    char path[128];
    memset(&file, 0, sizeof(file));
    file.head = (struct head_v1){
        .magic = UINT64_C(0x4C4E4A2D50545350),
        .version = 1,
        .record_bytes = sizeof(struct record_v1),
        .capacity = RING,
        .uuid = "a ring of before",
        .head = head,
        .lost = 3,
        .drained = drained,
        .logged = drained + 5,
    };
    for (uint64_t n = drained; n < head; n++) {
        struct record_v1 *record = &file.ring[n % RING];
        *record = (struct record_v1){.time_us = pst_clock_real_us(),
                                     .duration_us = 3000,
                                     .ttfb_us = 1000,
                                     .bytes_in = 7,
                                     .bytes_out = 11,
                                     .status = 401,
                                     .client_port = 4711,
                                     .method = PST_USAGE_POST,
                                     .secret_slot = 1,
                                     .end = PST_END_REFUSED,
                                     .tls = PST_USAGE_TLS_13,
                                     .http = PST_USAGE_HTTP_11,
                                     .request_id_len = 5,
                                     .path_len = 160,
                                     .client = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1},
                                     .key_id = "oldkeyoldkey",
                                     .request_id = "old-1"};
        memset(record->path, 'p', sizeof(record->path));
        record->path[0] = '/';
        record->check = check_v1(record, n, file.head.uuid);
    }
    file.ring[(head - 1) % RING].path[80] = '!';
    make_journal_dir();
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR "/worker-0.ring", dir);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
    close(fd);
}

static void test_rings_of_version_1_are_drained(void **state)
{
    (void)state;
    char path[128], text[32768] = "";
    snprintf(path, sizeof(path), "%s/access.log", dir);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    write_ring_v1(1000, 1030);
    struct pst_ledger *ledger = open_ledger(fd, PST_ACCESS_JSON);
    struct pst_usage_stats stats;
    pst_ledger_stats(ledger, &stats);
    assert_int_equal(stats.requests, 29);
    assert_int_equal(stats.lost, 1); /* the damaged one; what the ring refused was written down before */
    assert_int_equal(stats.set_aside, 0);
    pst_ledger_close(ledger);
    struct total by_key = ask(PST_BY_KEY);
    assert_int_equal(by_key.requests, 29);
    assert_int_equal(by_key.bytes_out, 29 * 11);
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    close(fd);
    size_t lines = 0;
    for (const char *c = text; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 24); /* five had theirs */
    assert_non_null(
        strstr(text, "\"request_id\":\"old-1\",\"client\":\"192.0.2.1\",\"key_id\":\"oldkeyoldkey\""));
    assert_non_null(strstr(text, "\"end\":\"refused\",\"error\":null"));
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR "/left-612072696e67206f66206265666f7265.ring", dir);
    assert_int_equal(access(path, F_OK), -1);
}

/* Damage: whatever is not counted is said. */

#define LEFT 50

/* A ring that an earlier run left, with LEFT records of which the first `drained` are in usage.db. */
static void leave_ring(uint64_t drained, char *path, size_t size)
{
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("aaaaaaaaaaaa", "/left", 200);
    for (uint64_t n = 0; n < drained; n++)
        assert_int_equal(pst_journal_append(journal, &record), 0);
    assert_int_equal(pst_ledger_drain(ledger), drained);
    pst_ledger_close(ledger);
    for (uint64_t n = drained; n < LEFT; n++)
        assert_int_equal(pst_journal_append(journal, &record), 0);
    pst_journal_close(journal);
    snprintf(path, size, "%s/" PST_JOURNAL_DIR "/worker-0.ring", dir);
    assert_int_equal(access(path, F_OK), 0);
}

static void flip(const char *path, off_t at, uint8_t bits)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* What the next start makes of it; the log's text. */
static const char *start_again(struct pst_usage_stats *stats)
{
    int saved = begin_log();
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    pst_ledger_stats(ledger, stats);
    pst_ledger_close(ledger);
    return end_log(saved);
}

static void test_damaged_records_are_said(void **state)
{
    (void)state;
    char path[128];
    struct pst_usage_stats stats;
    leave_ring(10, path, sizeof(path));
    for (uint64_t n = 20; n < 23; n++)
        flip(path, (off_t)(JOURNAL_HEAD_SIZE + n * sizeof(struct pst_usage_record) + 100), 4);
    const char *said = start_again(&stats);
    assert_int_equal(stats.requests, LEFT - 10 - 3);
    assert_int_equal(stats.lost, 3);
    assert_int_equal(count_of(said, "3 records were damaged or missing and are not counted"), 1);
    assert_int_equal(ask(0).requests, LEFT - 3);
}

/* The count of records is damaged, and those that are there are found all the same. */
static void test_damaged_head_is_mended(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        char path[128];
        struct pst_usage_stats stats;
        uint64_t before = bit > 0 ? ask(0).requests : 0;
        leave_ring(10, path, sizeof(path));
        flip(path, (off_t)(offsetof(struct journal_head, head) + (size_t)bit / 8), (uint8_t)(1u << bit % 8));
        const char *said = start_again(&stats);
        uint64_t head = LEFT ^ UINT64_C(1) << bit;
        bool more = head > LEFT && head - 10 <= RING; /* that may be: then some are missing */
        assert_int_equal(stats.requests, LEFT - 10);
        assert_int_equal(stats.lost, more ? head - LEFT : 0);
        if (more)
            assert_int_equal(count_of(said, "records were damaged or missing"), 1);
        else
            assert_int_equal(count_of(said, "the head is damaged; 40 records were recovered"), 1);
        assert_int_equal(ask(0).requests, before + 10 + stats.requests);
    }
}

static void test_damaged_count_of_losses(void **state)
{
    (void)state;
    char path[128];
    struct pst_usage_stats stats;
    leave_ring(0, path, sizeof(path));
    flip(path, (off_t)offsetof(struct journal_head, lost) + 2, 1);
    const char *said = start_again(&stats);
    assert_int_equal(stats.requests, LEFT);
    assert_int_equal(stats.lost, 0); /* not 65,536 */
    assert_int_equal(count_of(said, "the number of requests that did not fit is damaged"), 1);
}

/* 300 bytes flipped anywhere: never is a record lost without a word. */
static void test_nothing_is_lost_in_silence(void **state)
{
    (void)state;
    unsigned seed = 20261129, silent = 0;
    for (int round = 0; round < 60; round++) {
        char path[128], aside[160];
        struct pst_usage_stats stats;
        struct stat st;
        leave_ring(0, path, sizeof(path));
        assert_int_equal(stat(path, &st), 0);
        for (int i = 0; i < 300; i++) {
            off_t at = rand_r(&seed) % st.st_size;
            if (round % 2 == 0 && at < (off_t)JOURNAL_HEAD_SIZE) /* the head has its own tests */
                at += JOURNAL_HEAD_SIZE;
            flip(path, at % st.st_size, (uint8_t)(1u << rand_r(&seed) % 8));
        }
        const char *said = start_again(&stats);
        assert_true(stats.requests <= LEFT);
        silent += stats.requests < LEFT && count_of(said, " warning ") == 0;
        assert_true(stats.lost <= RING);
        snprintf(aside, sizeof(aside), "%s.unreadable", path);
        unlink(aside);
    }
    assert_int_equal(silent, 0);
}

static void test_empty_files(void **state)
{
    (void)state;
    char path[128], other[128], aside[160];
    struct pst_usage_stats stats;
    make_journal_dir();
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR "/worker-0.ring", dir);
    snprintf(other, sizeof(other), "%s/" PST_JOURNAL_DIR "/worker-1.ring.new", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    close(open(other, O_CREAT | O_WRONLY, 0600));
    const char *said = start_again(&stats);
    assert_int_equal(stats.set_aside, 1);
    assert_int_equal(count_of(said, "worker-0.ring is empty: its records cannot be counted"), 1);
    assert_int_equal(count_of(said, "worker-1"), 0); /* killed before it was begun: nothing was in it */
    assert_int_equal(access(other, F_OK), -1);
    snprintf(aside, sizeof(aside), "%s.unreadable", path);
    assert_int_equal(access(aside, F_OK), 0);
}

/* Losses */

static void test_losses_are_said(void **state)
{
    (void)state;
    const uint64_t s = 1000000;
    struct losses losses = {0};
    int saved = begin_log();
    losses_note(&losses, 0, 1 * s);
    losses_note(&losses, 5, 2 * s);
    losses_note(&losses, 7, 3 * s); /* a minute is not over */
    losses_note(&losses, 0, 4 * s); /* nor is the spell */
    losses_note(&losses, 1, 63 * s);
    losses_note(&losses, 0, 64 * s);
    losses_note(&losses, 0, 68 * s);
    losses_note(&losses, 0, 80 * s);
    losses_note(&losses, 2, 90 * s);
    losses_end(&losses);
    losses_end(&losses);
    const char *said = end_log(saved);
    assert_int_equal(count_of(said, "\n"), 5);
    assert_int_equal(count_of(said, "the journal is full: requests are served but not counted, 5 so far"), 1);
    assert_int_equal(count_of(said, "still full: 13 requests"), 1);
    assert_int_equal(count_of(said, "13 requests were served but not counted since "), 1);
    assert_int_equal(count_of(said, "not counted, 2 so far"), 1);
    assert_int_equal(count_of(said, "2 requests were served but not counted since "), 1);
}

static void test_a_full_ring_is_said(void **state)
{
    (void)state;
    int saved = begin_log();
    struct pst_ledger *ledger = open_ledger(-1, PST_ACCESS_OFF);
    struct pst_journal *journal = open_journal(ledger, RING);
    struct pst_usage_record record = record_of("", "/a", 200);
    assert_int_equal(pst_ledger_drain(ledger), 0);
    for (int i = 0; i < RING + 9; i++)
        (void)pst_journal_append(journal, &record);
    assert_int_equal(pst_ledger_drain(ledger), RING);
    pst_ledger_close(ledger);
    pst_journal_close(journal);
    const char *said = end_log(saved);
    assert_int_equal(count_of(said, "not counted, 9 so far"), 1);
    assert_int_equal(count_of(said, "9 requests were served but not counted since "), 1);
}

/* The access log after a kill */

#define LINES 6

static void spill(const char *path, const void *data, size_t size)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static size_t slurp(const char *path, char *data, size_t size)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, data, size) : 0;
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* A ring with LINES records, one of them damaged, none of them drained; its bytes into `ret`. */
static size_t make_ring(char *ret, size_t size, const char *path)
{
    struct pst_journal *journal = NULL;
    make_journal_dir();
    assert_int_equal(pst_journal_open(dir, 0, RING, &journal), 0);
    for (int i = 0; i < LINES; i++) {
        char target[40];
        snprintf(target, sizeof(target), "/line/%.*s%d", i * 3, "aaaaaaaaaaaaaaaaaaaaa", i);
        struct pst_usage_record record = record_of("aaaaaaaaaaaa", target, 200);
        assert_int_equal(pst_journal_append(journal, &record), 0);
    }
    journal->ring[3 * sizeof(struct pst_usage_record)] ^= 1;
    pst_journal_close(journal);
    return slurp(path, ret, size);
}

/* As if killed with `written` bytes of the lines of the records [from, LINES) in the file behind `before`. */
static void start_after_kill(const char *log, const char *ring, char *bytes, size_t size, const char *before,
                             uint64_t from, const char *lines, size_t written)
{
    struct journal_head *head = (struct journal_head *)(void *)bytes;
    char usage[128], text[16384];
    struct stat st;
    snprintf(usage, sizeof(usage), "%s/" PST_USAGE_FILE, dir);
    unlink(usage);
    size_t n = (size_t)snprintf(text, sizeof(text), "%s%.*s", before, (int)written, lines);
    spill(log, text, n);
    int fd = open(log, O_WRONLY | O_APPEND);
    assert_int_equal(fstat(fd, &st), 0);
    head->lines =
        (struct journal_lines){(uint64_t)st.st_dev, (uint64_t)st.st_ino, strlen(before), from, LINES};
    atomic_store(&head->announced, 1);
    atomic_store(&head->logged, from);
    spill(ring, bytes, size);
    struct pst_ledger *ledger = open_ledger(fd, PST_ACCESS_JSON);
    pst_ledger_close(ledger);
    close(fd);
}

static void test_each_line_once_wherever_it_was_killed(void **state)
{
    (void)state;
    static _Alignas(64) char bytes[JOURNAL_HEAD_SIZE + RING * sizeof(struct pst_usage_record) + 1];
    static const char before[] = "what was there before\n";
    char log[128], ring[128], all[16384] = "", text[16384];
    snprintf(log, sizeof(log), "%s/access.log", dir);
    snprintf(ring, sizeof(ring), "%s/" PST_JOURNAL_DIR "/worker-0.ring", dir);
    size_t size = make_ring(bytes, sizeof(bytes), ring);
    assert_int_equal(size, sizeof(bytes) - 1);
    int saved = begin_log(); /* the damaged record is said each time */
    start_after_kill(log, ring, bytes, size, "", 0, "", 0);
    size_t len = slurp(log, all, sizeof(all) - 1);
    assert_int_equal(count_of(all, "\n"), LINES - 1);
    for (size_t written = 0; written <= len; written += written < 40 ? 1 : 23) {
        start_after_kill(log, ring, bytes, size, before, 0, all, written);
        text[slurp(log, text, sizeof(text) - 1)] = '\0';
        assert_true(strncmp(text, before, sizeof(before) - 1) == 0);
        assert_string_equal(text + sizeof(before) - 1, all);
    }
    /* From the second record on: the first had its line long ago. */
    const char *rest = strchr(all, '\n') + 1;
    for (size_t written = 0; written <= strlen(rest); written += 111) {
        start_after_kill(log, ring, bytes, size, before, 1, rest, written);
        text[slurp(log, text, sizeof(text) - 1)] = '\0';
        assert_string_equal(text + sizeof(before) - 1, rest);
    }
    /* Something else is there: what cannot be told is written once more. */
    start_after_kill(log, ring, bytes, size, before, 0, "another program's words\n", 24);
    text[slurp(log, text, sizeof(text) - 1)] = '\0';
    assert_string_equal(text + sizeof(before) - 1 + 24, all);
    (void)end_log(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_room_for_names_ends),
        TEST(test_paths_of_every_length),
        TEST(test_rings_of_version_1_are_drained),
        TEST(test_damaged_records_are_said),
        TEST(test_damaged_head_is_mended),
        TEST(test_damaged_count_of_losses),
        TEST(test_nothing_is_lost_in_silence),
        TEST(test_empty_files),
        TEST(test_losses_are_said),
        TEST(test_each_line_once_wherever_it_was_killed),
        TEST(test_a_full_ring_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
