/* SPDX-License-Identifier: Apache-2.0 */
/* What the admin side is told about the rest. */
#include "internal.h"

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
        ret->connections += atomic_load_explicit(&pst_worker_stats(server->workers[i])->connections_open,
                                                 memory_order_relaxed);
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
