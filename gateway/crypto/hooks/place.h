/* SPDX-License-Identifier: Apache-2.0 */
/* Engines take input and output at the same place, or at two that do not touch; mbedTLS's interfaces allow
 * more. Gives the place to read from, after moving the input when it must be moved. */
#ifndef POSTERN_CRYPTO_HOOKS_PLACE_H
#define POSTERN_CRYPTO_HOOKS_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline const uint8_t *place_input(const uint8_t *in, uint8_t *out, size_t len)
{
    uintptr_t from = (uintptr_t)in, to = (uintptr_t)out;
    if (from == to || from >= to + len || to >= from + len)
        return in;
    memmove(out, in, len);
    return out;
}

#endif
