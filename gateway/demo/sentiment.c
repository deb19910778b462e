/* SPDX-License-Identifier: Apache-2.0 */
/* Sentiment: mood words are counted per sentence. A negation turns the mood of the next three words
 * around, an intensifier makes the next word count for more. */
#include "text.h"

#define NEGATION_REACH 3

static const char *const mood_names[] = {
    [DEMO_MOOD_POSITIVE] = "positive",
    [DEMO_MOOD_NEUTRAL] = "neutral",
    [DEMO_MOOD_NEGATIVE] = "negative",
    [DEMO_MOOD_MIXED] = "mixed",
};

struct reading {
    double positive;
    double negative;
    unsigned negated; /* words for which a negation still holds */
    double weight;    /* of the next mood word */
};

const char *demo_mood_name(enum demo_mood mood)
{
    return mood_names[mood];
}

struct pst_str demo_sentence_cut(struct pst_str *rest)
{
    struct pst_str s = pst_str_trim(*rest);
    while (s.len && (*s.p == '\n' || *s.p == '\r'))
        s = pst_str_trim(pst_str_skip(s, 1));
    size_t i = 0;
    while (i < s.len) {
        char c = s.p[i++];
        if (c == '\n' || c == '\r')
            break;
        bool ends = c == '.' || c == '!' || c == '?';
        if (ends && (i == s.len || s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == '\t'))
            break;
    }
    *rest = pst_str_skip(s, i);
    struct pst_str sentence = {s.p, i};
    while (sentence.len && (sentence.p[sentence.len - 1] == '\n' || sentence.p[sentence.len - 1] == '\r'))
        sentence.len--;
    return pst_str_trim(sentence);
}

/* What a word means, over all languages that have it: a mood in one language wins over none. */
static void read_word(struct reading *reading, struct pst_str word)
{
    size_t n;
    const struct demo_word *found = demo_lexicon_find(word, &n);
    bool kinds[DEMO_INTENSIFIER + 1] = {false};
    for (size_t i = 0; i < n; i++)
        kinds[found[i].kind] = true;
    if (kinds[DEMO_POSITIVE] || kinds[DEMO_NEGATIVE]) {
        bool good = kinds[DEMO_POSITIVE] != (reading->negated > 0);
        *(good ? &reading->positive : &reading->negative) += reading->weight;
        reading->negated = 0;
        reading->weight = 1;
    } else if (kinds[DEMO_NEGATION]) {
        reading->negated = NEGATION_REACH + 1;
    } else {
        reading->weight = kinds[DEMO_INTENSIFIER] ? 1.5 : 1;
    }
    if (reading->negated)
        reading->negated--;
}

struct demo_scores demo_sentence_scores(struct pst_str sentence)
{
    struct reading reading = {.weight = 1};
    const char *end = sentence.p + sentence.len;
    char word[DEMO_WORD_MAX];
    size_t len;
    for (const char *p = sentence.p; (len = demo_word_next(&p, end, word)) > 0;)
        read_word(&reading, (struct pst_str){word, len});
    /* Without mood words all is neutral; each one found takes from the neutral share. */
    double neutral = 0.9 / (1 + 3 * (reading.positive + reading.negative));
    double positive = reading.positive + 0.03;
    double negative = reading.negative + 0.03;
    double share = (1 - neutral) / (positive + negative);
    return (struct demo_scores){positive * share, neutral, negative * share};
}

enum demo_mood demo_scores_mood(struct demo_scores scores)
{
    if (scores.neutral >= scores.positive && scores.neutral >= scores.negative)
        return DEMO_MOOD_NEUTRAL;
    double difference = scores.positive - scores.negative;
    if (difference < 0.1 && difference > -0.1)
        return DEMO_MOOD_MIXED;
    return difference > 0 ? DEMO_MOOD_POSITIVE : DEMO_MOOD_NEGATIVE;
}
