/* SPDX-License-Identifier: Apache-2.0 */
/* The sentence that goes with an error where a number is not enough: what is wrong, which value, which rule,
 * and what to do about it. For the command line's user, the admin's answer or the log; never holds a secret.
 * The caller's storage. */
#ifndef POSTERN_AUTH_WHY_H
#define POSTERN_AUTH_WHY_H

#include "postern/base/err.h"

struct pst_why {
    const char *field; /* the input that is to blame ("name", "expires"), or NULL; static */
    char text[1024];
};

/* Fills `why` (which may be NULL) and returns `err`: `return pst_why_set(why, -PST_EINVAL, "name", "…")`. */
int pst_why_set(struct pst_why *why, int err, const char *field, const char *fmt, ...) PST_PRINTF(4, 5);

#endif
