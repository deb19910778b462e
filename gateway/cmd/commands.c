/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/cmd/command.h"

#include "postern/base/str.h"

#include <string.h>

static const struct pst_command commands[] = {
    {"serve", "run the gateway", pst_cmd_serve},
    {"demo", "run it before a sample container, with a key to try", pst_cmd_demo},
    {"check", "say what is wrong with the settings and the files they name", pst_cmd_check},
    {"key", "create, list, show, rotate, enable, disable, delete and import keys", pst_cmd_key},
    {"usage", "sums of what was used, by key, hour, day, route or status", pst_cmd_usage},
    {"settings", "list the settings; make the reference page and the sample file", pst_cmd_settings_list},
    {"version", "print the version and those of the libraries", pst_cmd_version},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("Postern: an HTTPS key gateway in front of an inference container.\n\n"
          "Usage: postern COMMAND [OPTIONS]\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`postern COMMAND --help` says more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n", out);
}

static const struct pst_command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int unknown(const char *name)
{
    pst_cmd_error("there is no command \"%s\"; `postern --help` lists them", name);
    return PST_EXIT_USAGE;
}

/* "help" and "help COMMAND" */
static int help(int argc, char **argv)
{
    if (argc < 3) {
        print_help(stdout);
        return pst_cmd_finish();
    }
    const struct pst_command *command = find(argv[2]);
    if (command == NULL)
        return unknown(argv[2]);
    char help_flag[] = "--help";
    char *command_argv[] = {argv[2], help_flag, NULL};
    return command->run(2, command_argv);
}

int pst_cmd_main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return PST_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(argc, argv);
    if (strcmp(argv[1], "--version") == 0)
        return pst_cmd_version(1, argv + 1);
    const struct pst_command *command = find(argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
