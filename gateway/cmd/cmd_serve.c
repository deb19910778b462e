/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/log.h"
#include "postern/cmd/command.h"
#include "postern/server/server.h"

static const struct pst_usage usage = {
    .synopsis = "serve [--config FILE] [--SETTING VALUE]...",
    .about = "Runs the gateway until SIGTERM or SIGINT; it then completes requests in progress and exits "
             "with 0. The access log "
             "goes to standard output, messages go to standard error.",
    .takes_settings = true,
};

int pst_cmd_serve(int argc, char **argv)
{
    struct pst_args args;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    struct pst_settings settings;
    if (pst_cmd_settings(&args, &settings) < 0)
        return PST_EXIT_FAILED;
    pst_log_setup((enum pst_log_level)settings.log_level,
                  settings.log_format == PST_LOG_FORMAT_JSON ? PST_LOG_JSON : PST_LOG_TEXT);
    pst_server_block_signals();
    struct pst_server *server = NULL;
    int err = pst_server_start(&settings, &server);
    if (err == 0)
        pst_server_run(server);
    pst_settings_done(&settings);
    return err == 0 ? PST_EXIT_OK : PST_EXIT_FAILED;
}
