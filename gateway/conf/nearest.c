/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/conf/nearest.h"

#include "postern/base/str.h"

#include <stdbool.h>

#define LENGTH_MAX 64
/* A typo is a letter or three; in a short word less, or every short word would be one of every other. */
#define DISTANCE_MAX 3
/* A name that was not written to its end, or further than that, counts as so many letters. */
#define DISTANCE_CUT  1
#define DISTANCE_MORE 2
#define BEGINNING_MIN 4

static char folded(char c)
{
    return c == '-' ? '_' : pst_ascii_lower(c);
}

/* Letters to change, put in or leave out (Levenshtein), one row of the matrix at a time. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[LENGTH_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t same = diagonal + (folded(a[i - 1]) != folded(b[j - 1]));
            diagonal = row[j];
            size_t edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = same < edit ? same : edit;
        }
    }
    return row[b_len];
}

static bool begins_with(const char *text, const char *beginning, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (folded(text[i]) != folded(beginning[i])) /* the shorter one's end differs, too */
            return false;
    }
    return true;
}

/* "max_body" of max_body_size; "listen_address" of listen. */
static size_t beginning(const char *word, size_t word_len, const char *name, size_t name_len)
{
    if (word_len >= BEGINNING_MIN && begins_with(name, word, word_len))
        return DISTANCE_CUT;
    if (name_len >= BEGINNING_MIN && begins_with(word, name, name_len) && folded(word[name_len]) == '_')
        return DISTANCE_MORE;
    return DISTANCE_MAX + 1;
}

void pst_nearest_begin(struct pst_nearest *nearest, const char *word)
{
    *nearest = (struct pst_nearest){.word = word, .distance = DISTANCE_MAX + 1};
}

void pst_nearest_offer(struct pst_nearest *nearest, const char *name)
{
    size_t word_len = strlen(nearest->word), name_len = strlen(name);
    size_t shorter = word_len < name_len ? word_len : name_len;
    if (word_len > LENGTH_MAX || name_len > LENGTH_MAX)
        return;
    size_t d = distance(nearest->word, word_len, name, name_len);
    if (d > (shorter + 1) / 2)
        d = DISTANCE_MAX + 1;
    size_t cut = beginning(nearest->word, word_len, name, name_len);
    d = cut < d ? cut : d;
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->best = name;
    }
}
