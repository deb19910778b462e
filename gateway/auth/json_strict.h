/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside that decides who somebody is: an object, no name twice in any object, nothing nested
 * deeper than `max_depth`, valid UTF-8, no NUL, nothing behind it. Any thread. */
#ifndef POSTERN_AUTH_JSON_STRICT_H
#define POSTERN_AUTH_JSON_STRICT_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <jansson.h>

/* The caller's reference, or NULL; `ret_error` (may be NULL) gets what is wrong, JSON_ERROR_TEXT_LENGTH. */
json_t *pst_json_strict(struct pst_str text, unsigned max_depth, char *ret_error) PST_MUSTCHECK;
/* A text member; empty with a NULL pointer when there is none, or it is not text. Lives in the object. */
struct pst_str pst_json_text(const json_t *object, const char *name);

#endif
