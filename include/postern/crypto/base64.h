/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4) and base64url without padding (section 5, as RFC 7515 section 2 has it). nettle
 * does the work; decoding here is strict: one text for one value, so that no two texts pass for the same
 * bytes. Pure functions, any thread. The time taken tells of lengths only when encoding. */
#ifndef POSTERN_CRYPTO_BASE64_H
#define POSTERN_CRYPTO_BASE64_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>
#include <stdint.h>

enum pst_base64 {
    PST_BASE64,    /* + and /, padded with = */
    PST_BASE64URL, /* - and _, not padded */
};

/* The longest text of `n` bytes, with its terminator. */
#define PST_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/* Writes the text of in[0..len) with a terminator, and returns its length. `out` has PST_BASE64_SIZE(len). */
size_t pst_base64_encode(enum pst_base64 kind, const void *in, size_t len, char *out);

/* Returns the number of bytes, or -PST_EPARSE (a character, a length or padding that the kind does not have;
 * bits set behind the last byte) or -PST_ELIMIT (more than `size` bytes). On an error `out` is undefined. */
int pst_base64_decode(enum pst_base64 kind, struct pst_str text, uint8_t *out, size_t size) PST_MUSTCHECK;

#endif
