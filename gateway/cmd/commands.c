/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"

#include <signal.h>
#include <string.h>

static const struct pst_command commands[] = {
    {"serve", "run the gateway", pst_cmd_serve},
    {"demo", "run it in front of a sample container, with a test key", pst_cmd_demo},
    {"check", "report every problem in the settings and the files they refer to", pst_cmd_check},
    {"doctor", "diagnose a pod that does not work, and say what to do", pst_cmd_doctor},
    {"key", "create, list, show, rotate, disable, delete and import keys", pst_cmd_key},
    {"client-cert", "approve, list and revoke client certificates", pst_cmd_client_cert},
    {"admin-token", "create, list and revoke tokens for the admin page and API", pst_cmd_admin_token},
    {"audit", "list changes to keys and tokens, and verify the audit trail", pst_cmd_audit},
    {"usage", "usage totals by key, hour, day, route or status", pst_cmd_usage},
    {"settings", "list the settings, or explain one of them", pst_cmd_settings_list},
    {"version", "print the version of Postern and of its libraries", pst_cmd_version},
};

static const struct pst_command_set set = {
    .name = "",
    .about = "Postern: an HTTPS key gateway in front of an inference container.",
    .commands = commands,
    .n = sizeof(commands) / sizeof(commands[0]),
};

int pst_cmd_main(int argc, char **argv)
{
    /* A write beyond the limit of file sizes (ulimit -f) is to fail with EFBIG, which is a full disk, and not
     * to end the process. */
    signal(SIGXFSZ, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return pst_cmd_version(1, argv + 1);
    return pst_cmd_choose(&set, argc, argv);
}
