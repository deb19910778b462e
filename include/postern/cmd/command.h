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

/* Commands to choose from: those of `postern`, or of `postern key`. */
struct pst_command_set {
    const char *name;  /* "key "; empty for the program's own */
    const char *about; /* sentences; filled to the width */
    const struct pst_command *commands;
    size_t n;
};

/* Finds the command that argv[1] names and runs it. Also answers "--help", "help" and "help COMMAND ...".
 * Returns the exit code. */
int pst_cmd_choose(const struct pst_command_set *set, int argc, char **argv);
/* The whole program. */
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
    const char *synopsis; /* "key create --name NAME [--json]": the command's words are in lower case */
    const char *about; /* what it does, in sentences, filled to the width; an empty line parts paragraphs */
    const struct pst_option *options;
    size_t n_options;
    const char *exit_codes; /* for the help; NULL: those of most commands */
    bool takes_settings;    /* --config FILE and every setting as a flag */
    size_t min_args;        /* words that are no options */
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

/* Lets `data_dir` be the directory that the data lies in (db/data_dir.h), as pst_cmd_settings() does. */
void pst_cmd_find_data(struct pst_settings *settings);

/* Values of options. Both return -1 to go on, or the exit code after a message. */

/* "90d", "24h", "30m", "10s", "250ms"; a number without a unit is refused unless it is 0. */
int pst_cmd_take_duration(const struct pst_usage *usage, const char *option, const char *text,
                          uint64_t *ret_ms) PST_MUSTCHECK;
/* Where a relative time points to. */
enum pst_cmd_when { PST_CMD_AGO, PST_CMD_FROM_NOW };
/* RFC 3339, a date alone (midnight UTC) or a duration before or after now, in real microseconds; *ret_us
 * stays as it is when `text` is NULL. */
int pst_cmd_take_time(const struct pst_usage *usage, const char *option, const char *text,
                      enum pst_cmd_when when, int64_t *ret_us) PST_MUSTCHECK;

/* What pst_cmd_settings() loads from, for a command that wants more of pst_settings_collect(). */
/* A variable of the environment without white space around it; NULL when it is not there, or empty. The text
 * lives as long as the program. The main thread only. */
const char *pst_cmd_variable(const char *name);
struct pst_settings_input pst_cmd_settings_input(const struct pst_args *args);

/* "postern key create: TEXT" on standard error; "postern: TEXT" before a command's options were parsed. */
void pst_cmd_error(const char *fmt, ...) PST_PRINTF(1, 2);
/* The same with the command's synopsis below; returns PST_EXIT_USAGE. */
int pst_cmd_wrong_usage(const struct pst_usage *usage, const char *fmt, ...) PST_PRINTF(2, 3);
/* The command's help on standard output. */
void pst_cmd_print_help(const struct pst_usage *usage);
/* Flushes standard output: PST_EXIT_OK, or PST_EXIT_FAILED with a message when not all of it could be
 * written. */
int pst_cmd_finish(void);
/* Prints a JSON value and a line's end, frees it, and finishes; NULL (no memory) fails. */
struct json_t;
int pst_cmd_print_json(struct json_t *value);
/* Prints `text` from `column` on, broken between words before the 80th column, with `indent` blanks before
 * each further line; ends the line. What is in brackets stays together. */
void pst_cmd_print_filled(FILE *out, const char *text, size_t column, size_t indent);

/* Tables: columns padded to their widest cell, a heading in a terminal and in a pipe alike. */

struct pst_table;
/* `columns`: headings; a heading that begins with '>' is aligned to the right. NULL without memory. */
struct pst_table *pst_table_new(const char *const *columns, size_t n_columns) PST_MUSTCHECK;
/* Adds the next cell, row by row; copied; control characters are shown as '?'. Without memory the table ends
 * there, and pst_cmd_finish() will say so. */
void pst_table_cell(struct pst_table *table, const char *text);
void pst_table_cell_u64(struct pst_table *table, uint64_t value);
/* Prints and frees. */
void pst_table_print(struct pst_table *table, FILE *out);
/* Whether a table was cut short. */
bool pst_table_was_cut(void);

/* The commands, one file each. */
int pst_cmd_serve(int argc, char **argv);
int pst_cmd_demo(int argc, char **argv);
int pst_cmd_check(int argc, char **argv);
int pst_cmd_doctor(int argc, char **argv);
int pst_cmd_key(int argc, char **argv);
int pst_cmd_admin_token(int argc, char **argv);
int pst_cmd_client_cert(int argc, char **argv);
int pst_cmd_audit(int argc, char **argv);
int pst_cmd_usage(int argc, char **argv);
int pst_cmd_settings_list(int argc, char **argv);
int pst_cmd_version(int argc, char **argv);

#endif
