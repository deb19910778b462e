/* SPDX-License-Identifier: Apache-2.0 */
#include "key_internal.h"

#include <string.h>

static const struct pst_command commands[] = {
    {"create", "make a key with two secrets, printed once", key_create},
    {"import", "take over one or two secrets that clients have already", key_import},
    {"list", "all keys, without their secrets", key_list},
    {"show", "one key", key_show},
    {"rotate", "replace one of a key's secrets; the old one works on for a while", key_rotate},
    {"disable", "refuse a key from now on", key_disable},
    {"enable", "accept it again", key_enable},
    {"delete", "remove a key for good", key_delete},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("Usage: postern key COMMAND [OPTIONS]\n\n"
          "Manages the keys in data_dir. A running gateway takes a change in within a second.\n\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`postern key COMMAND --help` says more. Exit codes: 0 done, 1 failed, 2 wrong usage.\n", out);
}

int pst_cmd_key(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return PST_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return pst_cmd_finish();
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    pst_cmd_error("there is no command \"key %s\"; `postern key --help` lists them", argv[1]);
    return PST_EXIT_USAGE;
}
