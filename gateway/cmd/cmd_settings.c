/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"
#include "postern/cmd/command.h"

#define DOCUMENT_MAX_BYTES (256 * 1024)

static bool as_markdown, as_yaml;

static const struct pst_option options[] = {
    {"markdown", NULL, "the reference page, docs/settings.md", NULL, &as_markdown},
    {"yaml", NULL, "the sample file, deploy/postern.yaml", NULL, &as_yaml},
};

static const struct pst_usage usage = {
    .synopsis = "settings [--markdown | --yaml]",
    .about = "Lists the settings with their types and defaults.",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
};

static int print_document(void (*write)(struct pst_buf *out))
{
    struct pst_buf out;
    pst_buf_init(&out, DOCUMENT_MAX_BYTES);
    write(&out);
    bool whole = !pst_buf_failed(&out);
    if (whole)
        fwrite(pst_buf_front(&out), 1, pst_buf_len(&out), stdout);
    pst_buf_done(&out);
    return whole ? pst_cmd_finish() : PST_EXIT_FAILED;
}

static int print_table(void)
{
    static const char *const columns[] = {"SETTING", "TYPE", "DEFAULT"};
    struct pst_table *table = pst_table_new(columns, 3);
    if (table == NULL)
        return PST_EXIT_FAILED;
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        char type[128];
        int len = snprintf(type, sizeof(type), "%s", pst_setting_type_text(&defs[i]));
        for (size_t c = 0; defs[i].choices != NULL && defs[i].choices[c] != NULL; c++)
            len += snprintf(type + len, sizeof(type) - (size_t)len, "%s %s", c > 0 ? "," : "",
                            defs[i].choices[c]);
        pst_table_cell(table, defs[i].name);
        pst_table_cell(table, type);
        pst_table_cell(table, defs[i].default_text[0] != '\0' ? defs[i].default_text : "-");
    }
    pst_table_print(table, stdout);
    return pst_cmd_finish();
}

int pst_cmd_settings_list(int argc, char **argv)
{
    struct pst_args args;
    int done = pst_cmd_parse(&usage, argc, argv, &args);
    if (done >= 0)
        return done;
    if (as_markdown && as_yaml)
        return pst_cmd_wrong_usage(&usage, "--markdown and --yaml are two different documents");
    if (as_markdown)
        return print_document(pst_settings_write_markdown);
    return as_yaml ? print_document(pst_settings_write_yaml) : print_table();
}
