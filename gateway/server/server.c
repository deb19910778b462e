/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/server/server.h"

#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/conf/open_files.h"
#include "postern/db/data_dir.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* After the cut the workers have only to close sockets. */
#define ABORT_WAIT_US 3000000
#define POLL_US       20000
/* The container is going too: its tunnels get a moment to end. */
#define EGRESS_WAIT_US 1000000

/* -PST_ELIMIT: with so few descriptors nothing would work. */
static int raise_file_limit(const struct pst_settings *settings)
{
    const struct pst_open_files need = pst_open_files_of(settings);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    unsigned long long allowed = limit.rlim_cur, least = need.least, most = need.most;
    if (allowed < least) {
        pst_error(
            "server",
            "the limit of open files is %llu, and these settings need at least %llu; raise it (ulimit -n, "
            "LimitNOFILE=, the container runtime's default) or set fewer workers",
            allowed, least);
        return -PST_ELIMIT;
    }
    if (allowed < most)
        pst_warn(
            "server",
            "the limit of open files is %llu; max_connections needs %llu: beyond it new connections wait",
            allowed, most);
    return 0;
}

static int check_data_dir(const char *path)
{
    struct pst_access_why why;
    int err = pst_data_dir_ensure(path, &why);
    char text[PST_ACCESS_TEXT_SIZE];
    if (err < 0) {
        pst_access_text(&why, text);
        pst_error("server", "data_dir: %s", text);
    }
    return err;
}

static void log_access(void *arg, const char *setting, const struct pst_access_why *why)
{
    char text[PST_ACCESS_TEXT_SIZE];
    (void)arg;
    pst_access_text(why, text);
    pst_warn("files", "%s: %s", setting, text);
}

void server_log_certificate(void *module, bool warning, const char *problem)
{
    pst_log(warning ? PST_LOG_WARNING : PST_LOG_ERROR, module, "%s", problem);
}

static int load_tls(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    const struct pst_tls_files files = {
        .certificate = s->tls_certificate,
        .key = s->tls_key,
        .certificate_dir = s->tls_certificate_dir,
        .data_dir = s->data_dir,
    };
    static char module[] = "tls";
    int err = pst_tls_init();
    if (err == 0)
        err = pst_tls_material_load(&files, server_log_certificate, module, &server->material);
    if (err == 0)
        err = pst_ticket_key_make(&server->ticket_key, (uint32_t)(s->tls_ticket_rotation_ms / 1000));
    return err;
}

static enum pst_access_format access_format(const struct pst_settings *s)
{
    switch (s->access_log) {
    case PST_ACCESS_LOG_JSON:
        return PST_ACCESS_JSON;
    case PST_ACCESS_LOG_TEXT:
        return PST_ACCESS_TEXT;
    default:
        return PST_ACCESS_OFF;
    }
}

static int open_stores(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    const struct pst_ledger_options options = {
        .data_dir = s->data_dir,
        .access_fd = STDOUT_FILENO,
        .access_format = access_format(s),
        .keep_raw_s = s->usage_retention_ms / 1000,
        .keep_hourly_s = s->usage_hourly_retention_ms / 1000,
        .keep_keyless = s->usage_rows_without_key,
        .keep_daily_s = s->usage_daily_retention_ms / 1000,
    };
    int err = pst_keyring_open(&server->keyring, s->data_dir, server->n_workers);
    if (err == 0)
        err = pst_ledger_open(&options, &server->ledger);
    for (unsigned i = 0; err == 0 && i < server->n_workers; i++) {
        err = pst_journal_open(s->data_dir, i, (uint32_t)s->usage_journal_records, &server->journals[i]);
        if (err == 0)
            err = pst_ledger_add(server->ledger, server->journals[i]);
    }
    return err;
}

static int open_sts(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    const struct pst_sts_options options = {
        .data_dir = s->data_dir,
        .region = s->region,
        .lifetime_s = (int64_t)(s->token_lifetime_ms / 1000),
        .key_period_s = (int64_t)(s->token_key_period_ms / 1000),
        .n_readers = server->n_workers,
    };
    return pst_sts_open(&options, &server->sts);
}

static int find_upstream(struct pst_server *server)
{
    struct keeper *keeper = &server->keeper;
    const char *reason = NULL;
    if (pst_upstream_parse(pst_str_of(server->settings->upstream), &keeper->upstream, &reason) < 0) {
        pst_error("server", "upstream \"%s\": %s", server->settings->upstream, reason);
        return -PST_EINVAL;
    }
    server->front.endpoint =
        pst_str_of(keeper->upstream.is_unix ? server->settings->upstream : keeper->upstream.authority);
    int err = pst_origin_resolve(&keeper->upstream, &keeper->origin);
    if (err < 0)
        pst_warn("upstream", "%s has no address yet (%s); requests get 503 until it does",
                 keeper->upstream.host, pst_strerror(err));
    return 0;
}

static int start_worker(struct pst_server *server, unsigned index)
{
    const struct pst_settings *s = server->settings;
    struct pst_worker_listener listeners[MAX_LISTENERS];
    for (size_t i = 0; i < server->bounds.n; i++) {
        listeners[i].fd = server->bounds.at[i].fds[index];
        listeners[i].certificate = server->bounds.at[i].certificate;
        server->bounds.at[i].fds[index] = -1; /* the worker's from here */
    }
    const struct pst_worker_parts parts = {
        .index = index,
        .front = &server->front,
        .pool =
            {
                .max_connections = s->upstream_max_connections,
                .max_waiting = s->upstream_max_waiting,
                .key_percent = (unsigned)s->upstream_key_share,
                .keyless_percent = (unsigned)s->upstream_keyless_share,
                .wait_us = s->upstream_wait_timeout_ms * 1000,
                .connect_timeout_us = s->upstream_connect_timeout_ms * 1000,
                .idle_timeout_us = s->upstream_idle_timeout_ms * 1000,
            },
        .tls_profile = s->tls_profile == PST_PROFILE_MODERN ? PST_TLS_MODERN : PST_TLS_INTERMEDIATE,
        .material = server->material,
        .ticket_key = &server->ticket_key,
        .origin = server->keeper.origin,
        .keyring = server->keyring,
        .sts = server->sts,
        .oidc = server->oidc,
        .jobs = server->jobs,
        .trust = server->trust,
        .certificates = server->certificates,
        .journal = server->journals[index],
        .listeners = listeners,
        .n_listeners = server->bounds.n,
    };
    return pst_worker_start(&parts, &server->workers[index]);
}

static int start_threads(struct pst_server *server)
{
    for (unsigned i = 0; i < server->n_workers; i++) {
        int err = start_worker(server, i);
        if (err < 0) {
            pst_error("server", "worker %u did not start: %s", i, pst_strerror(err));
            return err;
        }
        server->n_started++;
    }
    /* Each has its copy, which rotation replaces: here it would open tickets for as long as the process
     * lives. */
    explicit_bzero(&server->ticket_key, sizeof(server->ticket_key));
    struct keeper *keeper = &server->keeper;
    keeper->keyring = server->keyring;
    keeper->sts = server->sts;
    keeper->ledger = server->ledger;
    keeper->workers = server->workers;
    keeper->n_workers = server->n_workers;
    keeper->materials[0] = server->material;
    keeper->materials[1] = server->admin_material;
    keeper->ticket_period_us = server->settings->tls_ticket_rotation_ms * 1000;
    return keeper_start(keeper);
}

static int open_jobs(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    if (s->job_ownership == PST_SETTING_OFF)
        return 0;
    return pst_job_owners_open(s->data_dir, (uint32_t)s->job_table_size, s->job_lifetime_ms * 1000,
                               &server->jobs);
}

static int set_up(struct pst_server *server)
{
    const struct pst_settings *s = server->settings;
    int err = check_data_dir(s->data_dir);
    pst_settings_check_files(s, log_access, NULL);
    if (err == 0)
        err = front_settings_make(server);
    if (err == 0)
        err = load_tls(server);
    if (err == 0)
        err = client_certificates_open(server);
    if (err == 0)
        err = find_upstream(server);
    if (err == 0)
        err = open_stores(server);
    if (err == 0)
        err = open_sts(server);
    if (err == 0)
        err = open_jobs(server);
    if (err == 0)
        err = oidc_open(server);
    if (err == 0)
        err = listen_all(s, server->n_workers, &server->bounds);
    if (err == 0)
        err = egress_start(server);
    if (err == 0)
        err = admin_start(server);
    /* Last: where a request is answered, all else is there, too. */
    return err < 0 ? err : start_threads(server);
}

static void log_start(const struct pst_server *server)
{
    for (size_t i = 0; i < server->bounds.n; i++)
        pst_info("server", "listening on https://%s", server->bounds.at[i].text);
    pst_info("server", "forwarding to %s with %u worker(s), data in %s", server->settings->upstream,
             server->n_workers, server->settings->data_dir);
    pst_info("server", "certificate %s%s, SHA-256 fingerprint %s", pst_tls_material_path(server->material),
             pst_tls_material_self_signed(server->material) ? " (self-signed)" : "",
             pst_tls_material_fingerprint(server->material));
}

int pst_server_start(const struct pst_settings *settings, struct pst_server **ret_server)
{
    struct pst_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return -PST_ENOMEM;
    server->settings = settings;
    pst_arena_init(&server->texts, 4096, 1024 * 1024);
    server->n_workers = (unsigned)settings->workers < MAX_WORKERS ? (unsigned)settings->workers : MAX_WORKERS;
    if (raise_file_limit(settings) < 0) {
        pst_server_stop(server);
        return -PST_ELIMIT;
    }
    server->workers = calloc(server->n_workers, sizeof(*server->workers));
    server->journals = calloc(server->n_workers, sizeof(*server->journals));
    int err = server->workers != NULL && server->journals != NULL ? set_up(server) : -PST_ENOMEM;
    if (err < 0) {
        pst_server_stop(server);
        return err;
    }
    log_start(server);
    *ret_server = server;
    return 0;
}

/* Stopping */

static bool all_ended(const struct pst_server *server)
{
    for (unsigned i = 0; i < server->n_started; i++) {
        if (!pst_worker_ended(server->workers[i]))
            return false;
    }
    return true;
}

static bool signalled(uint64_t wait_us)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    const struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000),
                                  .tv_nsec = (long)(wait_us % 1000000) * 1000};
    return sigtimedwait(&set, NULL, &wait) > 0;
}

static void wait_for_workers(const struct pst_server *server, uint64_t limit_us)
{
    uint64_t until = pst_clock_mono_us() + limit_us;
    while (!all_ended(server) && pst_clock_mono_us() < until) {
        if (signalled(POLL_US)) {
            pst_info("server", "second signal: closing the remaining connections");
            return;
        }
    }
}

static void drain_workers(struct pst_server *server)
{
    for (unsigned i = 0; i < server->n_started; i++)
        pst_worker_stop(server->workers[i]);
    wait_for_workers(server, server->settings->shutdown_timeout_ms * 1000);
    if (all_ended(server))
        return;
    pst_warn("server", "some requests did not end within shutdown_timeout; closing their connections");
    for (unsigned i = 0; i < server->n_started; i++)
        pst_worker_abort(server->workers[i]);
    wait_for_workers(server, ABORT_WAIT_US);
}

void pst_server_stop(struct pst_server *server)
{
    if (server == NULL)
        return;
    pst_admin_stop(server->admin);
    drain_workers(server);
    pst_egress_stop(server->egress, EGRESS_WAIT_US);
    keeper_stop(&server->keeper); /* first: it posts to the workers */
    for (unsigned i = 0; i < server->n_started; i++)
        pst_worker_free(server->workers[i]);
    listen_close(&server->bounds, server->n_workers);
    oidc_close(server);
    pst_sts_close(server->sts);
    pst_ledger_close(server->ledger);
    for (unsigned i = 0; server->journals != NULL && i < server->n_workers; i++)
        pst_journal_close(server->journals[i]);
    pst_keyring_free(server->keyring);
    pst_origin_unref(server->keeper.origin);
    pst_tls_material_unref(server->material);
    pst_tls_material_unref(server->admin_material);
    explicit_bzero(&server->ticket_key, sizeof(server->ticket_key));
    pst_arena_done(&server->texts);
    pst_job_owners_close(server->jobs);
    client_certificates_close(server);
    pst_routes_free(server->routes);
    free(server->journals);
    free(server->workers);
    free(server);
}

void pst_server_block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* a terminal that goes away is no reason to stop serving */
}

void pst_server_run(struct pst_server *server)
{
    while (!signalled(3600000000))
        continue;
    pst_info("server", "stopping: no new connections, finishing requests in progress");
    pst_server_stop(server);
    pst_info("server", "stopped");
}

uint16_t pst_server_port(const struct pst_server *server)
{
    return server->bounds.at[0].port;
}

const char *pst_server_certificate_path(const struct pst_server *server)
{
    return pst_tls_material_path(server->material);
}

const char *pst_server_fingerprint(const struct pst_server *server)
{
    return pst_tls_material_fingerprint(server->material);
}
