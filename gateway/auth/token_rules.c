/* SPDX-License-Identifier: Apache-2.0 */
/* Rules from claims to keys: "<key id> [issuer=…] claim=value …", the first that fits decides. */
#include "issuers_private.h"
#include "json_strict.h"

#include <string.h>

/* A rule that would fit every token has to say so, with this word. */
#define ANY "*"

static void add_condition(struct issuers_reading *reading, struct pst_token_rule *rule, struct pst_str word)
{
    char *equals = memchr(word.p, '=', word.len);
    if (!equals || equals == word.p || equals[1] == '\0') {
        issuers_problem(reading, "\"%s\" is no condition; write claim=value", word.p);
        return;
    }
    if (rule->n_conditions == PST_RULE_CONDITIONS_MAX) {
        issuers_problem(reading, "more than %d conditions", PST_RULE_CONDITIONS_MAX);
        return;
    }
    *equals = '\0'; /* the arena's: the claim's name ends here */
    rule->conditions[rule->n_conditions].claim = word.p;
    rule->conditions[rule->n_conditions++].value = pst_str_of(equals + 1);
}

static void set_issuer(struct issuers_reading *reading, struct pst_token_rule *rule, struct pst_str name)
{
    rule->issuer = pst_issuers_find(reading->issuers, name);
    if (rule->issuer == SIZE_MAX)
        issuers_problem(reading, "the issuer %s is not in " PST_ISSUERS_SETTING, name.p);
}

static void read_words(struct issuers_reading *reading, struct pst_token_rule *rule, struct pst_str rest)
{
    struct pst_str word;
    bool any = false, issuer_said = false;
    while (issuers_next_word(reading, &rest, &word)) {
        if (pst_str_eq(word, PST_STR(ANY))) {
            any = true;
        } else if (pst_str_starts(word, PST_STR("issuer="))) {
            issuer_said = true;
            set_issuer(reading, rule, pst_str_skip(word, strlen("issuer=")));
        } else {
            add_condition(reading, rule, word);
        }
    }
    if (!issuer_said && reading->issuers->n != 1)
        issuers_problem(reading, "which issuer's tokens is it for? Add issuer=");
    if (any == (rule->n_conditions > 0))
        issuers_problem(reading,
                        "it has either conditions (claim=value), or " ANY " for every token of the issuer");
}

void token_rule_read(struct issuers_reading *reading)
{
    struct pst_token_rule *rule = &reading->issuers->rules[reading->issuers->n_rules];
    struct pst_str rest = pst_str_of(reading->item), id;
    if (!issuers_next_word(reading, &rest, &id) || !pst_key_is_id(id)) {
        issuers_problem(reading,
                        "it does not begin with a key's id (twelve of 0-9a-z, see `postern key list`)");
        return;
    }
    pst_str_clip(id, rule->key_id, sizeof(rule->key_id));
    read_words(reading, rule, rest);
    reading->issuers->n_rules++;
}

static bool has_word(struct pst_str words, struct pst_str wanted)
{
    while (words.len > 0) {
        struct pst_str word = pst_str_cut(words, ' ', &words);
        if (pst_str_eq(word, wanted))
            return true;
    }
    return false;
}

/* Whether the claim is `wanted`, or a list with it; of scp and scope, which are words in one text (RFC 8693
 * section 4.2), whether it is one of them. */
static bool claim_has(const json_t *claims, const char *name, struct pst_str wanted)
{
    const json_t *value = json_object_get(claims, name), *item;
    struct pst_str text = pst_json_text(claims, name);
    bool is_words = strcmp(name, "scp") == 0 || strcmp(name, "scope") == 0;
    size_t i;
    if (text.p)
        return pst_str_eq(text, wanted) || (is_words && has_word(text, wanted));
    json_array_foreach(value, i, item)
    {
        if (json_is_string(item) &&
            pst_str_eq((struct pst_str){json_string_value(item), json_string_length(item)}, wanted))
            return true;
    }
    return false;
}

static bool meets(const struct pst_token_rule *rule, const json_t *claims)
{
    for (size_t i = 0; i < rule->n_conditions; i++) {
        if (!claim_has(claims, rule->conditions[i].claim, rule->conditions[i].value))
            return false;
    }
    return true;
}

const struct pst_token_rule *pst_issuers_rule(const struct pst_issuers *issuers, size_t issuer,
                                              const struct pst_jwt *jwt)
{
    for (size_t i = 0; i < issuers->n_rules; i++) {
        if (issuers->rules[i].issuer == issuer && meets(&issuers->rules[i], jwt->claims))
            return &issuers->rules[i];
    }
    return NULL;
}
