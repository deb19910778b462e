/* SPDX-License-Identifier: Apache-2.0 */
/* Private to cmd: what options.c needs of usage.c. */
#ifndef POSTERN_CMD_USAGE_H
#define POSTERN_CMD_USAGE_H

#include "postern/cmd/command.h"

/* From now on errors name this command. */
void usage_enter(const struct pst_usage *usage);
/* "missing argument KEY": wrong usage, with the name from the synopsis of the word behind the `n_words` that
 * are there. Returns PST_EXIT_USAGE. */
int usage_missing_word(const struct pst_usage *usage, size_t n_words);

#endif
