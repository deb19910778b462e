/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes from the kernel's generator, for keys, pepper and ids. Any thread. */
#ifndef POSTERN_CRYPTO_RANDOM_H
#define POSTERN_CRYPTO_RANDOM_H

#include "postern/base/err.h"

#include <stddef.h>

/* Fills `out`. 0, or -PST_EIO when the kernel has no generator for us (then nothing in `out` is to be used).
 */
int pst_random_bytes(void *out, size_t len) PST_MUSTCHECK;

/* Fills `out` with `len` characters (not terminated), each chosen evenly and independently from the
 * `n_letters` (2 to 256) of `alphabet`: a random value outside the largest multiple of the alphabet is
 * thrown away, never folded. 0, -PST_EINVAL or -PST_EIO. */
int pst_random_text(char *out, size_t len, const char *alphabet, size_t n_letters) PST_MUSTCHECK;

#endif
