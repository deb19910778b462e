/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin side is told about the rest. */
#include "internal.h"

static void set_egress(const struct pst_server *server, struct pst_admin_egress *ret)
{
    struct pst_egress_stats stats;
    if (server->egress == NULL)
        return;
    pst_egress_stats(server->egress, &stats);
    *ret = (struct pst_admin_egress){
        .on = true,
        .open = stats.open,
        .opened = stats.opened,
        .refused = stats.refused,
        .failed = stats.failed,
        .bytes_up = stats.bytes_up,
        .bytes_down = stats.bytes_down,
        .metering_us = stats.metering_us,
        .failures = stats.failures,
        .silent = stats.metering_silent,
    };
}

static uint64_t get(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_traffic(const struct pst_front_stats *stats, struct pst_admin_traffic *ret)
{
    pst_traffic_add(&stats->traffic, &ret->sums);
    for (size_t i = 0; i < PST_ERROR_MAX; i++)
        ret->errors[i] += get(&stats->errors[i]);
    ret->wrong_credentials += get(&stats->wrong_credentials);
    ret->answers_cut += get(&stats->answers_cut);
    ret->clients_left += get(&stats->clients_left);
    ret->accepted += get(&stats->connections_accepted);
    ret->refused += get(&stats->connections_refused);
    ret->handshakes_open += get(&stats->handshakes_open);
    ret->handshakes_failed += get(&stats->handshakes_failed);
    ret->handshakes_timed_out += get(&stats->handshakes_timed_out);
    ret->records_lost += get(&stats->records_lost);
}

/* Sums and latest times over the workers. */
static void add_worker(const struct pst_front_stats *stats, struct pst_admin_status *ret)
{
    add_traffic(stats, &ret->traffic);
    int64_t answered = atomic_load_explicit(&stats->upstream_answered_us, memory_order_relaxed);
    int64_t failed = atomic_load_explicit(&stats->upstream_failed_us, memory_order_relaxed);
    ret->connections += get(&stats->connections_open);
    ret->upstream_answered_us = answered > ret->upstream_answered_us ? answered : ret->upstream_answered_us;
    ret->upstream_failed_us = failed > ret->upstream_failed_us ? failed : ret->upstream_failed_us;
}

static void on_status(void *arg, struct pst_admin_status *ret)
{
    const struct pst_server *server = arg;
    struct pst_usage_stats usage;
    pst_ledger_stats(server->ledger, &usage);
    *ret = (struct pst_admin_status){
        .workers = server->n_workers,
        .journal_waiting = usage.lag,
        .usage_failing = usage.failing,
        .certificate_path = pst_tls_material_path(server->material),
        .certificate_sha256 = pst_tls_material_fingerprint(server->material),
        .certificate_self_signed = pst_tls_material_self_signed(server->material),
        .certificate_not_after_us = pst_tls_material_not_after_us(server->material),
    };
    for (unsigned i = 0; i < server->n_started; i++)
        add_worker(pst_worker_stats(server->workers[i]), ret);
    set_egress(server, &ret->egress);
}

int admin_start(struct pst_server *server)
{
    const struct pst_admin_parts parts = {.settings = server->settings,
                                          .material = server->material,
                                          .version = PST_VERSION,
                                          .status = on_status,
                                          .arg = server};
    return pst_admin_wanted(server->settings) ? pst_admin_start(&parts, &server->admin) : 0;
}
