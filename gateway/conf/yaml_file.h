/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file: one flat YAML mapping, read by libcyaml against a schema made from the table. Private to
 * conf. */
#ifndef POSTERN_CONF_YAML_FILE_H
#define POSTERN_CONF_YAML_FILE_H

#include "postern/conf/settings.h"

/* What the file says of one setting. `is_list`: the items of a YAML list; else items[0] is its text. */
typedef void yaml_value_cb(void *arg, const struct pst_setting_def *def, unsigned line, bool is_list,
                           const char *const *items, size_t n);
/* What is wrong, in the file's own terms. `def`: the setting it is about, NULL when it is about none;
 * `line` 0 when it is not known. */
typedef void yaml_problem_cb(void *arg, const struct pst_setting_def *def, unsigned line,
                             const char *problem);

/* Reads YAML text. First calls `problem` for everything that is wrong, then `value` for each setting that was
 * not; no values when the text as a whole cannot be read. */
void yaml_read(const char *text, size_t len, yaml_value_cb *value, yaml_problem_cb *problem, void *arg);

#endif
