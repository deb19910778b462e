/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a data directory's usage.db as a gateway would have over many days, through the store's own
 * functions: single requests, the sums by hour and by day, the last uses. Beside it a count of its own is
 * kept and printed as JSON, for a test to compare with. The gateway must not be running.
 *
 *   fill-usage DIR ROWS KEYS DAYS   ROWS requests of KEYS keys, evenly over the DAYS that end now. The keys'
 * ids are 000000000000 to KEYS - 1 in hex. A half of all requests comes from one key in fifty. fill-usage DIR
 * forget           forgets all single requests; the sums stay. */
#include "postern/base/clock.h"
#include "postern/base/num.h"
#include "postern/base/str.h"
#include "postern/db/usage_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US    (INT64_C(3600) * 1000000)
#define DAY_US     (24 * HOUR_US)
#define DAYS_MAX   400
#define KEYS_MAX   100000
#define BATCH_ROWS 50000

static const char *const paths[] = {"/language/analyze",   "/translator/text/v3.0/translate", "/vision/read",
                                    "/speech/recognition", "/documents/models/invoice",       "/ready"};
#define N_PATHS (sizeof(paths) / sizeof(paths[0]))

struct count {
    uint64_t requests, errors, bytes_in, bytes_out;
};

struct filling {
    struct pst_usage_store *store;
    uint64_t rows, keys, days;
    int64_t begin_us, step_us;
    uint64_t state; /* of the sequence below */
    int64_t routes[N_PATHS];
    int64_t numbers[KEYS_MAX]; /* of the keys; 0: not seen yet */
    int64_t used_us[KEYS_MAX];
    struct count by_day[DAYS_MAX + 2];
    uint64_t refused; /* with status 401 */
};

/* The same rows each time: a plain xorshift. */
static uint64_t next(struct filling *f)
{
    f->state ^= f->state << 13;
    f->state ^= f->state >> 7;
    f->state ^= f->state << 17;
    return f->state >> 11;
}

static void die(const struct filling *f, const char *what)
{
    fprintf(stderr, "fill-usage: %s: %s\n", what, f->store != NULL ? pst_usage_store_why(f->store) : "");
    exit(1);
}

static int64_t key_number(struct filling *f, uint64_t key)
{
    char id[17]; /* as long as any number is */
    if (f->numbers[key] != 0)
        return f->numbers[key];
    snprintf(id, sizeof(id), "%012" PRIx64, key);
    if (pst_usage_store_key(f->store, pst_str_of(id), &f->numbers[key]) < 0)
        die(f, "a key");
    return f->numbers[key];
}

static uint32_t choose_status(struct filling *f)
{
    uint64_t dice = next(f) % 1000;
    return dice < 10 ? 401 : dice < 30 ? 500 : dice < 60 ? 404 : 200;
}

static void count(struct filling *f, const struct pst_usage_row *row, uint32_t status)
{
    struct count *day = &f->by_day[row->time_us / DAY_US - f->begin_us / DAY_US];
    day->requests++;
    day->errors += status >= 400;
    day->bytes_in += row->bytes_in;
    day->bytes_out += row->bytes_out;
    f->refused += status == 401;
}

static void add_sum(struct filling *f, const struct pst_usage_row *row, uint32_t method, uint32_t status,
                    uint32_t slot)
{
    const struct pst_usage_sum sum = {
        .hour = row->time_us / HOUR_US,
        .key = row->key,
        .route = row->route,
        .method = method,
        .status = status,
        .slot = slot,
        .requests = 1,
        .bytes_in = row->bytes_in,
        .bytes_out = row->bytes_out,
        .duration_us = row->duration_us,
        .duration_max_us = row->duration_us,
        .ttfb_us = row->ttfb_us,
    };
    if (pst_usage_store_add_sum(f->store, &sum) < 0)
        die(f, "a sum");
}

static void add(struct filling *f, uint64_t i)
{
    static const uint8_t client[4] = {10, 0, 0, 7};
    uint64_t busy = f->keys / 50 > 0 ? f->keys / 50 : 1;
    uint64_t key = next(f) % 2 == 0 ? next(f) % busy : next(f) % f->keys;
    uint64_t path = next(f) % N_PATHS, request_id[2] = {next(f), i};
    uint32_t status = choose_status(f), slot = status == 401 ? 0 : 1 + (uint32_t)(key % 2);
    uint32_t method = path == N_PATHS - 1 ? 1 : 3; /* GET, POST */
    struct pst_usage_row row = {
        .time_us = f->begin_us + (int64_t)i * f->step_us,
        .duration_us = 1000 + next(f) % 100000,
        .ttfb_us = 500 + next(f) % 500,
        .bytes_in = next(f) % 4000,
        .bytes_out = next(f) % 20000,
        .key = status == 401 ? 0 : key_number(f, key),
        .route = f->routes[path],
        .what = status | method << 10 | slot << 16 | (status == 401) << 18 | 13 << 22,
        .client = client,
        .client_len = sizeof(client),
        .request_id = request_id,
        .request_id_len = sizeof(request_id),
    };
    if (pst_usage_store_add(f->store, &row) < 0)
        die(f, "a row");
    add_sum(f, &row, method, status, slot);
    count(f, &row, status);
    if (status != 401)
        f->used_us[key] = row.time_us;
}

static void touch_all(struct filling *f)
{
    for (uint64_t key = 0; key < f->keys; key++) {
        if (f->used_us[key] != 0 &&
            pst_usage_store_touch(f->store, f->numbers[key], 1 + (int)(key % 2), f->used_us[key]) < 0)
            die(f, "a last use");
    }
}

static void fill(struct filling *f)
{
    int64_t now_us = pst_clock_real_us();
    f->step_us = (int64_t)f->days * DAY_US / (int64_t)f->rows;
    f->begin_us = now_us - (int64_t)f->rows * f->step_us;
    for (uint64_t i = 0; i < f->rows; i++) {
        if (i % BATCH_ROWS == 0 && pst_usage_store_begin(f->store) < 0)
            die(f, "a transaction");
        for (size_t path = 0; i == 0 && path < N_PATHS; path++) {
            if (pst_usage_store_route(f->store, pst_str_of(paths[path]), &f->routes[path]) < 0)
                die(f, "a route");
        }
        add(f, i);
        if (i + 1 == f->rows)
            touch_all(f);
        if ((i + 1 == f->rows || (i + 1) % BATCH_ROWS == 0) && pst_usage_store_commit(f->store) < 0)
            die(f, "the end of a transaction");
    }
}

static void print_counts(const struct filling *f)
{
    const char *separator = "";
    printf("{\"rows\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"days\":[", f->rows, f->refused);
    for (size_t i = 0; i < DAYS_MAX + 2; i++) {
        const struct count *day = &f->by_day[i];
        char text[PST_TIME_TEXT_SIZE];
        if (day->requests == 0)
            continue;
        pst_time_format((f->begin_us / DAY_US + (int64_t)i) * DAY_US, text);
        printf("%s{\"day\":\"%s\",\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"bytes_in\":%" PRIu64
               ",\"bytes_out\":%" PRIu64 "}",
               separator, text, day->requests, day->errors, day->bytes_in, day->bytes_out);
        separator = ",";
    }
    puts("]}");
}

static void forget(struct filling *f)
{
    int more = 1;
    while (more > 0)
        more = pst_usage_store_forget(f->store, INT64_MAX, 0, 0, 0);
    if (more < 0)
        die(f, "forgetting");
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t value;
    if (pst_num_u64(pst_str_of(text), &value) == 0 && value > 0 && value <= max)
        return value;
    fprintf(stderr, "fill-usage: %s is no number from 1 to %" PRIu64 "\n", text, max);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct filling f = {.state = 88172645463325252U};
    struct pst_db_why why;
    bool forgetting = argc == 3 && strcmp(argv[2], "forget") == 0;
    if (!forgetting && argc != 5) {
        fputs("usage: fill-usage DIR (ROWS KEYS DAYS | forget)\n", stderr);
        return 2;
    }
    if (pst_usage_store_open(argv[1], PST_DB_WRITE, &f.store, &why) < 0) {
        fprintf(stderr, "fill-usage: %s\n", why.text);
        return 1;
    }
    if (forgetting) {
        forget(&f);
    } else {
        f.rows = number(argv[2], 100000000);
        f.keys = number(argv[3], KEYS_MAX);
        f.days = number(argv[4], DAYS_MAX);
        fill(&f);
        print_counts(&f);
    }
    pst_usage_store_close(f.store);
    return 0;
}
