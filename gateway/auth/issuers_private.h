/* SPDX-License-Identifier: Apache-2.0 */
/* What reading issuers and reading rules share. */
#ifndef POSTERN_AUTH_ISSUERS_PRIVATE_H
#define POSTERN_AUTH_ISSUERS_PRIVATE_H

#include "postern/auth/issuers.h"

#include <stdarg.h>
#include <stdbool.h>

struct issuers_reading {
    struct pst_issuers *issuers;
    pst_issuers_problem_cb *problem;
    void *arg;
    const char *setting; /* these two: what is being read */
    const char *item;
    unsigned problems;
};

/* Tells a problem of the item. */
void issuers_problem(struct issuers_reading *reading, const char *fmt, ...) PST_PRINTF(2, 3);
/* Takes the next word (terminated, in the arena) off `rest`; false at the end, or after a problem. */
bool issuers_next_word(struct issuers_reading *reading, struct pst_str *rest, struct pst_str *ret);
/* Reads the item as a rule. The issuers have been read. */
void token_rule_read(struct issuers_reading *reading);

#endif
