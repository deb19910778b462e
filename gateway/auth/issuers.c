/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/issuers.h"

#include "issuers_private.h"

#include "postern/base/num.h"
#include "postern/fetch/url.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX (1024 * 1024) /* of all items: the settings bound them to half of it */
#define LEEWAY_MAX_S   600
#define REFRESH_MIN_S  60
#define REFRESH_MAX_S  (7 * 86400)
#define DISCOVERY_PATH "/.well-known/openid-configuration"

void issuers_problem(struct issuers_reading *reading, const char *fmt, ...)
{
    char text[1024];
    int n = reading->item ? snprintf(text, sizeof(text), "\"%.200s\": ", reading->item) : 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
    va_end(args);
    reading->problems++;
    reading->problem(reading->arg, reading->setting, text);
}

/* Words are separated by blanks; a part in double quotes may have blanks in it. The quotes go away. */
bool issuers_next_word(struct issuers_reading *reading, struct pst_str *rest, struct pst_str *ret)
{
    *rest = pst_str_trim(*rest);
    if (rest->len == 0)
        return false;
    char *word = pst_arena_alloc(&reading->issuers->texts, rest->len + 1);
    bool quoted = false;
    size_t i = 0, n = 0;
    if (!word) {
        issuers_problem(reading, "out of memory");
        return false;
    }
    for (; i < rest->len && (quoted || (rest->p[i] != ' ' && rest->p[i] != '\t')); i++) {
        if (rest->p[i] == '"')
            quoted = !quoted;
        else
            word[n++] = rest->p[i];
    }
    word[n] = '\0';
    *rest = pst_str_skip(*rest, i);
    *ret = (struct pst_str){word, n};
    if (quoted)
        issuers_problem(reading, "a double quote is not closed");
    return !quoted;
}

/* The values of an issuer's names */

static void set_audience(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    if (issuer->n_audiences == PST_ISSUER_AUDIENCES)
        issuers_problem(reading, "more than %d audiences", PST_ISSUER_AUDIENCES);
    else
        issuer->audiences[issuer->n_audiences++] = value;
}

static void set_algorithm(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    enum pst_signature_alg alg = pst_signature_alg_of(value);
    size_t n = 0;
    while (n < PST_ALG_MAX - 1 && issuer->algorithms.at[n] != PST_ALG_UNKNOWN &&
           issuer->algorithms.at[n] != alg)
        n++;
    if (alg == PST_ALG_UNKNOWN)
        issuers_problem(
            reading,
            "algorithm=%s is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, "
            "EdDSA",
            value.p);
    else
        issuer->algorithms.at[n] = alg;
}

static void set_jwks(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    struct pst_url url;
    const char *reason = "";
    issuer->jwks = value.p;
    issuer->source = value.p[0] == '/' ? PST_JWKS_FILE : PST_JWKS_URL;
    if (issuer->source == PST_JWKS_FILE)
        return;
    if (pst_url_parse(value, &url, &reason) < 0)
        issuers_problem(reading, "jwks=%s %s; it is an https:// URL or an absolute path", value.p, reason);
    else if (!url.https)
        issuers_problem(reading, "jwks=%s: keys are fetched over https:// only", value.p);
}

static void set_ca_file(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    (void)reading;
    issuer->ca_file = value.p;
}

static void set_leeway(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    uint64_t ms;
    if (pst_num_duration_ms(value, 1000, &ms) < 0 || ms > LEEWAY_MAX_S * 1000)
        issuers_problem(reading, "leeway=%s is no duration from 0 to 10m", value.p);
    else
        issuer->leeway_s = (int64_t)(ms / 1000);
}

static void set_refresh(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value)
{
    uint64_t ms;
    if (pst_num_duration_ms(value, 1000, &ms) < 0 || ms < REFRESH_MIN_S * 1000 ||
        ms > REFRESH_MAX_S * UINT64_C(1000))
        issuers_problem(reading, "refresh=%s is no duration from 1m to 7d", value.p);
    else
        issuer->refresh_s = ms / 1000;
}

static const struct issuer_word {
    const char *name;
    bool repeats;
    void (*set)(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str value);
} issuer_words[] = {
    {"jwks", false, set_jwks},       {"audience", true, set_audience}, {"algorithm", true, set_algorithm},
    {"ca_file", false, set_ca_file}, {"leeway", false, set_leeway},    {"refresh", false, set_refresh},
};
#define N_WORDS (sizeof(issuer_words) / sizeof(issuer_words[0]))

static void set_word(struct issuers_reading *reading, struct pst_issuer *issuer, struct pst_str word,
                     unsigned *seen)
{
    struct pst_str value, name = pst_str_cut(word, '=', &value);
    size_t i = 0;
    while (i < N_WORDS && !pst_str_eq(name, pst_str_of(issuer_words[i].name)))
        i++;
    if (i == N_WORDS)
        issuers_problem(
            reading,
            "\"%s\" is not understood; jwks, audience, algorithm, ca_file, leeway and refresh are, as "
            "name=value",
            word.p);
    else if (value.len == 0)
        issuers_problem(reading, "%s has no value", issuer_words[i].name);
    else if ((*seen & (1u << i)) && !issuer_words[i].repeats)
        issuers_problem(reading, "%s is there twice", issuer_words[i].name);
    else
        issuer_words[i].set(reading, issuer, value);
    *seen |= 1u << i;
}

/* What was not said */

static void find_discovery(struct issuers_reading *reading, struct pst_issuer *issuer)
{
    struct pst_url url;
    const char *reason = "";
    size_t size = issuer->name.len + sizeof(DISCOVERY_PATH);
    char *text = pst_arena_alloc(&reading->issuers->texts, size);
    if (!text) {
        issuers_problem(reading, "out of memory");
        return;
    }
    struct pst_str base = issuer->name;
    if (base.len > 0 && base.p[base.len - 1] == '/')
        base.len--; /* OpenID Connect Discovery 1.0, section 4.1 */
    snprintf(text, size, PST_STR_FMT DISCOVERY_PATH, PST_STR_ARG(base));
    issuer->jwks = text;
    if (pst_url_parse(pst_str_of(text), &url, &reason) < 0 || !url.https)
        issuers_problem(reading,
                        "where its keys are cannot be found out, since it is no https:// URL; add jwks=");
}

static void fill_defaults(struct issuers_reading *reading, struct pst_issuer *issuer)
{
    static const struct pst_alg_list algorithms = {
        {PST_ALG_RS256, PST_ALG_PS256, PST_ALG_ES256, PST_ALG_EDDSA}};
    if (!issuer->jwks)
        find_discovery(reading, issuer);
    if (issuer->algorithms.at[0] == PST_ALG_UNKNOWN)
        issuer->algorithms = algorithms;
    if (issuer->n_audiences == 0) {
        /* As the cloud's SDKs ask for it; tokens of Entra ID come with both spellings. */
        issuer->audiences[issuer->n_audiences++] = PST_STR("https://cognitiveservices.azure.com");
        issuer->audiences[issuer->n_audiences++] = PST_STR("https://cognitiveservices.azure.com/");
    }
}

static void read_issuer(struct issuers_reading *reading)
{
    struct pst_issuers *issuers = reading->issuers;
    struct pst_issuer *issuer = &issuers->at[issuers->n];
    struct pst_str rest = pst_str_of(reading->item), word;
    unsigned seen = 0;
    issuer->leeway_s = 60;
    issuer->refresh_s = 3600;
    if (!issuers_next_word(reading, &rest, &issuer->name)) {
        issuers_problem(reading, "names no issuer");
        return;
    }
    if (pst_issuers_find(issuers, issuer->name) != SIZE_MAX)
        issuers_problem(reading, "the issuer %s is there twice", issuer->name.p);
    while (issuers_next_word(reading, &rest, &word))
        set_word(reading, issuer, word, &seen);
    fill_defaults(reading, issuer);
    issuers->n++;
}

int pst_issuers_parse(char *const *issuers, size_t n_issuers, char *const *rules, size_t n_rules,
                      pst_issuers_problem_cb *problem, void *arg, struct pst_issuers **ret)
{
    struct issuers_reading reading = {.problem = problem, .arg = arg, .setting = PST_ISSUERS_SETTING};
    reading.issuers = calloc(1, sizeof(*reading.issuers));
    if (!reading.issuers)
        return -PST_ENOMEM;
    pst_arena_init(&reading.issuers->texts, 4096, TEXT_BYTES_MAX);
    for (size_t i = 0; i < n_issuers && i < PST_ISSUERS_MAX; i++) {
        reading.item = issuers[i];
        read_issuer(&reading);
    }
    reading.setting = PST_TOKEN_RULES_SETTING;
    for (size_t i = 0; i < n_rules && i < PST_TOKEN_RULES_MAX; i++) {
        reading.item = rules[i];
        token_rule_read(&reading);
    }
    reading.item = NULL; /* what follows is about none */
    if (n_issuers > 0 && n_rules == 0)
        issuers_problem(&reading, "no rule says which key a token stands for, so none could be used");
    if (n_issuers > PST_ISSUERS_MAX || n_rules > PST_TOKEN_RULES_MAX)
        issuers_problem(&reading, "more than %d items", PST_TOKEN_RULES_MAX);
    if (reading.problems > 0) {
        pst_issuers_free(reading.issuers);
        return -PST_EINVAL;
    }
    *ret = reading.issuers;
    return 0;
}

void pst_issuers_free(struct pst_issuers *issuers)
{
    if (issuers)
        pst_arena_done(&issuers->texts);
    free(issuers);
}

size_t pst_issuers_find(const struct pst_issuers *issuers, struct pst_str name)
{
    for (size_t i = 0; i < issuers->n; i++) {
        if (pst_str_eq(issuers->at[i].name, name))
            return i;
    }
    return SIZE_MAX;
}
