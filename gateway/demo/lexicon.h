/* SPDX-License-Identifier: Apache-2.0 */
/* Words the sample container knows: frequent words of some languages, and words with a mood.
 * Built once (demo_lexicon_build, before threads start), read-only afterwards. */
#ifndef POSTERN_DEMO_LEXICON_H
#define POSTERN_DEMO_LEXICON_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>
#include <stdint.h>

enum demo_language {
    DEMO_EN,
    DEMO_DE,
    DEMO_FR,
    DEMO_ES,
    DEMO_IT,
    DEMO_PT,
    DEMO_NL,
    DEMO_SV,
    DEMO_PL,
    DEMO_WORD_LANGUAGES, /* those told apart by words */
    DEMO_RU = DEMO_WORD_LANGUAGES,
    DEMO_EL,
    DEMO_AR,
    DEMO_HE,
    DEMO_HI,
    DEMO_TH,
    DEMO_KO,
    DEMO_JA,
    DEMO_ZH,
    DEMO_LANGUAGES
};

enum demo_word_kind { DEMO_STOP, DEMO_POSITIVE, DEMO_NEGATIVE, DEMO_NEGATION, DEMO_INTENSIFIER };

struct demo_word {
    struct pst_str text; /* lower case, UTF-8 */
    uint8_t language;
    uint8_t kind;
};

/* 0 or -PST_ENOMEM. Idempotent; not thread-safe. */
int demo_lexicon_build(void) PST_MUSTCHECK;
void demo_lexicon_drop(void);
/* All entries of a word (one per language and kind), or NULL with *ret_n = 0. */
const struct demo_word *demo_lexicon_find(struct pst_str word, size_t *ret_n);
const char *demo_language_code(enum demo_language language);
const char *demo_language_name(enum demo_language language);

#endif
