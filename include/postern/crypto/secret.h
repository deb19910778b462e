/* SPDX-License-Identifier: Apache-2.0 */
/* A secret text in fixed storage, wiped when it is done with. It is never formatted into a log, an
 * argument list or a URL; the one way out is pst_secret_str(), which is easy to search for.
 * Belongs to one thread. */
#ifndef POSTERN_CRYPTO_SECRET_H
#define POSTERN_CRYPTO_SECRET_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>

#define PST_SECRET_MAX 128 /* characters: the longest key Postern takes */

struct pst_secret {
    size_t len;
    char text[PST_SECRET_MAX + 1]; /* terminated */
};

/* A secret that is wiped when its scope ends; starts empty. */
#define PST_SECRET_SCOPE __attribute__((cleanup(pst_secret_done))) struct pst_secret

/* 0, or -PST_ELIMIT when it is longer than PST_SECRET_MAX (then `secret` is empty). */
int pst_secret_set(struct pst_secret *secret, struct pst_str text) PST_MUSTCHECK;
/* Lives until the secret changes or is done. */
struct pst_str pst_secret_str(const struct pst_secret *secret);
/* Wipes it; it can be used again. NULL is fine. */
void pst_secret_done(struct pst_secret *secret);
/* Wipes any memory in a way that the compiler keeps. */
void pst_wipe(void *memory, size_t len);

#endif
