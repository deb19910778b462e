/* SPDX-License-Identifier: Apache-2.0 */
/* From a word to the command that it names. */
#include "postern/cmd/command.h"
#include "postern/conf/nearest.h"

#include <string.h>

static void print_help(const struct pst_command_set *set, FILE *out)
{
    int width = 0;
    for (size_t i = 0; i < set->n; i++) {
        int len = (int)strlen(set->commands[i].name);
        width = len > width ? len : width;
    }
    fprintf(out, "Usage: postern %sCOMMAND [OPTIONS]\n\n", set->name);
    pst_cmd_print_filled(out, set->about, 0, 0);
    fputs("\nCommands:\n", out);
    for (size_t i = 0; i < set->n; i++)
        fprintf(out, "  %-*s  %s\n", width, set->commands[i].name, set->commands[i].summary);
    fprintf(out,
            "\n`postern %sCOMMAND --help` explains a command.\n"
            "Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
            set->name);
}

static const struct pst_command *find(const struct pst_command_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++) {
        if (strcmp(set->commands[i].name, name) == 0)
            return &set->commands[i];
    }
    return NULL;
}

static int unknown(const struct pst_command_set *set, const char *name)
{
    struct pst_nearest nearest;
    pst_nearest_begin(&nearest, name);
    for (size_t i = 0; i < set->n; i++)
        pst_nearest_offer(&nearest, set->commands[i].name);
    if (nearest.best != NULL)
        pst_cmd_error("unknown command \"%s%s\"; did you mean `postern %s%s`?", set->name, name, set->name,
                      nearest.best);
    else
        pst_cmd_error("unknown command \"%s%s\"; `postern %s--help` lists them", set->name, name, set->name);
    return PST_EXIT_USAGE;
}

/* "help", "help key", "help key create": the last two are "key --help" and "key create --help". */
static int help(const struct pst_command_set *set, int argc, char **argv)
{
    if (argc < 3) {
        print_help(set, stdout);
        return pst_cmd_finish();
    }
    const struct pst_command *command = find(set, argv[2]);
    if (command == NULL)
        return unknown(set, argv[2]);
    char help_flag[] = "--help";
    char *command_argv[] = {argv[2], argc > 3 ? argv[3] : help_flag, help_flag, NULL};
    return command->run(argc > 3 ? 3 : 2, command_argv);
}

int pst_cmd_choose(const struct pst_command_set *set, int argc, char **argv)
{
    if (argc < 2) {
        print_help(set, stderr);
        return PST_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(set, argc, argv);
    const struct pst_command *command = find(set, argv[1]);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown(set, argv[1]);
}
