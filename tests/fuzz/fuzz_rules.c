/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of certificates and of routes, as an operator writes them, and what they are held against. Held: what
 * is refused is explained; what is taken decides for every input without a read too far. Input: a rule, a
 * zero, a path or name. */
#include "postern/auth/certificate_rules.h"
#include "postern/exchange/routes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_certificate(enum pst_certificate_rules_of of, char *rule, struct pst_str text)
{
    struct pst_certificate_rules *rules = NULL;
    struct pst_why why = {.text = ""};
    struct pst_client_identity id = {.subject = text, .common_name = text, .n_names = 2};
    id.names[0] = (struct pst_client_name){false, text};
    id.names[1] = (struct pst_client_name){true, text};
    if (pst_certificate_rules_parse(of, &rule, 1, &rules, &why) < 0) {
        HOLD(why.text[0] != '\0');
        return;
    }
    struct pst_str word = pst_certificate_rules_find(rules, &id);
    if (of == PST_CERTIFICATE_RULES_OF_KEYS)
        HOLD(word.len == 0 || word.len == 12);
    else
        HOLD(word.len == 0 || pst_str_eq(word, PST_STR("admin")) || pst_str_eq(word, PST_STR("viewer")));
    pst_certificate_rules_free(rules);
}

static void try_route(char *rule, struct pst_str path)
{
    const struct pst_route rest = {.path = PST_STR("")};
    struct pst_routes *routes = NULL;
    struct pst_why why = {.text = ""};
    bool unclear;
    if (pst_routes_parse(&rule, 1, &rest, &routes, &why) < 0) {
        HOLD(why.text[0] != '\0');
        return;
    }
    const struct pst_route *found = pst_routes_find(routes, path, &unclear);
    HOLD(found != NULL && found->credentials <= PST_CREDENTIALS_BOTH);
    /* The rule's own path is one that it fits. */
    HOLD(pst_routes_find(routes, PST_STR("/"), &unclear) != NULL && !unclear);
    pst_routes_free(routes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *rule = malloc(size + 1);
    HOLD(rule != NULL);
    memcpy(rule, data, size);
    rule[size] = '\0';
    size_t len = strlen(rule);
    struct pst_str text = len < size ? (struct pst_str){rule + len + 1, size - len - 1} : PST_STR("");
    try_certificate(PST_CERTIFICATE_RULES_OF_KEYS, rule, text);
    try_certificate(PST_CERTIFICATE_RULES_OF_ROLES, rule, text);
    try_route(rule, text);
    free(rule);
    return 0;
}
