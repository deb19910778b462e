/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin side is told about the rest. */
#include "internal.h"
#include "postern/base/clock.h"

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
    ret->upstream_waits += get(&stats->upstream_waits);
    ret->upstream_share_waits += get(&stats->upstream_share_waits);
    ret->answers_cut += get(&stats->answers_cut);
    ret->clients_left += get(&stats->clients_left);
    ret->accepted += get(&stats->connections_accepted);
    ret->refused += get(&stats->connections_refused);
    ret->displaced += get(&stats->connections_displaced);
    ret->handshakes_open += get(&stats->handshakes_open);
    ret->handshakes_failed += get(&stats->handshakes_failed);
    ret->handshakes_timed_out += get(&stats->handshakes_timed_out);
    ret->records_lost += get(&stats->records_lost);
}

void workers_reach(struct pst_worker *const *workers, unsigned n, struct pst_reach_sum *ret)
{
    const struct pst_reach *each[MAX_WORKERS];
    *ret = (struct pst_reach_sum){.state = PST_REACH_UNKNOWN};
    for (unsigned i = 0; i < n; i++) {
        each[i] = &pst_worker_stats(workers[i])->reach;
        pst_reach_add(each[i], ret);
    }
    pst_reach_judge(each, n, ret);
}

static void add_worker(const struct pst_front_stats *stats, struct pst_admin_status *ret)
{
    add_traffic(stats, &ret->traffic);
    ret->connections += get(&stats->connections_open);
}

static void set_certificate(const struct pst_tls_material *material, struct pst_admin_certificate *ret)
{
    if (material == NULL)
        return;
    *ret = (struct pst_admin_certificate){
        .path = pst_tls_material_path(material),
        .sha256 = pst_tls_material_fingerprint(material),
        .self_signed = pst_tls_material_self_signed(material),
        .not_before_us = pst_tls_material_not_before_us(material),
        .not_after_us = pst_tls_material_not_after_us(material),
        .state = pst_tls_dates_name(pst_tls_material_dates(material, pst_clock_real_us())),
    };
}

static void on_status(void *arg, struct pst_admin_status *ret)
{
    const struct pst_server *server = arg;
    struct pst_usage_stats usage;
    pst_ledger_stats(server->ledger, &usage);
    *ret = (struct pst_admin_status){
        .workers = server->n_workers,
        .journal_waiting = usage.lag,
        .journal_lost = usage.lost,
        .journals_unreadable = usage.set_aside,
        .keyless_dropped = usage.keyless_dropped,
        .log_dropped = usage.log_dropped,
        .usage_failing = usage.failing,
    };
    for (unsigned i = 0; i < server->n_started; i++)
        add_worker(pst_worker_stats(server->workers[i]), ret);
    workers_reach(server->workers, server->n_started, &ret->upstream);
    set_certificate(server->material, &ret->certificate);
    set_certificate(server->admin_material, &ret->admin_certificate);
    set_egress(server, &ret->egress);
}

/* The admin side's own certificate, where the settings name one. */
static int load_material(struct pst_server *server)
{
    static char module[] = "admin";
    const struct pst_settings *s = server->settings;
    const struct pst_tls_files files = {
        .certificate = s->admin_tls_certificate, .key = s->admin_tls_key, .data_dir = s->data_dir};
    if (s->admin_tls_certificate[0] == '\0' && s->admin_tls_key[0] == '\0')
        return 0;
    return pst_tls_material_load(&files, server_log_certificate, module, &server->admin_material);
}

int admin_start(struct pst_server *server)
{
    if (!pst_admin_wanted(server->settings))
        return 0;
    int err = load_material(server);
    if (err < 0)
        return err;
    bool own = server->admin_material != NULL;
    const struct pst_admin_parts parts = {.settings = server->settings,
                                          .material = own ? server->admin_material : server->material,
                                          .version = PST_VERSION,
                                          .status = on_status,
                                          .arg = server};
    return pst_admin_start(&parts, &server->admin);
}
