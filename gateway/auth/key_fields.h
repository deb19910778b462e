/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for what a key's fields may hold. Pure functions, any thread. */
#ifndef POSTERN_AUTH_KEY_FIELDS_H
#define POSTERN_AUTH_KEY_FIELDS_H

#include "postern/auth/why.h"
#include "postern/db/keys_store.h"

#define PST_KEY_TAGS_MAX      32
#define PST_KEY_TAG_CHARS_MAX 64

/* Checks those fields of `row` that `what` names (PST_KEYS_SET_...). -PST_EINVAL: `why` names the field. */
int pst_key_fields_check(const struct pst_key_row *row, unsigned what, int64_t now_us,
                         struct pst_why *why) PST_MUSTCHECK;

#endif
