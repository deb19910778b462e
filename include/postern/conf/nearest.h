/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean ...?": the one of some names that a mistyped word was most likely meant to be. Pure, any
 * thread; the strings are the caller's. */
#ifndef POSTERN_CONF_NEAREST_H
#define POSTERN_CONF_NEAREST_H

#include <stddef.h>

struct pst_nearest {
    const char *word;
    const char *best; /* NULL: nothing is near */
    size_t distance;  /* letters that `best` differs in; an abbreviation counts as few */
};

void pst_nearest_begin(struct pst_nearest *nearest, const char *word);
/* Letters' case does not count, and '-' is '_'. The first of equally near names stays. */
void pst_nearest_offer(struct pst_nearest *nearest, const char *name);

#endif
