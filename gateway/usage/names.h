/* SPDX-License-Identifier: Apache-2.0 */
/* Names and the numbers usage.db has given them: open addressing, grows by doubling. The keeper's thread. */
#ifndef POSTERN_USAGE_NAMES_H
#define POSTERN_USAGE_NAMES_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdint.h>

struct name {
    char *text; /* NULL: a free place */
    size_t len;
    int64_t number;
};

struct names {
    struct name *at;
    size_t cap; /* a power of two, or 0 */
    size_t n;
};

/* The name's number, or -1. */
int64_t names_find(const struct names *names, struct pst_str text);
/* Copies the name. 0 or -PST_ENOMEM. */
int names_add(struct names *names, struct pst_str text, int64_t number) PST_MUSTCHECK;
/* Forgets all of them; it can be used again. */
void names_clear(struct names *names);

#endif
