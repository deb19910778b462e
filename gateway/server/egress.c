/* SPDX-License-Identifier: Apache-2.0 */
/* The egress proxy, from the settings. */
#include "internal.h"
#include "postern/base/log.h"

#include <string.h>

static void log_problem(void *arg, const char *setting, const char *problem)
{
    (void)arg;
    pst_error("egress", "%s: %s", setting, problem);
}

int egress_start(struct pst_server *server)
{
    if (server->settings->n_egress_listen == 0)
        return 0;
    struct pst_egress_settings *egress = &server->egress_settings;
    int err = pst_egress_settings_read(server->settings, egress, log_problem, NULL);
    if (err == 0)
        err = pst_egress_start(&egress->options, &server->egress);
    explicit_bzero(&egress->options, sizeof(egress->options)); /* ports and pins are still pointed to */
    return err;
}
