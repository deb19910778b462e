/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <stdlib.h>

/* FNV-1a. A client that makes names collide only slows the keeper: routes are bounded, key ids are ours. */
static uint64_t hash_of(struct pst_str s)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001B3);
    return hash ^ hash >> 32;
}

static struct name *place_of(const struct names *names, struct pst_str text)
{
    size_t i = hash_of(text) & (names->cap - 1);
    while (names->at[i].text != NULL &&
           !pst_str_eq((struct pst_str){names->at[i].text, names->at[i].len}, text))
        i = (i + 1) & (names->cap - 1);
    return &names->at[i];
}

int64_t names_find(const struct names *names, struct pst_str text)
{
    if (names->cap == 0)
        return -1;
    const struct name *place = place_of(names, text);
    return place->text != NULL ? place->number : -1;
}

static int grow(struct names *names)
{
    struct names bigger = {.cap = names->cap > 0 ? names->cap * 2 : 64, .n = names->n};
    bigger.at = calloc(bigger.cap, sizeof(*bigger.at));
    if (bigger.at == NULL)
        return -PST_ENOMEM;
    for (size_t i = 0; i < names->cap; i++) {
        if (names->at[i].text != NULL)
            *place_of(&bigger, (struct pst_str){names->at[i].text, names->at[i].len}) = names->at[i];
    }
    free(names->at);
    *names = bigger;
    return 0;
}

int names_add(struct names *names, struct pst_str text, int64_t number)
{
    if ((names->n + 1) * 4 > names->cap * 3 && grow(names) < 0)
        return -PST_ENOMEM;
    char *copy = malloc(text.len + 1);
    if (copy == NULL)
        return -PST_ENOMEM;
    pst_str_clip(text, copy, text.len + 1);
    struct name *place = place_of(names, text);
    *place = (struct name){copy, text.len, number};
    names->n++;
    return 0;
}

void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->cap; i++)
        free(names->at[i].text);
    free(names->at);
    *names = (struct names){0};
}
