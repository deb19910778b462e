/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/why.h"

#include <stdarg.h>
#include <stdio.h>

int pst_why_set(struct pst_why *why, int err, const char *field, const char *fmt, ...)
{
    if (why) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(why->text, sizeof(why->text), fmt, args);
        va_end(args);
        why->field = field;
    }
    return err;
}
