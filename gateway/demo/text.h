/* SPDX-License-Identifier: Apache-2.0 */
/* What the sample container finds out about a text. Pure functions over the lexicon. Any thread. */
#ifndef POSTERN_DEMO_TEXT_H
#define POSTERN_DEMO_TEXT_H

#include "lexicon.h"

#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEMO_WORD_MAX 64

/* The next code point at *p (< end), which moves on; a broken byte counts as U+FFFD. */
uint32_t demo_utf8_next(const char **p, const char *end);
size_t demo_utf8_count(struct pst_str text);
/* The next word at *p, lower-cased into `word` (long ones are cut): its length, 0 at the end. */
size_t demo_word_next(const char **p, const char *end, char word[static DEMO_WORD_MAX]);

struct demo_detection {
    bool known;
    enum demo_language language;
    double confidence; /* 0 to 1 */
};
struct demo_detection demo_detect_language(struct pst_str text);

enum demo_mood { DEMO_MOOD_POSITIVE, DEMO_MOOD_NEUTRAL, DEMO_MOOD_NEGATIVE, DEMO_MOOD_MIXED };
struct demo_scores {
    double positive;
    double neutral;
    double negative; /* the three add up to 1 */
};
const char *demo_mood_name(enum demo_mood mood);
/* Cuts the first sentence off `*rest`, with its end mark, without blanks around; empty at the end. */
struct pst_str demo_sentence_cut(struct pst_str *rest);
struct demo_scores demo_sentence_scores(struct pst_str sentence);
enum demo_mood demo_scores_mood(struct demo_scores scores);

#endif
