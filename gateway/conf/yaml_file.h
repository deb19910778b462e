/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file: one flat YAML mapping, read by libcyaml against a schema made from the table. Private to
 * conf. */
#ifndef POSTERN_CONF_YAML_FILE_H
#define POSTERN_CONF_YAML_FILE_H

#include "postern/conf/settings.h"

/* What the file says of one setting: items[0] for a scalar. */
typedef void yaml_value_cb(void *arg, const struct pst_setting_def *def, unsigned line,
                           const char *const *items, size_t n);
/* What is wrong with the file as a whole; `line` 0 when it is not known. */
typedef void yaml_problem_cb(void *arg, unsigned line, const char *problem);

/* Reads YAML text; calls `value` for each setting that is in it. */
void yaml_read(const char *text, size_t len, yaml_value_cb *value, yaml_problem_cb *problem, void *arg);

#endif
