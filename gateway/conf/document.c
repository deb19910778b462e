/* SPDX-License-Identifier: Apache-2.0 */
/* The reference page (docs/settings.md) and the sample file (deploy/postern.yaml). */
#include "postern/base/buf.h"
#include "postern/conf/settings.h"

#include <string.h>

#define COLUMN 96

static const char preface[] =
    "# Settings\n\n"
    "Made from the table in `gateway/conf/settings_table.c` by `postern settings --markdown`.\n\n"
    "Each setting can be given in four places; the last of them wins:\n\n"
    "1. the default, below\n"
    "2. a YAML file, named by `--config FILE` or `POSTERN_CONFIG`: `max_body_size: 2GiB`\n"
    "   (the sample is `deploy/postern.yaml`)\n"
    "3. the environment: `POSTERN_MAX_BODY_SIZE=2GiB`\n"
    "4. a flag: `--max-body-size 2GiB`\n\n"
    "A list is a YAML list in the file; elsewhere its items are separated by commas. A size is a number "
    "with\n"
    "`B`, `KiB`, `MiB` or `GiB`; without a unit it is in bytes. A duration is a number with `ms`, `s`, `m`,\n"
    "`h` or `d`; without a unit it is in seconds. White space around a value is ignored, and\n"
    "YAML's null (`name:`, `~`, `null`) means that the setting is not given.\n\n"
    "`postern check` reports what is wrong and where, and `postern check --print` shows the values in "
    "effect\n"
    "and where they come from. Postern does not start with a wrong value, or with an unknown name in the "
    "file\n"
    "or among the flags. An unknown `POSTERN_...` variable is only warned about; those that Kubernetes sets\n"
    "for a Service of that name are ignored. A change takes effect at the next start, unless the setting "
    "says\n"
    "otherwise.\n";

static void add_setting(struct pst_buf *out, const struct pst_setting_def *def)
{
    char allowed[PST_SETTING_ALLOWED_SIZE], variable[PST_SETTING_NAME_SIZE], flag[PST_SETTING_NAME_SIZE];
    pst_setting_allowed(def, allowed, sizeof(allowed));
    pst_setting_variable(def, variable);
    pst_setting_flag_name(def, flag);
    pst_buf_printf(out, "\n### `%s`\n\n%s\n\n- Value: %s\n", def->name, def->help, allowed);
    if (def->default_text[0] != '\0')
        pst_buf_printf(out, "- Default: `%s`\n", def->default_text);
    else
        pst_buf_add_cstr(out, "- Default: none\n");
    pst_buf_printf(out, "- Also as: `%s`, `%s`\n", variable, flag);
    if (def->reloadable)
        pst_buf_add_cstr(out, "- Takes effect at once\n");
}

void pst_settings_write_markdown(struct pst_buf *out)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    pst_buf_add_cstr(out, preface);
    for (size_t i = 0; i < n; i++) {
        if (defs[i].group != NULL)
            pst_buf_printf(out, "\n## %s\n", defs[i].group);
        add_setting(out, &defs[i]);
    }
}

/* Comment lines of a readable width. */
static void add_comment(struct pst_buf *out, const char *text)
{
    size_t column = 0;
    struct pst_str rest = pst_str_of(text);
    while (rest.p != NULL) {
        struct pst_str word = pst_str_cut(rest, ' ', &rest);
        if (column == 0 || column + word.len + 1 > COLUMN) {
            pst_buf_add_cstr(out, column == 0 ? "#" : "\n#");
            column = 1;
        }
        pst_buf_add_char(out, ' ');
        pst_buf_add_str(out, word);
        column += word.len + 1;
    }
    pst_buf_add_char(out, '\n');
}

static void add_sample_value(struct pst_buf *out, const struct pst_setting_def *def)
{
    if (!pst_setting_is_list(def)) {
        bool plain = strpbrk(def->default_text, ":#[]{} ") == NULL && def->default_text[0] != '\0';
        pst_buf_printf(out, plain ? "#%s: %s\n" : "#%s: \"%s\"\n", def->name, def->default_text);
        return;
    }
    struct pst_str rest = pst_str_of(def->default_text);
    pst_buf_printf(out, "#%s:%s\n", def->name, rest.len == 0 ? " []" : "");
    while (rest.len > 0) {
        struct pst_str item = pst_str_trim(pst_str_cut(rest, ',', &rest));
        pst_buf_printf(out, "#  - \"" PST_STR_FMT "\"\n", PST_STR_ARG(item));
    }
}

void pst_settings_write_yaml(struct pst_buf *out)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    pst_buf_add_cstr(
        out, "# All settings of Postern with their defaults. Remove the '#' from the lines you change.\n"
             "# Made by `postern settings --yaml`; the reference is docs/settings.md.\n"
             "# `postern check --config FILE` reports mistakes.\n");
    for (size_t i = 0; i < n; i++) {
        if (defs[i].group != NULL)
            pst_buf_printf(out, "\n# ---- %s ----\n", defs[i].group);
        pst_buf_add_char(out, '\n');
        add_comment(out, defs[i].help);
        add_sample_value(out, &defs[i]);
    }
}
