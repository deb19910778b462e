/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a head (RFC 9110 section 5): name and value slices in the order they came, repeats kept.
 * The array is the caller's storage, the slices point into whatever the head was read from and live as
 * long as that. Not shared between threads. */
#ifndef POSTERN_HTTP_FIELD_H
#define POSTERN_HTTP_FIELD_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct pst_field {
    struct pst_str name;
    struct pst_str value; /* without the white space around it */
};

struct pst_fields {
    struct pst_field *at;
    size_t n;
    size_t cap;
};

#define PST_FIELDS_EACH(it, fields)                                                                          \
    for (const struct pst_field *it = (fields)->at, *it##_end = it + (fields)->n; it != it##_end; it++)

static inline void pst_fields_init(struct pst_fields *fields, struct pst_field *storage, size_t cap)
{
    *fields = (struct pst_fields){.at = storage, .cap = cap};
}

/* Appends. 0, or -PST_ELIMIT when the storage is full. */
int pst_fields_add(struct pst_fields *fields, struct pst_str name, struct pst_str value) PST_MUSTCHECK;
/* The first field of that name (ASCII letters without case), or NULL. */
const struct pst_field *pst_fields_find(const struct pst_fields *fields, struct pst_str name);
/* The next one of the same name behind `after`, or NULL. `after` NULL starts at the front. */
const struct pst_field *pst_fields_next(const struct pst_fields *fields, struct pst_str name,
                                        const struct pst_field *after);
/* The value of the first field of that name, or the empty slice. */
struct pst_str pst_fields_value(const struct pst_fields *fields, struct pst_str name);
/* Whether any field of that name, read as a comma separated list, has the element `token` (ASCII letters
 * without case): pst_fields_list_has(f, PST_STR("connection"), PST_STR("close")). */
bool pst_fields_list_has(const struct pst_fields *fields, struct pst_str name, struct pst_str token);

/* Takes the next element of a comma separated list (RFC 9110 section 5.6.1) off `rest`: trimmed, empty
 * ones skipped, commas inside quoted strings kept. False at the end. */
bool pst_field_list_next(struct pst_str *rest, struct pst_str *ret_element);

/* Whether `s` is a token (RFC 9110 section 5.6.2), not empty. */
bool pst_http_is_token(struct pst_str s);
/* Whether `s` can be a field value: no control characters but tab (RFC 9110 section 5.5). */
bool pst_http_is_field_value(struct pst_str s);

#endif
