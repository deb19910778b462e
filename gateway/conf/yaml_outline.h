/* SPDX-License-Identifier: Apache-2.0 */
/* Where the keys of a flat YAML mapping stand, and what kind of value each has: what libcyaml knows while it
 * loads, but does not tell. Private to conf. */
#ifndef POSTERN_CONF_YAML_OUTLINE_H
#define POSTERN_CONF_YAML_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More keys than there are settings only come with unknown ones, of which a few are told. */
#define YAML_KEYS_MAX 160
#define YAML_KEY_SIZE 64

enum yaml_kind { YAML_KIND_SCALAR, YAML_KIND_SEQUENCE, YAML_KIND_NULL, YAML_KIND_OTHER };

struct yaml_key {
    char name[YAML_KEY_SIZE]; /* cut when it is longer: no setting's is */
    unsigned line;
    enum yaml_kind kind; /* of its value */
    size_t n_items;      /* of a sequence */
    uint64_t null_items; /* a bit for each of the first 64 that is null */
};

struct yaml_outline {
    struct yaml_key keys[YAML_KEYS_MAX]; /* in their order; one that is there twice has two entries */
    size_t n_keys;
    bool empty;               /* nothing but comments */
    unsigned second_document; /* the line where it begins, 0 when there is none */
    unsigned broken_line;     /* where the text stops being YAML, 0 when it does not */
    char broken[128];         /* and why */
};

void yaml_outline_read(const char *text, size_t len, struct yaml_outline *ret_outline);
/* The key's first entry, or the one behind `after`; NULL when there is none. */
const struct yaml_key *yaml_outline_find(const struct yaml_outline *outline, const char *name,
                                         const struct yaml_key *after);

#endif
