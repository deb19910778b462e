/* SPDX-License-Identifier: Apache-2.0 */
/* Language detection: scripts first (most decide alone), then frequent words, then letters that only
 * one of the known languages writes. */
#include "text.h"

struct tally {
    double words[DEMO_WORD_LANGUAGES];
    size_t letters;
    size_t scripts[DEMO_LANGUAGES]; /* letters per script, under the language the script stands for */
};

static const struct {
    uint32_t first, last;
    enum demo_language language;
} scripts[] = {
    {0x0370, 0x03FF, DEMO_EL}, {0x0400, 0x04FF, DEMO_RU}, {0x0590, 0x05FF, DEMO_HE},
    {0x0600, 0x06FF, DEMO_AR}, {0x0900, 0x097F, DEMO_HI}, {0x0E00, 0x0E7F, DEMO_TH},
    {0x1100, 0x11FF, DEMO_KO}, {0x3040, 0x30FF, DEMO_JA}, {0x4E00, 0x9FFF, DEMO_ZH},
    {0xAC00, 0xD7AF, DEMO_KO},
};

static const struct {
    uint32_t letter;
    enum demo_language language;
} marks[] = {
    {0xDF, DEMO_DE},  {0xE4, DEMO_DE},  {0xFC, DEMO_DE},  {0xE7, DEMO_FR},  {0xEA, DEMO_FR},
    {0x153, DEMO_FR}, {0xF1, DEMO_ES},  {0xBF, DEMO_ES},  {0xA1, DEMO_ES},  {0xEC, DEMO_IT},
    {0xF2, DEMO_IT},  {0xE3, DEMO_PT},  {0xF5, DEMO_PT},  {0xE5, DEMO_SV},  {0x142, DEMO_PL},
    {0x105, DEMO_PL}, {0x119, DEMO_PL}, {0x15B, DEMO_PL}, {0x17C, DEMO_PL}, {0x144, DEMO_PL},
};

static void tally_letter(struct tally *tally, uint32_t c)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (marks[i].letter == c)
            tally->words[marks[i].language] += 0.3;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0x24F))
        tally->letters++;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (c >= scripts[i].first && c <= scripts[i].last) {
            tally->scripts[scripts[i].language]++;
            tally->letters++;
        }
}

static void tally_word(struct tally *tally, struct pst_str word)
{
    size_t n;
    const struct demo_word *found = demo_lexicon_find(word, &n);
    /* A word that many languages share says little about each of them. */
    for (size_t i = 0; i < n; i++)
        tally->words[found[i].language] += (found[i].kind == DEMO_STOP ? 1.0 : 0.7) / (double)n;
}

static struct demo_detection from_scripts(const struct tally *tally)
{
    size_t best = DEMO_RU;
    for (size_t i = DEMO_RU; i < DEMO_LANGUAGES; i++)
        if (tally->scripts[i] > tally->scripts[best])
            best = i;
    size_t count = tally->scripts[best];
    /* Japanese is written with kana and Han together; kana settle it. */
    if (best == DEMO_ZH && tally->scripts[DEMO_JA])
        best = DEMO_JA;
    if (best == DEMO_JA)
        count = tally->scripts[DEMO_JA] + tally->scripts[DEMO_ZH];
    if (count == 0 || count * 2 < tally->letters)
        return (struct demo_detection){.known = false};
    return (struct demo_detection){true, (enum demo_language)best, (double)count / (double)tally->letters};
}

static struct demo_detection from_words(const struct tally *tally)
{
    double sum = 0;
    size_t best = 0;
    for (size_t i = 0; i < DEMO_WORD_LANGUAGES; i++) {
        sum += tally->words[i];
        if (tally->words[i] > tally->words[best])
            best = i;
    }
    if (sum <= 0)
        return (struct demo_detection){.known = false};
    /* The share of the evidence, tempered where there is little of it. */
    double share = tally->words[best] / sum;
    double enough = tally->words[best] / (tally->words[best] + 0.15);
    return (struct demo_detection){true, (enum demo_language)best, share * enough};
}

struct demo_detection demo_detect_language(struct pst_str text)
{
    struct tally tally = {0};
    const char *end = text.p + text.len;
    for (const char *p = text.p; p < end;)
        tally_letter(&tally, demo_utf8_next(&p, end));
    char word[DEMO_WORD_MAX];
    size_t len;
    for (const char *p = text.p; (len = demo_word_next(&p, end, word)) > 0;)
        tally_word(&tally, (struct pst_str){word, len});
    struct demo_detection by_script = from_scripts(&tally);
    return by_script.known ? by_script : from_words(&tally);
}
