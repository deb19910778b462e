/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/conf/nearest.h"

#include "postern/base/str.h"

#define LENGTH_MAX 64
/* A typo is a letter or three; in a short word less, or every short word would be one of every other. */
#define DISTANCE_MAX 3

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
    if (d < nearest->distance && d <= (shorter + 1) / 2) {
        nearest->distance = d;
        nearest->best = name;
    }
}
