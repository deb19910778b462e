/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: default, file, environment, flags. */
#include "postern/conf/settings.h"

#include "postern/base/buf.h"
#include "postern/base/fd.h"
#include "postern/base/num.h"
#include "value.h"
#include "yaml_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (256 * 1024)
#define NAME_MAX_BYTES 128
#define PROBLEM_SIZE   1024

struct loading {
    struct pst_settings *settings;
    const struct pst_settings_input *input;
    pst_settings_problem_cb *problem;
    void *arg;
    unsigned problems;
};

/* What a value quoted in a message must not do to a terminal. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
    }
}

static void PST_PRINTF(3, 4) report(struct loading *load, bool warning, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    make_printable(text);
    load->problems += !warning;
    load->problem(load->arg, warning, text);
}

/* Where the value that is to be set comes from; `line` of the file, else 0. */
static void mark(struct loading *load, const struct pst_setting_def *def, enum pst_setting_source source,
                 unsigned line)
{
    size_t i = value_index(def);
    load->settings->sources[i] = source;
    load->settings->lines[i] = line;
    load->settings->bad[i] = false;
}

/* `problem`: what is wrong with the value of which mark() told. */
static void mark_bad(struct loading *load, const struct pst_setting_def *def, const char *problem)
{
    char place[PST_SETTING_PLACE_SIZE];
    load->settings->bad[value_index(def)] = true;
    pst_setting_place(load->settings, def, place, sizeof(place));
    report(load, false, "%s: %s", place, def->secret ? "is wrong (a secret, not shown)" : problem);
}

static void set_text(struct loading *load, const struct pst_setting_def *def, const char *text,
                     enum pst_setting_source source)
{
    char problem[PROBLEM_SIZE] = "";
    mark(load, def, source, 0);
    if (value_set_text(load->settings, def, text, problem, sizeof(problem)) < 0)
        mark_bad(load, def, problem);
}

/* Only memory can be short here. */
static int load_defaults(struct loading *load)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++)
        set_text(load, &defs[i], defs[i].default_text, PST_FROM_DEFAULT);
    return load->problems == 0 ? 0 : -PST_ENOMEM;
}

/* File */

static void on_file_value(void *arg, const struct pst_setting_def *def, unsigned line, bool is_list,
                          const char *const *items, size_t n)
{
    struct loading *load = arg;
    char problem[PROBLEM_SIZE] = "";
    mark(load, def, PST_FROM_FILE, line);
    int err = is_list ? value_set(load->settings, def, items, n, problem, sizeof(problem))
                      : value_set_text(load->settings, def, items[0], problem, sizeof(problem));
    if (err < 0)
        mark_bad(load, def, problem);
}

static void on_file_problem(void *arg, const struct pst_setting_def *def, unsigned line, const char *problem)
{
    struct loading *load = arg;
    if (def != NULL) {
        mark(load, def, PST_FROM_FILE, line);
        mark_bad(load, def, problem);
    } else if (line > 0) {
        report(load, false, "%s:%u: %s", load->input->config, line, problem);
    } else {
        report(load, false, "%s: %s", load->input->config, problem);
    }
}

static void load_file(struct loading *load)
{
    const char *path = load->input->config;
    if (path == NULL || path[0] == '\0')
        return;
    struct pst_buf content;
    int err = pst_file_read(path, FILE_MAX_BYTES, &content);
    if (err == -PST_ELIMIT) {
        report(load, false, "%s: the settings file is larger than %d KiB", path, FILE_MAX_BYTES / 1024);
        return;
    }
    if (err < 0) {
        report(load, false, "%s: the settings file cannot be read: %s", path, pst_strerror(err));
        return;
    }
    struct pst_str text = pst_buf_str(&content);
    if (text.len > 0)
        yaml_read(text.p, text.len, on_file_value, on_file_problem, load);
    pst_buf_wipe(&content);
}

/* Environment */

#define PREFIX PST_STR("POSTERN_")

static bool is_number(struct pst_str text)
{
    uint64_t ignored;
    return pst_num_u64(text, &ignored) == 0;
}

/* "8443_TCP", "8443_TCP_ADDR", "53_UDP_PORT": what follows _PORT_. */
static bool is_port_tail(struct pst_str tail)
{
    struct pst_str rest, more;
    struct pst_str number = pst_str_cut(tail, '_', &rest);
    struct pst_str protocol = pst_str_cut(rest, '_', &more);
    return is_number(number) &&
           (pst_str_eq(protocol, PST_STR("TCP")) || pst_str_eq(protocol, PST_STR("UDP")) ||
            pst_str_eq(protocol, PST_STR("SCTP")));
}

/* For each Service in its namespace Kubernetes puts variables into every pod. One named "postern", or
 * "postern-admin", makes POSTERN_SERVICE_HOST, POSTERN_SERVICE_PORT_HTTPS, POSTERN_PORT=tcp://..,
 * POSTERN_PORT_8443_TCP_ADDR, POSTERN_ADMIN_SERVICE_HOST and so on. */
static bool is_from_kubernetes(struct pst_str name, const char *value)
{
    static const struct pst_str service[] = {PST_STR("_SERVICE_HOST"), PST_STR("_SERVICE_PORT")};
    static const struct pst_str port = PST_STR("_PORT");
    for (size_t i = 0; i < name.len; i++) {
        struct pst_str tail = pst_str_skip(name, i);
        if (pst_str_starts(tail, service[0]) || pst_str_starts(tail, service[1]))
            return true;
        if (!pst_str_starts(tail, port))
            continue;
        tail = pst_str_skip(tail, port.len);
        if (tail.len == 0 ? strstr(value, "://") != NULL : is_port_tail(pst_str_skip(tail, 1)))
            return true;
    }
    return false;
}

/* POSTERN_CONFIG names the file, POSTERN_BIN the program for the tests; POSTERN_KEY is for people's own
 * scripts. */
static bool is_for_others(struct pst_str name)
{
    static const struct pst_str names[] = {PST_STR("POSTERN_CONFIG"), PST_STR("POSTERN_BIN"),
                                           PST_STR("POSTERN_KEY")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (pst_str_eq(name, names[i]))
            return true;
    }
    return false;
}

static void warn_unknown(struct loading *load, const char *name)
{
    const struct pst_setting_def *near = pst_setting_nearest(name + PREFIX.len);
    char variable[PST_SETTING_NAME_SIZE];
    /* What it is called elsewhere is not near in letters. */
    if (near == NULL && strcmp(name, "POSTERN_PORT") == 0)
        near = pst_setting_find("listen");
    if (near == NULL) {
        report(load, true, "%s: unknown setting; `postern settings` lists them all", name);
        return;
    }
    pst_setting_variable(near, variable);
    report(load, true, "%s: unknown setting; did you mean %s?", name, variable);
}

static void load_variable(struct loading *load, struct pst_str name, const char *value)
{
    char copy[NAME_MAX_BYTES];
    pst_str_clip(name, copy, sizeof(copy));
    const struct pst_setting_def *def = pst_setting_find(copy + PREFIX.len);
    if (def != NULL)
        set_text(load, def, value, PST_FROM_ENVIRONMENT);
    else if (!is_for_others(name) && !is_from_kubernetes(name, value))
        warn_unknown(load, copy);
}

static void load_environment(struct loading *load)
{
    for (char **it = load->input->environment; it != NULL && *it != NULL; it++) {
        struct pst_str value;
        struct pst_str name = pst_str_cut(pst_str_of(*it), '=', &value);
        if (pst_str_starts(name, PREFIX) && value.p != NULL)
            load_variable(load, name, value.p);
    }
}

static void load_flags(struct loading *load)
{
    for (size_t i = 0; i < load->input->n_flags; i++) {
        const struct pst_setting_flag *flag = &load->input->flags[i];
        const struct pst_setting_def *def = pst_setting_find(flag->name);
        if (def != NULL)
            set_text(load, def, flag->value, PST_FROM_FLAG);
        else
            report(load, false, "--%s: unknown setting", flag->name);
    }
}

/* What only shows when two settings are seen together */

static const char *text_of(const struct loading *load, const char *name)
{
    return load->settings->texts[value_index(pst_setting_find(name))];
}

/* Certificate and key: both or none. */
static void check_pair(struct loading *load, const char *given, const char *missing)
{
    char sentence[PROBLEM_SIZE];
    if (text_of(load, given)[0] == '\0' || text_of(load, missing)[0] != '\0')
        return;
    snprintf(sentence, sizeof(sentence), "\"%s\" is given without %s; they belong together",
             text_of(load, given), missing);
    mark_bad(load, pst_setting_find(given), sentence);
}

/* The one that was set is to blame, not the default that it does not go with. */
static void check_sizes(struct loading *load)
{
    const struct pst_setting_def *head = pst_setting_find("max_head_size");
    const struct pst_setting_def *target = pst_setting_find("max_target_size");
    const struct pst_settings *s = load->settings;
    char sentence[PROBLEM_SIZE];
    if (s->bad[value_index(head)] || s->bad[value_index(target)] ||
        s->max_target_size_bytes < s->max_head_size_bytes)
        return;
    bool blame_head = s->sources[value_index(head)] > s->sources[value_index(target)];
    snprintf(sentence, sizeof(sentence), "\"%s\" must be %s than %s (%s): the target is a part of the head",
             text_of(load, blame_head ? head->name : target->name), blame_head ? "more" : "less",
             blame_head ? target->name : head->name, text_of(load, blame_head ? target->name : head->name));
    mark_bad(load, blame_head ? head : target, sentence);
}

static int remember_config(struct pst_settings *settings, const char *config)
{
    if (config == NULL || config[0] == '\0')
        return 0;
    settings->config = strdup(config);
    return settings->config != NULL ? 0 : -PST_ENOMEM;
}

int pst_settings_collect(const struct pst_settings_input *input, pst_settings_problem_cb *problem, void *arg,
                         struct pst_settings *settings)
{
    *settings = (struct pst_settings){0};
    struct loading load = {.settings = settings, .input = input, .problem = problem, .arg = arg};
    if (remember_config(settings, input->config) < 0 || load_defaults(&load) < 0) {
        pst_settings_done(settings);
        return -PST_ENOMEM;
    }
    load_file(&load);
    load_environment(&load);
    load_flags(&load);
    check_pair(&load, "tls_certificate", "tls_key");
    check_pair(&load, "tls_key", "tls_certificate");
    check_sizes(&load);
    settings->listen_is_default =
        pst_setting_source(settings, pst_setting_find("listen")) == PST_FROM_DEFAULT;
    if (settings->workers == 0)
        settings->workers = pst_conf_cpus();
    return (int)load.problems;
}

int pst_settings_load(const struct pst_settings_input *input, pst_settings_problem_cb *problem, void *arg,
                      struct pst_settings *settings)
{
    int n = pst_settings_collect(input, problem, arg, settings);
    if (n == 0)
        return 0;
    if (n == -PST_ENOMEM)
        problem(arg, false, "out of memory");
    else
        pst_settings_done(settings);
    return -PST_EINVAL;
}

void pst_settings_done(struct pst_settings *settings)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        value_free(settings, &defs[i]);
        free(settings->texts[i]);
    }
    free(settings->config);
    *settings = (struct pst_settings){0};
}

/* Looking at what was loaded */

void pst_setting_place(const struct pst_settings *settings, const struct pst_setting_def *def, char *text,
                       size_t size)
{
    size_t i = value_index(def);
    char name[PST_SETTING_NAME_SIZE];
    switch (settings->sources[i]) {
    case PST_FROM_FILE:
        if (settings->lines[i] > 0)
            snprintf(text, size, "%s:%u: %s", settings->config, settings->lines[i], def->name);
        else
            snprintf(text, size, "%s: %s", settings->config, def->name);
        return;
    case PST_FROM_ENVIRONMENT:
        pst_setting_variable(def, name);
        break;
    case PST_FROM_FLAG:
        pst_setting_flag_name(def, name);
        break;
    default:
        pst_str_clip(pst_str_of(def->name), name, sizeof(name));
        break;
    }
    pst_str_clip(pst_str_of(name), text, size);
}

bool pst_setting_is_bad(const struct pst_settings *settings, const char *name)
{
    const struct pst_setting_def *def = pst_setting_find(name);
    return def != NULL && settings->bad[value_index(def)];
}

const char *pst_setting_shown(const struct pst_settings *settings, const struct pst_setting_def *def)
{
    const char *text = settings->texts[value_index(def)];
    return def->secret && text[0] != '\0' ? "(set)" : text;
}

enum pst_setting_source pst_setting_source(const struct pst_settings *settings,
                                           const struct pst_setting_def *def)
{
    return settings->sources[value_index(def)];
}
