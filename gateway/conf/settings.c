/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: default, file, environment, flags. */
#include "postern/conf/settings.h"

#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "value.h"
#include "yaml_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1024 * 1024)
#define NAME_MAX_BYTES 64

struct loading {
    struct pst_settings *settings;
    const struct pst_settings_input *input;
    pst_settings_problem_cb *problem;
    void *arg;
    bool failed;
};

static void PST_PRINTF(3, 4) report(struct loading *load, bool warning, const char *fmt, ...)
{
    char text[1536];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    load->failed |= !warning;
    load->problem(load->arg, warning, text);
}

static void mark(struct loading *load, const struct pst_setting_def *def, enum pst_setting_source source)
{
    load->settings->sources[value_index(def)] = source;
}

static void load_defaults(struct loading *load)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        char problem[512] = "";
        if (value_set_text(load->settings, &defs[i], defs[i].default_text, problem, sizeof(problem)) < 0)
            report(load, false, "the default of %s: %s", defs[i].name, problem);
        mark(load, &defs[i], PST_FROM_DEFAULT);
    }
}

/* File */

static void on_file_value(void *arg, const struct pst_setting_def *def, unsigned line,
                          const char *const *items, size_t n)
{
    struct loading *load = arg;
    char problem[512] = "";
    int err = n == 1 ? value_set_text(load->settings, def, items[0], problem, sizeof(problem))
                     : value_set(load->settings, def, items, n, problem, sizeof(problem));
    if (err < 0)
        report(load, false, "%s:%u: %s: %s", load->input->config, line, def->name, problem);
    mark(load, def, PST_FROM_FILE);
}

static void on_file_problem(void *arg, unsigned line, const char *problem)
{
    struct loading *load = arg;
    if (line > 0)
        report(load, false, "%s:%u: %s", load->input->config, line, problem);
    else
        report(load, false, "%s: %s", load->input->config, problem);
}

static void load_file(struct loading *load)
{
    if (load->input->config == NULL || load->input->config[0] == '\0')
        return;
    struct pst_buf content;
    int err = pst_file_read(load->input->config, FILE_MAX_BYTES, &content);
    if (err < 0) {
        report(load, false, "%s: the settings file cannot be read: %s", load->input->config,
               pst_strerror(err));
        return;
    }
    struct pst_str text = pst_buf_str(&content);
    if (text.len > 0)
        yaml_read(text.p, text.len, on_file_value, on_file_problem, load);
    pst_buf_wipe(&content);
}

/* Environment */

/* A Kubernetes Service named "postern" puts POSTERN_SERVICE_HOST, POSTERN_PORT, POSTERN_PORT_8443_TCP and the
 * like into every pod; POSTERN_CONFIG names the file, and a few more are for people's own scripts. */
static bool is_not_ours(struct pst_str name)
{
    static const struct pst_str exact[] = {PST_STR("POSTERN_CONFIG"), PST_STR("POSTERN_PORT"),
                                           PST_STR("POSTERN_BIN"), PST_STR("POSTERN_VECTORS"),
                                           PST_STR("POSTERN_KEY")};
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        if (pst_str_eq(name, exact[i]))
            return true;
    }
    return pst_str_starts(name, PST_STR("POSTERN_SERVICE_")) ||
           pst_str_starts(name, PST_STR("POSTERN_PORT_"));
}

/* Letters that differ, places that shift: small for a typo. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t row[NAME_MAX_BYTES + 1];
    if (la > NAME_MAX_BYTES || lb > NAME_MAX_BYTES)
        return NAME_MAX_BYTES;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t same = diagonal + (pst_ascii_lower(a[i - 1]) != pst_ascii_lower(b[j - 1]));
            diagonal = row[j];
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = same < edit ? same : edit;
        }
    }
    return row[lb];
}

static const char *nearest(const char *name)
{
    size_t n, best = 4;
    const char *found = NULL;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(name, defs[i].name);
        if (d < best) {
            best = d;
            found = defs[i].name;
        }
    }
    return found;
}

static void upper(const char *name, char *out, size_t size)
{
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < size; i++)
        out[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - ('a' - 'A')) : name[i];
    out[i] = '\0';
}

static void load_variable(struct loading *load, const char *name, const char *value)
{
    const struct pst_setting_def *def = pst_setting_find(name + strlen("POSTERN_"));
    if (def == NULL) {
        char hint[NAME_MAX_BYTES + 1] = "";
        const char *near = nearest(name + strlen("POSTERN_"));
        if (near != NULL)
            upper(near, hint, sizeof(hint));
        report(load, true, "%s: there is no such setting%s%s%s", name,
               near != NULL ? "; did you mean POSTERN_" : "", hint, near != NULL ? "?" : "");
        return;
    }
    char problem[512] = "";
    if (value_set_text(load->settings, def, value, problem, sizeof(problem)) < 0)
        report(load, false, "%s: %s", name, problem);
    mark(load, def, PST_FROM_ENVIRONMENT);
}

static void load_environment(struct loading *load)
{
    for (char **it = load->input->environment; it != NULL && *it != NULL; it++) {
        struct pst_str value;
        struct pst_str name = pst_str_cut(pst_str_of(*it), '=', &value);
        if (!pst_str_starts(name, PST_STR("POSTERN_")) || is_not_ours(name) || value.p == NULL)
            continue;
        char copy[2 * NAME_MAX_BYTES];
        if (pst_str_copy(name, copy, sizeof(copy)) >= 0)
            load_variable(load, copy, value.p);
    }
}

static void load_flags(struct loading *load)
{
    for (size_t i = 0; i < load->input->n_flags; i++) {
        const struct pst_setting_flag *flag = &load->input->flags[i];
        const struct pst_setting_def *def = pst_setting_find(flag->name);
        char problem[512] = "";
        if (def == NULL) {
            report(load, false, "--%s: there is no such setting", flag->name);
            continue;
        }
        if (value_set_text(load->settings, def, flag->value, problem, sizeof(problem)) < 0)
            report(load, false, "--%s: %s", flag->name, problem);
        mark(load, def, PST_FROM_FLAG);
    }
}

/* What only shows when two settings are seen together. */
static void check_together(struct loading *load)
{
    const struct pst_settings *s = load->settings;
    if ((s->tls_certificate[0] != '\0') != (s->tls_key[0] != '\0'))
        report(load, false, "tls_certificate and tls_key belong together: %s is not set",
               s->tls_key[0] != '\0' ? "tls_certificate" : "tls_key");
    if (s->max_target_size_bytes >= s->max_head_size_bytes)
        report(load, false, "max_target_size must be less than max_head_size, of which it is a part");
    for (size_t i = 0; i < s->n_open_paths; i++) {
        if (s->open_paths[i][0] != '/')
            report(load, false, "open_paths: \"%s\" does not begin with a slash", s->open_paths[i]);
    }
}

int pst_settings_load(const struct pst_settings_input *input, pst_settings_problem_cb *problem, void *arg,
                      struct pst_settings *settings)
{
    *settings = (struct pst_settings){0};
    struct loading load = {.settings = settings, .input = input, .problem = problem, .arg = arg};
    load_defaults(&load);
    load_file(&load);
    load_environment(&load);
    load_flags(&load);
    if (!load.failed)
        check_together(&load);
    if (load.failed) {
        pst_settings_done(settings);
        return -PST_EINVAL;
    }
    settings->listen_is_default =
        settings->sources[value_index(pst_setting_find("listen"))] == PST_FROM_DEFAULT;
    if (settings->workers == 0)
        settings->workers = pst_conf_cpus();
    return 0;
}

void pst_settings_done(struct pst_settings *settings)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        value_free(settings, &defs[i]);
        free(settings->texts[i]);
    }
    *settings = (struct pst_settings){0};
}
