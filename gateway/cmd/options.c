/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/str.h"
#include "postern/cmd/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pst_cmd_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("postern: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

int pst_cmd_wrong_usage(const struct pst_usage *usage, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("postern: ", stderr);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nUsage: postern %s\n", usage->synopsis);
    return PST_EXIT_USAGE;
}

int pst_cmd_finish(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return PST_EXIT_OK;
    pst_cmd_error("cannot write to standard output: %s", strerror(errno));
    return PST_EXIT_FAILED;
}

static void print_options(const struct pst_usage *usage)
{
    puts("\nOptions:");
    for (size_t i = 0; i < usage->n_options; i++) {
        const struct pst_option *option = &usage->options[i];
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value != NULL ? " " : "",
                 option->value != NULL ? option->value : "");
        printf("  %-26s %s\n", left, option->help);
    }
    if (usage->takes_settings) {
        printf("  %-26s %s\n", "--config FILE", "settings file (YAML); else POSTERN_CONFIG names it");
        printf("  %-26s %s\n", "--SETTING VALUE",
               "any setting, for instance --data-dir DIR; `postern settings` lists "
               "them");
    }
    printf("  %-26s %s\n", "--help", "print this");
}

static void print_help(const struct pst_usage *usage)
{
    printf("Usage: postern %s\n\n%s\n", usage->synopsis, usage->about);
    print_options(usage);
    puts("\nExit codes: 0 done, 1 failed, 2 wrong usage.");
}

/* An argument taken apart: "--name=value" or "--name" with the next one as its value. */
struct cursor {
    int argc;
    char **argv;
    int at;
    char name[48];
    const char *value; /* behind '=', or NULL */
};

static int split_name(const struct pst_usage *usage, struct cursor *c)
{
    struct pst_str value;
    struct pst_str name = pst_str_cut(pst_str_of(c->argv[c->at] + 2), '=', &value);
    c->value = value.p;
    if (pst_str_copy(name, c->name, sizeof(c->name)) < 0)
        return pst_cmd_wrong_usage(usage, "there is no option %s", c->argv[c->at]);
    return -1;
}

static int take_value(const struct pst_usage *usage, struct cursor *c, const char **ret_value)
{
    if (c->value == NULL) {
        if (c->at + 1 >= c->argc)
            return pst_cmd_wrong_usage(usage, "--%s needs a value", c->name);
        c->value = c->argv[++c->at];
    }
    *ret_value = c->value;
    return -1;
}

static int take_own_option(const struct pst_usage *usage, const struct pst_option *option, struct cursor *c)
{
    if (option->ret_switch == NULL)
        return take_value(usage, c, option->ret_text);
    if (c->value != NULL)
        return pst_cmd_wrong_usage(usage, "--%s takes no value", c->name);
    *option->ret_switch = true;
    return -1;
}

static int take_setting(const struct pst_usage *usage, struct cursor *c, struct pst_args *args)
{
    if (strcmp(c->name, "config") == 0)
        return take_value(usage, c, &args->config);
    if (pst_setting_find(c->name) == NULL)
        return pst_cmd_wrong_usage(usage, "there is no option --%s", c->name);
    if (args->n_flags == PST_SETTINGS_MAX)
        return pst_cmd_wrong_usage(usage, "too many options");
    struct pst_setting_flag *flag = &args->flags[args->n_flags];
    char *name = args->flag_names[args->n_flags++];
    memcpy(name, c->name, sizeof(c->name));
    flag->name = name;
    return take_value(usage, c, &flag->value);
}

static int take_option(const struct pst_usage *usage, struct cursor *c, struct pst_args *args)
{
    int done = split_name(usage, c);
    if (done >= 0)
        return done;
    if (strcmp(c->name, "help") == 0) {
        print_help(usage);
        return pst_cmd_finish();
    }
    for (size_t i = 0; i < usage->n_options; i++) {
        if (strcmp(usage->options[i].name, c->name) == 0)
            return take_own_option(usage, &usage->options[i], c);
    }
    if (usage->takes_settings)
        return take_setting(usage, c, args);
    return pst_cmd_wrong_usage(usage, "there is no option --%s", c->name);
}

int pst_cmd_parse(const struct pst_usage *usage, int argc, char **argv, struct pst_args *ret_args)
{
    struct cursor c = {.argc = argc, .argv = argv, .at = 1};
    *ret_args = (struct pst_args){.config = getenv("POSTERN_CONFIG")};
    for (; c.at < argc; c.at++) {
        const char *arg = argv[c.at];
        if (strcmp(arg, "-h") == 0) {
            print_help(usage);
            return pst_cmd_finish();
        }
        if (strncmp(arg, "--", 2) == 0 && arg[2] != '\0') {
            int done = take_option(usage, &c, ret_args);
            if (done >= 0)
                return done;
        } else if (arg[0] == '-' && arg[1] != '\0') {
            return pst_cmd_wrong_usage(usage, "there is no option %s", arg);
        } else if (ret_args->n_words >= usage->max_args || ret_args->n_words >= PST_ARGS_MAX) {
            return pst_cmd_wrong_usage(usage, "\"%s\" is one word too many", arg);
        } else {
            ret_args->words[ret_args->n_words++] = arg;
        }
    }
    if (ret_args->n_words < usage->min_args)
        return pst_cmd_wrong_usage(usage, "something is missing");
    return -1;
}

static void print_problem(void *arg, bool warning, const char *problem)
{
    (void)arg;
    fprintf(stderr, "postern: %s%s\n", warning ? "warning: " : "", problem);
}

int pst_cmd_settings(const struct pst_args *args, struct pst_settings *ret_settings)
{
    const struct pst_settings_input input = {
        .config = args->config,
        .flags = args->flags,
        .n_flags = args->n_flags,
        .environment = environ,
    };
    return pst_settings_load(&input, print_problem, NULL, ret_settings);
}
