/* SPDX-License-Identifier: Apache-2.0 */
/* What counting costs: appending to a journal, draining it into usage.db, writing the access log; CPU time
 * per request (user and system, checkpoints included), one million requests unless told otherwise. Run it by
 * hand or by `meson test --benchmark`: it prints and judges nothing. */
#include "postern/base/clock.h"
#include "postern/usage/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* A mix such as a small deployment has: keys, routes, methods, statuses. */
static void make(struct pst_usage_record *record, unsigned i, unsigned n_keys)
{
    char text[64];
    *record = (struct pst_usage_record){
        .time_us = pst_clock_real_us(),
        .duration_us = 800 + i % 3000,
        .ttfb_us = 700 + i % 2500,
        .bytes_in = 120,
        .bytes_out = 512 + i % 900,
        .status = i % 50 == 0 ? 404 : 200,
        .method = i % 3 == 0 ? PST_USAGE_GET : PST_USAGE_POST,
        .secret_slot = 1 + i % 2,
        .tls = PST_USAGE_TLS_13,
        .http = PST_USAGE_HTTP_11,
        .client_port = (uint16_t)(30000 + i % 64),
    };
    pst_usage_set_ipv4(record, (const uint8_t[4]){10, 0, 0, (uint8_t)(i % 64)});
    snprintf(text, sizeof(text), "k%011u", i % n_keys);
    pst_usage_set_key_id(record, pst_str_of(text));
    snprintf(text, sizeof(text), "%016x%016x", i * 2654435761u, i);
    pst_usage_set_request_id(record, pst_str_of(text));
    pst_usage_set_path(record, i % 4 == 0 ? PST_STR("/language/:analyze-text")
                                          : PST_STR("/text/analytics/v3.1/languages"));
}

struct cost {
    double append_us, drain_us;
};

static struct cost run(enum pst_access_format format, unsigned total, unsigned n_keys)
{
    char dir[] = "/tmp/postern-bench-XXXXXX", command[64];
    struct cost cost = {0};
    struct pst_ledger *ledger = NULL;
    struct pst_journal *journal = NULL;
    int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (mkdtemp(dir) == NULL || null_fd < 0)
        exit(1);
    struct pst_ledger_options options = {
        .data_dir = dir, .access_fd = null_fd, .access_format = format, .keep_keyless = 1000};
    if (pst_ledger_open(&options, &ledger) < 0 ||
        pst_journal_open(dir, 0, PST_JOURNAL_RECORDS, &journal) < 0 || pst_ledger_add(ledger, journal) < 0)
        exit(1);
    static struct pst_usage_record records[PST_LEDGER_BATCH];
    for (unsigned done = 0; done < total;) {
        unsigned n = PST_LEDGER_BATCH / 2; /* a quarter second at 8,000 requests/s */
        for (unsigned i = 0; i < n; i++)
            make(&records[i], done + i, n_keys);
        double begin = cpu_us();
        for (unsigned i = 0; i < n; i++)
            if (pst_journal_append(journal, &records[i]) < 0)
                exit(1);
        double appended = cpu_us();
        if (pst_ledger_drain(ledger) != (int)n)
            exit(1);
        cost.append_us += appended - begin;
        cost.drain_us += cpu_us() - appended;
        done += n;
    }
    pst_ledger_close(ledger);
    pst_journal_close(journal);
    close(null_fd);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        exit(1);
    cost.append_us /= total;
    cost.drain_us /= total;
    return cost;
}

int main(int argc, char **argv)
{
    unsigned total = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    for (unsigned n_keys = 8; n_keys <= 800; n_keys *= 100) {
        struct cost off = run(PST_ACCESS_OFF, total, n_keys);
        struct cost json = run(PST_ACCESS_JSON, total, n_keys);
        struct cost text = run(PST_ACCESS_TEXT, total, n_keys);
        printf("%u requests of %u keys, CPU per request: append %.3f us, usage.db %.3f us, "
               "access log json +%.3f us, text +%.3f us\n",
               total, n_keys, off.append_us, off.drain_us, json.drain_us - off.drain_us,
               text.drain_us - off.drain_us);
    }
    return 0;
}
