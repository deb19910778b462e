/* SPDX-License-Identifier: Apache-2.0 */
/* The table of settings, for people, for scripts, and as the documents that are made from it. */
#include "postern/base/buf.h"
#include "postern/cmd/command.h"
#include "postern/conf/settings.h"

#include <jansson.h>
#include <string.h>

#define DOCUMENT_MAX_BYTES (256 * 1024)

static bool as_json, as_markdown, as_yaml;

static const struct pst_option options[] = {
    {"json", NULL, "print a JSON array with all details", NULL, &as_json},
    {"markdown", NULL, "print the reference page, docs/settings.md", NULL, &as_markdown},
    {"yaml", NULL, "print the sample file, deploy/postern.yaml", NULL, &as_yaml},
};

static const struct pst_usage usage = {
    .synopsis = "settings [NAME...] [--json] [--markdown | --yaml]",
    .about = "Lists the settings with their allowed values and defaults. With names, explains those "
             "settings. `postern check "
             "--print` shows the values in effect.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .max_args = PST_ARGS_MAX,
};

static int print_document(void (*write)(struct pst_buf *out))
{
    struct pst_buf out;
    pst_buf_init(&out, DOCUMENT_MAX_BYTES);
    write(&out);
    bool whole = !pst_buf_failed(&out);
    if (whole)
        fwrite(pst_buf_front(&out), 1, pst_buf_len(&out), stdout);
    else
        pst_cmd_error("out of memory");
    pst_buf_done(&out);
    return whole ? pst_cmd_finish() : PST_EXIT_FAILED;
}

static int print_table(void)
{
    static const char *const columns[] = {"SETTING", "ALLOWED VALUES", "DEFAULT"};
    struct pst_table *table = pst_table_new(columns, 3);
    if (table == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        char allowed[PST_SETTING_ALLOWED_SIZE];
        pst_setting_allowed(&defs[i], allowed, sizeof(allowed));
        pst_table_cell(table, defs[i].name);
        pst_table_cell(table, allowed);
        pst_table_cell(table, defs[i].default_text[0] != '\0' ? defs[i].default_text : "-");
    }
    pst_table_print(table, stdout);
    return pst_cmd_finish();
}

static void print_one(const struct pst_setting_def *def)
{
    char allowed[PST_SETTING_ALLOWED_SIZE], variable[PST_SETTING_NAME_SIZE], flag[PST_SETTING_NAME_SIZE];
    pst_setting_allowed(def, allowed, sizeof(allowed));
    pst_setting_variable(def, variable);
    pst_setting_flag_name(def, flag);
    printf("%s\n  ", def->name);
    pst_cmd_print_filled(stdout, def->help, 2, 2);
    printf("  value    %s\n"
           "  default  %s\n"
           "  also as  %s, %s\n",
           allowed, def->default_text[0] != '\0' ? def->default_text : "none", variable, flag);
}

static json_t *names_of(const char *const *choices)
{
    json_t *array = json_array();
    for (size_t i = 0; choices[i] != NULL; i++)
        json_array_append_new(array, json_string(choices[i]));
    return array;
}

/* Bounds in the unit that stands beside them. */
static void add_bounds(json_t *object, const struct pst_setting_def *def)
{
    const char *unit = def->type == PST_SETTING_BYTES      ? "bytes"
                       : def->type == PST_SETTING_DURATION ? "ms"
                                                           : NULL;
    if (def->type == PST_SETTING_INT || unit != NULL) {
        json_object_set_new(object, "min", json_integer((json_int_t)def->min));
        json_object_set_new(object, "max", json_integer((json_int_t)def->max));
    }
    if (unit != NULL)
        json_object_set_new(object, "unit", json_string(unit));
    if (def->choices != NULL)
        json_object_set_new(object, "choices", names_of(def->choices));
}

static json_t *as_object(const struct pst_setting_def *def)
{
    char variable[PST_SETTING_NAME_SIZE], flag[PST_SETTING_NAME_SIZE];
    pst_setting_variable(def, variable);
    pst_setting_flag_name(def, flag);
    json_t *object = json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:s, s:b, s:b}", "name", def->name, "type",
                               pst_setting_type_name(def), "list", pst_setting_is_list(def), "default",
                               def->default_text, "variable", variable, "flag", flag, "help", def->help,
                               "reloadable", def->reloadable, "secret", def->secret);
    if (object != NULL)
        add_bounds(object, def);
    return object;
}

/* Finds the words' settings; without words, all. -1 or the exit code. */
static int choose(const struct pst_args *args, const struct pst_setting_def **ret_defs, size_t *ret_n)
{
    const struct pst_setting_def *defs = pst_setting_defs(ret_n);
    for (size_t i = 0; args->n_words == 0 && i < *ret_n; i++)
        ret_defs[i] = &defs[i];
    if (args->n_words > 0)
        *ret_n = args->n_words;
    for (size_t i = 0; i < args->n_words; i++) {
        /* Also as it is written elsewhere: POSTERN_WORKERS. */
        struct pst_str name = pst_str_of(args->words[i]);
        if (pst_str_starts(name, PST_STR("POSTERN_")))
            name = pst_str_skip(name, sizeof("POSTERN_") - 1);
        const struct pst_setting_def *near = pst_setting_nearest(name.p);
        ret_defs[i] = pst_setting_find(name.p);
        if (ret_defs[i] == NULL)
            return pst_cmd_wrong_usage(&usage, "unknown setting \"%s\"%s%s%s", args->words[i],
                                       near != NULL ? "; did you mean " : "", near != NULL ? near->name : "",
                                       near != NULL ? "?" : "");
    }
    return -1;
}

static int print_chosen(const struct pst_setting_def *const *defs, size_t n)
{
    if (as_json) {
        json_t *array = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(array, as_object(defs[i]));
        return pst_cmd_print_json(array);
    }
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            putchar('\n');
        print_one(defs[i]);
    }
    return pst_cmd_finish();
}

int pst_cmd_settings_list(int argc, char **argv)
{
    struct pst_args args;
    const struct pst_setting_def *defs[PST_SETTINGS_MAX];
    size_t n;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done < 0)
        done = choose(&args, defs, &n);
    if (done >= 0)
        return done;
    if (as_json + as_markdown + as_yaml > 1)
        return pst_cmd_wrong_usage(&usage, "use only one of --json, --markdown and --yaml");
    if (as_markdown || as_yaml)
        return args.n_words > 0 ? pst_cmd_wrong_usage(
                                      &usage, "--markdown and --yaml take no names: they print all settings")
               : as_markdown ? print_document(pst_settings_write_markdown)
                             : print_document(pst_settings_write_yaml);
    return as_json || args.n_words > 0 ? print_chosen(defs, n) : print_table();
}
