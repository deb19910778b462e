/* SPDX-License-Identifier: Apache-2.0 */
/* The reference page (docs/settings.md) and the sample file (deploy/postern.yaml). */
#include "postern/base/buf.h"
#include "postern/conf/settings.h"

#include <string.h>

#define COLUMN 96

static void add_env_name(struct pst_buf *out, const char *name)
{
    pst_buf_add_cstr(out, "POSTERN_");
    for (; *name != '\0'; name++)
        pst_buf_add_char(out, *name >= 'a' && *name <= 'z' ? (char)(*name - ('a' - 'A')) : *name);
}

static void add_flag_name(struct pst_buf *out, const char *name)
{
    pst_buf_add_cstr(out, "--");
    for (; *name != '\0'; name++)
        pst_buf_add_char(out, *name == '_' ? '-' : *name);
}

static void add_type(struct pst_buf *out, const struct pst_setting_def *def)
{
    pst_buf_add_cstr(out, pst_setting_type_text(def));
    for (size_t i = 0; def->choices != NULL && def->choices[i] != NULL; i++)
        pst_buf_printf(out, "%s`%s`", i > 0 ? ", " : " ", def->choices[i]);
    if (def->type == PST_SETTING_INT)
        pst_buf_printf(out, ", %llu to %llu", (unsigned long long)def->min, (unsigned long long)def->max);
}

void pst_settings_write_markdown(struct pst_buf *out)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    pst_buf_add_cstr(
        out,
        "# Settings\n\n"
        "Made from the table in `gateway/conf/settings_table.c` by `postern settings --markdown`.\n\n"
        "Each setting can be given in a YAML file (`--config FILE` or `POSTERN_CONFIG`), as a variable of\n"
        "the environment, or as a flag; a later one of these wins. In the environment and in flags the\n"
        "items of a list are separated by commas. `postern check` says what is wrong with them, and\n"
        "`postern check --print` what is in force and where it came from.\n\n");
    for (size_t i = 0; i < n; i++) {
        const struct pst_setting_def *def = &defs[i];
        pst_buf_printf(out, "## `%s`\n\n%s\n\n- Type: ", def->name, def->help);
        add_type(out, def);
        if (def->default_text[0] != '\0')
            pst_buf_printf(out, "\n- Default: `%s`\n- Also: `", def->default_text);
        else
            pst_buf_add_cstr(out, "\n- Default: none\n- Also: `");
        add_env_name(out, def->name);
        pst_buf_add_cstr(out, "`, `");
        add_flag_name(out, def->name);
        pst_buf_printf(out, "`\n- Takes effect: %s\n%s", def->reloadable ? "at once" : "at the next start",
                       i + 1 < n ? "\n" : "");
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
    pst_buf_add_cstr(out,
                     "# Settings of Postern, each with its default. Take the '#' away from what you change.\n"
                     "# Made by `postern settings --yaml`; the reference is docs/settings.md.\n");
    for (size_t i = 0; i < n; i++) {
        pst_buf_add_char(out, '\n');
        add_comment(out, defs[i].help);
        add_sample_value(out, &defs[i]);
    }
}
