/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of counting share: a data directory, a ledger and a journal in it, records, sums. */
#ifndef POSTERN_TEST_USAGE_H
#define POSTERN_TEST_USAGE_H

#include "postern/base/clock.h"
#include "postern/db/usage_store.h"
#include "postern/usage/ledger.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RING 64

static char dir[64];

static inline int make_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/postern-usage-XXXXXX", sizeof("/tmp/postern-usage-XXXXXX"));
    return mkdtemp(dir) != NULL ? 0 : -1;
}

/* Not inline: it calls itself. */
static __attribute__((noinline, unused)) void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char child[512];
        if (e->d_name[0] == '.')
            continue;
        snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
        struct stat st;
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            remove_tree(child);
        else
            unlink(child);
    }
    if (d != NULL)
        closedir(d);
    rmdir(path);
}

static inline int drop_dir(void **state)
{
    (void)state;
    remove_tree(dir);
    return 0;
}

static inline struct pst_ledger *open_ledger(int log_fd, enum pst_access_format format)
{
    const struct pst_ledger_options options = {
        .data_dir = dir,
        .access_fd = log_fd,
        .access_format = format,
        .keep_raw_s = 3600,
        .keep_hourly_s = 86400,
        .keep_keyless = 1000,
    };
    struct pst_ledger *ledger = NULL;
    assert_int_equal(pst_ledger_open(&options, &ledger), 0);
    return ledger;
}

static inline struct pst_journal *open_journal(struct pst_ledger *ledger, uint32_t records)
{
    struct pst_journal *journal = NULL;
    assert_int_equal(pst_journal_open(dir, 0, records, &journal), 0);
    assert_int_equal(pst_ledger_add(ledger, journal), 0);
    return journal;
}

static inline struct pst_usage_record record_of(const char *key, const char *path, uint16_t status)
{
    struct pst_usage_record record = {
        .time_us = pst_clock_real_us(),
        .duration_us = 2000,
        .ttfb_us = 1000,
        .bytes_in = 10,
        .bytes_out = 100,
        .status = status,
        .method = PST_USAGE_POST,
        .secret_slot = 2,
        .tls = PST_USAGE_TLS_13,
        .http = PST_USAGE_HTTP_11,
    };
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    pst_usage_set_ipv4(&record, loopback);
    pst_usage_set_key_id(&record, pst_str_of(key));
    pst_usage_set_request_id(&record, PST_STR("0123456789abcdef0123456789abcdef"));
    pst_usage_set_path(&record, pst_str_of(path));
    return record;
}

struct total {
    uint64_t requests, errors, bytes_out, lines;
};

static inline int add_up(const struct pst_usage_line *line, void *arg)
{
    struct total *total = arg;
    total->requests += line->requests;
    total->errors += line->errors;
    total->bytes_out += line->bytes_out;
    total->lines++;
    return 0;
}

static inline struct total ask(unsigned by)
{
    struct pst_usage_store *store = NULL;
    struct pst_db_why why;
    struct total total = {0};
    assert_int_equal(pst_usage_store_open(dir, PST_DB_READ, &store, &why), 0);
    const struct pst_usage_query query = {.by = by};
    assert_int_equal(pst_usage_store_sums(store, &query, add_up, &total), 0);
    pst_usage_store_close(store);
    return total;
}

/* What pst_ledger_open() makes first. */
static inline void make_journal_dir(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR, dir);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* What is logged meanwhile, as text: standard error goes into a file of the test's directory. */
static inline int begin_log(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/stderr", dir);
    fflush(stderr);
    int saved = dup(2), fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, 2);
    close(fd);
    return saved;
}

static inline const char *end_log(int saved)
{
    static char text[65536];
    char path[128];
    snprintf(path, sizeof(path), "%s/stderr", dir);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)

#endif
