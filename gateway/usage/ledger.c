/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/ledger.h"

#include "ledger_private.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define US (INT64_C(1000000))
/* Drains at open and close, so that a very full ring cannot hold up a start or a stop for ever. */
#define DRAINS_MAX 4096

/* One gateway per data directory: two would each drain what the other's workers append. */
static int lock_directory(struct pst_ledger *ledger)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/" PST_JOURNAL_DIR, ledger->options.data_dir);
    int err = pst_dir_ensure(path);
    if (err < 0) {
        pst_error("usage", "%s cannot be created: %s", path, pst_strerror(err));
        return err;
    }
    ledger->lock_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ledger->lock_fd >= 0 && flock(ledger->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK) {
        pst_error("usage", "another gateway uses %s; give this one its own data_dir",
                  ledger->options.data_dir);
        return -PST_EBUSY;
    }
    return pst_err_from_errno(errno);
}

static int open_store(struct pst_ledger *ledger)
{
    struct pst_db_why why = {""};
    int err = pst_usage_store_open(ledger->options.data_dir, PST_DB_WRITE, &ledger->store, &why);
    if (err < 0)
        pst_error("usage", "%s", why.text);
    return err;
}

static void drain_all(struct pst_ledger *ledger)
{
    for (int i = 0; i < DRAINS_MAX; i++) {
        if (pst_ledger_drain(ledger) < PST_LEDGER_BATCH)
            return;
    }
}

int pst_ledger_open(const struct pst_ledger_options *options, struct pst_ledger **ret)
{
    struct pst_ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL)
        return -PST_ENOMEM;
    ledger->options = *options;
    ledger->lock_fd = -1;
    int err = lock_directory(ledger);
    if (err == 0)
        err = open_store(ledger);
    if (err == 0)
        err = pst_access_log_new(options->access_fd, options->access_format, &ledger->log);
    if (err == 0)
        err = ledger_find_orphans(ledger);
    if (err < 0) {
        pst_ledger_close(ledger);
        return err;
    }
    if (ledger->n_sources > 0)
        drain_all(ledger);
    ledger_forget_gone(ledger);
    *ret = ledger;
    return 0;
}

int pst_ledger_add(struct pst_ledger *ledger, struct pst_journal *journal)
{
    if (ledger->n_sources == LEDGER_JOURNALS_MAX)
        return -PST_EBUSY;
    ledger->sources[ledger->n_sources++] = (struct source){.journal = journal};
    return 0;
}

void pst_ledger_close(struct pst_ledger *ledger)
{
    if (ledger == NULL)
        return;
    if (ledger->store != NULL && ledger->log != NULL)
        drain_all(ledger);
    losses_end(&ledger->losses);
    pst_access_log_free(ledger->log); /* notes in the journals what it writes */
    for (size_t i = 0; i < ledger->n_sources; i++) {
        if (ledger->sources[i].orphan)
            journal_unmap(ledger->sources[i].journal);
    }
    pst_usage_store_close(ledger->store);
    names_clear(&ledger->keys);
    names_clear(&ledger->routes);
    names_clear(&ledger->words);
    pst_fd_close(ledger->lock_fd);
    free(ledger);
}

/* The moment `keep_s` before now; 0 to keep for ever. */
static int64_t horizon(int64_t now_us, uint64_t keep_s, int64_t unit_us)
{
    if (keep_s == PST_LEDGER_KEEP_FOREVER || (int64_t)keep_s > now_us / US)
        return 0;
    return (now_us - (int64_t)keep_s * US) / unit_us;
}

/* For a bound that was lowered: a drain has its own. */
static int bound_keyless(struct pst_ledger *ledger)
{
    uint64_t dropped = 0;
    int err = pst_usage_store_begin(ledger->store);
    int more =
        err == 0 ? pst_usage_store_bound_keyless(ledger->store, ledger->options.keep_keyless, &dropped) : err;
    if (more >= 0)
        err = pst_usage_store_commit(ledger->store);
    if (more < 0 || err < 0) {
        pst_usage_store_rollback(ledger->store);
        return more < 0 ? more : err;
    }
    atomic_fetch_add(&ledger->keyless_dropped, dropped);
    return more;
}

int pst_ledger_retain(struct pst_ledger *ledger, int64_t now_us)
{
    const struct pst_ledger_options *options = &ledger->options;
    int keyless = bound_keyless(ledger);
    int more = pst_usage_store_forget(ledger->store, horizon(now_us, options->keep_raw_s, 1),
                                      horizon(now_us, options->keep_hourly_s, 3600 * US),
                                      horizon(now_us, options->keep_daily_s, 86400 * US),
                                      horizon(now_us, PST_USAGE_OLD_DAYS * UINT64_C(86400), 60 * US));
    if (more < 0 || keyless < 0)
        pst_debug("usage", "old usage could not be removed: %s", pst_usage_store_why(ledger->store));
    return more > 0 || keyless > 0 ? 1 : 0;
}

void pst_ledger_stats(const struct pst_ledger *ledger, struct pst_usage_stats *ret)
{
    *ret = (struct pst_usage_stats){
        .requests = atomic_load(&ledger->requests),
        .lost = atomic_load(&ledger->lost),
        .commits = atomic_load(&ledger->commits),
        .commit_us = atomic_load(&ledger->commit_us),
        .errors = atomic_load(&ledger->errors),
        .lag = atomic_load(&ledger->lag),
        .log_dropped = atomic_load(&ledger->log_dropped),
        .set_aside = atomic_load(&ledger->set_aside),
        .keyless_dropped = atomic_load(&ledger->keyless_dropped),
        .routes_other = atomic_load(&ledger->routes_other),
        .volatile_journals = atomic_load(&ledger->volatile_journals),
        .failing = atomic_load(&ledger->failing),
    };
}
