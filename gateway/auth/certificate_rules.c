/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/certificate_rules.h"

#include "postern/auth/key_format.h"
#include "postern/base/num.h"

#include <stdlib.h>
#include <string.h>

enum kind { KIND_ANY, KIND_DNS, KIND_URI, KIND_CN, KIND_SUBJECT, KIND_SHA256, KIND_KEY_SHA256 };

static const struct {
    struct pst_str name; /* with its "=" */
    enum kind kind;
} kinds[] = {
    {PST_STR("dns="), KIND_DNS},       {PST_STR("uri="), KIND_URI},
    {PST_STR("cn="), KIND_CN},         {PST_STR("subject="), KIND_SUBJECT},
    {PST_STR("sha256="), KIND_SHA256}, {PST_STR("key-sha256="), KIND_KEY_SHA256},
};

static bool is_role(struct pst_str word)
{
    return pst_str_eq(word, PST_STR("admin")) || pst_str_eq(word, PST_STR("viewer"));
}

/* The first word of a rule. */
static const struct {
    const char *name;
    bool (*is_one)(struct pst_str word);
    const char *problem;
} words[] = {
    [PST_CERTIFICATE_RULES_OF_KEYS] = {"key", pst_key_is_id, "is no key's id (postern key list)"},
    [PST_CERTIFICATE_RULES_OF_ROLES] = {"role", is_role, "is no role: write admin or viewer"},
};

struct rule {
    struct pst_str word;
    enum kind kind;
    struct pst_str value;
    uint8_t digest[32];
};

struct pst_certificate_rules {
    size_t n;
    struct rule rules[];
};

/* With or without colons between the bytes. */
static int parse_digest(struct pst_str text, uint8_t digest[static 32])
{
    char plain[64];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == ':')
            continue;
        if (n == sizeof(plain))
            return -PST_EPARSE;
        plain[n++] = text.p[i];
    }
    return n == sizeof(plain) ? pst_hex_decode((struct pst_str){plain, n}, digest, 32) : -PST_EPARSE;
}

static int parse_pattern(struct pst_str pattern, struct rule *ret, struct pst_why *why)
{
    if (pst_str_eq(pattern, PST_STR("*"))) {
        ret->kind = KIND_ANY;
        return 0;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!pst_str_starts(pattern, kinds[i].name))
            continue;
        ret->kind = kinds[i].kind;
        ret->value = pst_str_skip(pattern, kinds[i].name.len);
        if (ret->value.len == 0)
            return pst_why_set(why, -PST_EPARSE, NULL, "a value is expected after \"" PST_STR_FMT "\"",
                               PST_STR_ARG(kinds[i].name));
        bool digest = ret->kind == KIND_SHA256 || ret->kind == KIND_KEY_SHA256;
        if (digest && parse_digest(ret->value, ret->digest) < 0)
            return pst_why_set(why, -PST_EPARSE, NULL,
                               "\"" PST_STR_FMT "\" is not a SHA-256 digest of 64 hexadecimal digits",
                               PST_STR_ARG(ret->value));
        return 0;
    }
    return pst_why_set(why, -PST_EPARSE, NULL,
                       "\"" PST_STR_FMT
                       "\" is not valid; use dns=, uri=, cn=, subject=, sha256=, key-sha256= or *",
                       PST_STR_ARG(pattern));
}

static int parse_rule(enum pst_certificate_rules_of of, struct pst_str item, struct rule *ret,
                      struct pst_why *why)
{
    struct pst_str pattern;
    ret->word = pst_str_cut(item, ' ', &pattern);
    pattern = pst_str_trim(pattern);
    if (!words[of].is_one(ret->word))
        return pst_why_set(why, -PST_EPARSE, NULL, "\"" PST_STR_FMT "\" %s", PST_STR_ARG(ret->word),
                           words[of].problem);
    if (pattern.len == 0)
        return pst_why_set(why, -PST_EPARSE, NULL,
                           "a certificate is expected after the %s \"" PST_STR_FMT "\"; write dns=NAME or *",
                           words[of].name, PST_STR_ARG(ret->word));
    return parse_pattern(pattern, ret, why);
}

int pst_certificate_rules_parse(enum pst_certificate_rules_of of, char *const *items, size_t n,
                                struct pst_certificate_rules **ret, struct pst_why *why)
{
    struct pst_certificate_rules *rules = calloc(1, sizeof(*rules) + n * sizeof(rules->rules[0]));
    if (rules == NULL)
        return pst_why_set(why, -PST_ENOMEM, NULL, "out of memory");
    for (; rules->n < n; rules->n++) {
        int err = parse_rule(of, pst_str_trim(pst_str_of(items[rules->n])), &rules->rules[rules->n], why);
        if (err < 0) {
            free(rules);
            return err;
        }
    }
    *ret = rules;
    return 0;
}

void pst_certificate_rules_free(struct pst_certificate_rules *rules)
{
    free(rules);
}

/* RFC 6125 section 6.4.3: one label, and it alone. */
static bool dns_fits(struct pst_str pattern, struct pst_str name)
{
    if (!pst_str_starts(pattern, PST_STR("*.")))
        return pst_str_ieq(pattern, name);
    ptrdiff_t dot = pst_str_find(name, '.');
    return dot > 0 && pst_str_ieq(pst_str_skip(pattern, 1), pst_str_skip(name, (size_t)dot));
}

static bool uri_fits(struct pst_str pattern, struct pst_str uri)
{
    if (pattern.p[pattern.len - 1] != '*')
        return pst_str_eq(pattern, uri);
    return pst_str_starts(uri, (struct pst_str){pattern.p, pattern.len - 1});
}

static bool a_name_fits(const struct rule *rule, const struct pst_client_identity *id)
{
    for (size_t i = 0; i < id->n_names; i++) {
        const struct pst_client_name *name = &id->names[i];
        if (name->is_uri == (rule->kind == KIND_URI) &&
            (name->is_uri ? uri_fits : dns_fits)(rule->value, name->text))
            return true;
    }
    return false;
}

static bool fits(const struct rule *rule, const struct pst_client_identity *id)
{
    switch (rule->kind) {
    case KIND_ANY:
        return true;
    case KIND_DNS:
    case KIND_URI:
        return a_name_fits(rule, id);
    case KIND_CN:
        return pst_str_eq(rule->value, id->common_name);
    case KIND_SUBJECT:
        return pst_str_eq(rule->value, id->subject);
    case KIND_SHA256:
        return memcmp(rule->digest, id->sha256, sizeof(rule->digest)) == 0;
    case KIND_KEY_SHA256:
        return memcmp(rule->digest, id->key_sha256, sizeof(rule->digest)) == 0;
    }
    return false;
}

struct pst_str pst_certificate_rules_find(const struct pst_certificate_rules *rules,
                                          const struct pst_client_identity *identity)
{
    for (size_t i = 0; i < rules->n; i++) {
        if (fits(&rules->rules[i], identity))
            return rules->rules[i].word;
    }
    return PST_STR("");
}
