/* SPDX-License-Identifier: Apache-2.0 */
/* One setting's value: from text into its place in struct pst_settings. Private to conf. */
#ifndef POSTERN_CONF_VALUE_H
#define POSTERN_CONF_VALUE_H

#include "postern/conf/settings.h"

/* Lists are given item by item, all else as one item. Replaces the value that was there. On failure writes a
 * sentence into `problem` and leaves the old value. 0, -PST_EINVAL, -PST_ENOMEM. */
int value_set(struct pst_settings *settings, const struct pst_setting_def *def, const char *const *items,
              size_t n, char *problem, size_t problem_size) PST_MUSTCHECK;
/* The same from one text, in which commas separate a list's items. */
int value_set_text(struct pst_settings *settings, const struct pst_setting_def *def, const char *text,
                   char *problem, size_t problem_size) PST_MUSTCHECK;
void value_free(struct pst_settings *settings, const struct pst_setting_def *def);

/* A setting's index in the table. */
size_t value_index(const struct pst_setting_def *def);

#endif
