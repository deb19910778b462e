/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/str.h"
#include "postern/conf/nearest.h"
#include "postern/db/data_dir.h"
#include "usage.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An argument taken apart: "--name=value" or "--name" with the next one as its value. */
/* Variables that one command asks for. */
#define VARIABLES_MAX 16

struct cursor {
    int argc;
    char **argv;
    int at;
    char name[48];
    const char *value; /* behind '=', or NULL */
};

static int no_such_option(const struct pst_usage *usage, const char *name)
{
    struct pst_nearest nearest;
    pst_nearest_begin(&nearest, name);
    for (size_t i = 0; i < usage->n_options; i++)
        pst_nearest_offer(&nearest, usage->options[i].name);
    pst_nearest_offer(&nearest, "help");
    if (usage->takes_settings) {
        size_t n;
        const struct pst_setting_def *defs = pst_setting_defs(&n);
        pst_nearest_offer(&nearest, "config");
        for (size_t i = 0; i < n; i++)
            pst_nearest_offer(&nearest, defs[i].name);
    }
    const struct pst_setting_def *def = nearest.best != NULL ? pst_setting_find(nearest.best) : NULL;
    char flag[PST_SETTING_NAME_SIZE] = "--";
    if (def != NULL)
        pst_setting_flag_name(def, flag);
    else if (nearest.best != NULL)
        pst_str_clip(pst_str_of(nearest.best), flag + 2, sizeof(flag) - 2);
    return pst_cmd_wrong_usage(usage, "unknown option --%s%s%s%s", name,
                               nearest.best != NULL ? "; did you mean " : "",
                               nearest.best != NULL ? flag : "", nearest.best != NULL ? "?" : "");
}

static int split_name(const struct pst_usage *usage, struct cursor *c)
{
    struct pst_str value;
    struct pst_str name = pst_str_cut(pst_str_of(c->argv[c->at] + 2), '=', &value);
    c->value = value.p;
    if (pst_str_copy(name, c->name, sizeof(c->name)) < 0)
        return pst_cmd_wrong_usage(usage, "unknown option %s", c->argv[c->at]);
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
        return no_such_option(usage, c->name);
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
        pst_cmd_print_help(usage);
        return pst_cmd_finish();
    }
    for (size_t i = 0; i < usage->n_options; i++) {
        if (strcmp(usage->options[i].name, c->name) == 0)
            return take_own_option(usage, &usage->options[i], c);
    }
    if (usage->takes_settings)
        return take_setting(usage, c, args);
    return no_such_option(usage, c->name);
}

const char *pst_cmd_variable(const char *name)
{
    static char *kept[VARIABLES_MAX];
    static size_t n;
    struct pst_str text = pst_str_strip(pst_str_of(getenv(name)));
    if (text.len == 0 || n == VARIABLES_MAX)
        return NULL;
    kept[n] = strndup(text.p, text.len);
    return kept[n++];
}

int pst_cmd_parse(const struct pst_usage *usage, int argc, char **argv, struct pst_args *ret_args)
{
    struct cursor c = {.argc = argc, .argv = argv, .at = 1};
    usage_enter(usage);
    *ret_args = (struct pst_args){.config = pst_cmd_variable("POSTERN_CONFIG")};
    for (; c.at < argc; c.at++) {
        const char *arg = argv[c.at];
        if (strcmp(arg, "-h") == 0) {
            pst_cmd_print_help(usage);
            return pst_cmd_finish();
        }
        if (strncmp(arg, "--", 2) == 0 && arg[2] != '\0') {
            int done = take_option(usage, &c, ret_args);
            if (done >= 0)
                return done;
        } else if (arg[0] == '-' && arg[1] != '\0') {
            return pst_cmd_wrong_usage(usage, "unknown option %s", arg);
        } else if (ret_args->n_words >= usage->max_args || ret_args->n_words >= PST_ARGS_MAX) {
            return pst_cmd_wrong_usage(usage, "unexpected argument \"%s\"", arg);
        } else {
            ret_args->words[ret_args->n_words++] = arg;
        }
    }
    if (ret_args->n_words < usage->min_args)
        return usage_missing_word(usage, ret_args->n_words);
    return -1;
}

static void print_problem(void *arg, bool warning, const char *problem)
{
    (void)arg;
    pst_cmd_error("%s%s", warning ? "warning: " : "", problem);
}

struct pst_settings_input pst_cmd_settings_input(const struct pst_args *args)
{
    return (struct pst_settings_input){
        .config = args->config,
        .flags = args->flags,
        .n_flags = args->n_flags,
        .environment = environ,
    };
}

int pst_cmd_settings(const struct pst_args *args, struct pst_settings *ret_settings)
{
    const struct pst_settings_input input = pst_cmd_settings_input(args);
    int err = pst_settings_load(&input, print_problem, NULL, ret_settings);
    if (err == 0)
        pst_cmd_find_data(ret_settings);
    return err;
}

void pst_cmd_find_data(struct pst_settings *settings)
{
    char dir[PATH_MAX];
    if (pst_data_dir_find(settings->data_dir, dir, sizeof(dir)) < 0 || strcmp(dir, settings->data_dir) == 0)
        return; /* one that is too long is refused where it is opened */
    char *copy = strdup(dir);
    if (copy == NULL)
        return;
    free(settings->data_dir);
    settings->data_dir = copy;
}
