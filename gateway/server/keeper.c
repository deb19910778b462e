/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/base/thread.h"

/* A key made by `postern key` works, and a finished request is in the log, within this long. */
#define TICK_US          250000
#define RETAIN_US        60000000
#define RESOLVE_US       30000000
#define RESOLVE_RETRY_US 2000000
#define DATES_US         2000000
/* Batches written in one go before the keys are looked at again. */
#define DRAINS_PER_TICK 16

/* It works in bursts, and a worker on the same CPU, with requests to answer, goes first. */
static void step_back(struct keeper *keeper)
{
    if (!keeper->stepped_back)
        pst_thread_step_back();
    keeper->stepped_back = true;
}

static void drain(struct keeper *keeper)
{
    for (int i = 0; i < DRAINS_PER_TICK; i++) {
        if (pst_ledger_drain(keeper->ledger) < PST_LEDGER_BATCH)
            return;
    }
}

static void retain(struct keeper *keeper, uint64_t now)
{
    if (now < keeper->next_retain_us)
        return;
    int more = pst_ledger_retain(keeper->ledger, pst_clock_real_us());
    keeper->next_retain_us = now + (more > 0 ? TICK_US : RETAIN_US);
}

static void tell_workers(struct keeper *keeper)
{
    for (unsigned i = 0; i < keeper->n_workers; i++)
        pst_worker_set_origin(keeper->workers[i], keeper->origin);
}

/* Names change their addresses (a container restarted elsewhere, a service in compose). */
static void resolve(struct keeper *keeper, uint64_t now)
{
    if (keeper->upstream.is_unix || now < keeper->next_resolve_us)
        return;
    struct pst_origin *origin = NULL;
    int err = pst_origin_resolve(&keeper->upstream, &origin);
    keeper->next_resolve_us = pst_clock_mono_us() + (err < 0 ? RESOLVE_RETRY_US : RESOLVE_US);
    if (err < 0) {
        pst_debug("upstream", "%s: %s", keeper->upstream.host, pst_strerror(err));
        return; /* what is known stays in use */
    }
    if (pst_origin_same(origin, keeper->origin)) {
        pst_origin_unref(origin);
        return;
    }
    pst_info("upstream", "%s now has %zu address(es)", keeper->upstream.authority,
             pst_origin_n_addresses(origin));
    pst_origin_unref(keeper->origin);
    keeper->origin = origin;
    tell_workers(keeper);
}

static void rotate(struct keeper *keeper, uint64_t now)
{
    if (now < keeper->next_rotate_us)
        return;
    struct pst_ticket_key key;
    keeper->next_rotate_us = now + keeper->ticket_period_us;
    if (pst_ticket_key_make(&key, (uint32_t)(keeper->ticket_period_us / 1000000)) < 0) {
        pst_warn("tls", "no random bytes for a new session ticket key; the old one stays in use");
        return;
    }
    for (unsigned i = 0; i < keeper->n_workers; i++)
        pst_worker_rotate(keeper->workers[i], &key);
    explicit_bzero(&key, sizeof(key));
}

static void log_line(const struct pst_reach_line *line)
{
    pst_log(line->level, "upstream", "%s", line->text);
}

/* What the workers noted of the container; the log is written here, off the request path. */
static void watch_container(struct keeper *keeper, uint64_t now)
{
    struct pst_reach_sum sum;
    struct pst_reach_line line;
    for (unsigned i = 0; i < keeper->n_workers; i++) {
        if (pst_reach_take_fault(&keeper->reach, pst_worker_reach(keeper->workers[i]), now, &line))
            log_line(&line);
    }
    workers_reach(keeper->workers, keeper->n_workers, &sum);
    if (pst_reach_look(&keeper->reach, &sum, keeper->upstream.authority, now, &line))
        log_line(&line);
}

static void log_dates(void *arg, enum pst_tls_dates dates, const char *text)
{
    (void)arg;
    pst_log(dates == PST_TLS_DATES_GOOD ? PST_LOG_INFO : PST_LOG_WARNING, "tls", "%s", text);
}

/* How they stood at the start is logged where they are loaded. */
static void watch_dates(struct keeper *keeper, uint64_t now)
{
    if (now < keeper->next_dates_us)
        return;
    int64_t real_us = pst_clock_real_us();
    for (size_t i = 0; i < sizeof(keeper->materials) / sizeof(keeper->materials[0]); i++) {
        if (keeper->materials[i] != NULL)
            pst_tls_material_tell_dates(keeper->materials[i], keeper->dates_seen_us, real_us, log_dates,
                                        NULL);
    }
    keeper->dates_seen_us = real_us;
    keeper->next_dates_us = now + DATES_US;
}

static void turn(void *arg)
{
    struct keeper *keeper = arg;
    step_back(keeper);
    (void)pst_keyring_refresh(keeper->keyring); /* logs its failures itself, and tries again */
    drain(keeper);
    uint64_t now = pst_clock_mono_us();
    retain(keeper, now);
    resolve(keeper, now);
    client_certificates_refresh(keeper, now);
    rotate(keeper, now);
    watch_dates(keeper, now);
    watch_container(keeper, now);
    pst_sts_rotate(keeper->sts, pst_clock_real_us());
}

int keeper_start(struct keeper *keeper)
{
    uint64_t now = pst_clock_mono_us();
    keeper->next_resolve_us = keeper->origin != NULL ? now + RESOLVE_US : now;
    keeper->next_rotate_us = now + keeper->ticket_period_us;
    keeper->dates_seen_us = pst_clock_real_us();
    keeper->next_dates_us = now + DATES_US;
    return pst_ticker_start(&keeper->ticker, "keeper", TICK_US, turn, keeper);
}

void keeper_stop(struct keeper *keeper)
{
    pst_ticker_stop(&keeper->ticker);
    watch_container(keeper, pst_clock_mono_us()); /* what happened since its last turn */
}
