/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands: one table (commands.c), and what they share: options, settings, messages, tables.
 * Exit codes of all of them: 0 done, 1 failed, 2 wrong usage. Main thread only. */
#ifndef POSTERN_CMD_COMMAND_H
#define POSTERN_CMD_COMMAND_H

#include "postern/base/err.h"
#include "postern/conf/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum pst_exit { PST_EXIT_OK = 0, PST_EXIT_FAILED = 1, PST_EXIT_USAGE = 2 };

struct pst_command {
    const char *name;
    const char *summary; /* one line for the list of commands */
    /* argv[0] is the command's name. Returns the exit code. */
    int (*run)(int argc, char **argv);
};

/* The whole program: finds the command and runs it. */
int pst_cmd_main(int argc, char **argv);

/* Options */

/* An option of one command, long form only: --name VALUE or --name=VALUE, or a switch. */
struct pst_option {
    const char *name;  /* without the dashes */
    const char *value; /* what the value is called in the help ("FILE"); NULL for a switch */
    const char *help;
    const char **ret_text; /* for one with a value; keeps what it had when not given */
    bool *ret_switch;      /* for a switch */
};

struct pst_usage {
    const char *synopsis; /* "key create --name NAME [--json]" */
    const char *about;    /* what it does, in sentences; may have line breaks */
    const struct pst_option *options;
    size_t n_options;
    bool takes_settings; /* --config FILE and every setting as a flag */
    size_t min_args;     /* words that are no options */
    size_t max_args;
};

#define PST_ARGS_MAX 8

struct pst_args {
    const char *words[PST_ARGS_MAX];
    size_t n_words;
    const char *config; /* --config, else POSTERN_CONFIG, else NULL */
    struct pst_setting_flag flags[PST_SETTINGS_MAX];
    char flag_names[PST_SETTINGS_MAX][48];
    size_t n_flags;
};

/* Reads argv[1..]. -1: go on. Otherwise the exit code to return: 0 after --help, 2 after a message that says
 * what was wrong. */
int pst_cmd_parse(const struct pst_usage *usage, int argc, char **argv,
                  struct pst_args *ret_args) PST_MUSTCHECK;
/* Loads the settings from --config, the environment and the flags; prints problems and warnings to standard
 * error. 0 or -PST_EINVAL. pst_settings_done() afterwards. */
int pst_cmd_settings(const struct pst_args *args, struct pst_settings *ret_settings) PST_MUSTCHECK;

/* "postern: TEXT" on standard error. */
void pst_cmd_error(const char *fmt, ...) PST_PRINTF(1, 2);
/* The same with a reference to the command's help; returns PST_EXIT_USAGE. */
int pst_cmd_wrong_usage(const struct pst_usage *usage, const char *fmt, ...) PST_PRINTF(2, 3);
/* Flushes standard output: PST_EXIT_OK, or PST_EXIT_FAILED with a message when it could not be written. */
int pst_cmd_finish(void);

/* Tables: columns padded to their widest cell, a heading in a terminal and in a pipe alike. */

struct pst_table;
/* `columns`: headings; a heading that begins with '>' is aligned to the right. NULL without memory. */
struct pst_table *pst_table_new(const char *const *columns, size_t n_columns) PST_MUSTCHECK;
/* Adds the next cell, row by row; copied; control characters are shown as '?'. */
void pst_table_cell(struct pst_table *table, const char *text);
void pst_table_cell_u64(struct pst_table *table, uint64_t value);
/* Prints and frees. */
void pst_table_print(struct pst_table *table, FILE *out);

/* The commands, one file each. */
int pst_cmd_serve(int argc, char **argv);
int pst_cmd_demo(int argc, char **argv);
int pst_cmd_check(int argc, char **argv);
int pst_cmd_key(int argc, char **argv);
int pst_cmd_usage(int argc, char **argv);
int pst_cmd_settings_list(int argc, char **argv);
int pst_cmd_version(int argc, char **argv);

#endif
