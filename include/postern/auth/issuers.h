/* SPDX-License-Identifier: Apache-2.0 */
/* Who may issue tokens, and which Postern key a token stands for: the settings oidc_issuers and oidc_keys,
 * each item one rule in words (docs/oidc.md).
 *
 *     https://login.microsoftonline.com/<tenant>/v2.0 audience=api://speech leeway=30s
 *     speechteam01 appid=6b0e… roles=Transcriber
 *
 * Read once at the start, then never changed: any thread. */
#ifndef POSTERN_AUTH_ISSUERS_H
#define POSTERN_AUTH_ISSUERS_H

#include "postern/auth/jwks.h"
#include "postern/auth/jwt.h"
#include "postern/auth/key_format.h"
#include "postern/base/arena.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stddef.h>
#include <stdint.h>

#define PST_ISSUERS_MAX         64 /* as many items as a list of the settings may have */
#define PST_ISSUER_AUDIENCES    16
#define PST_TOKEN_RULES_MAX     64
#define PST_RULE_CONDITIONS_MAX 8

enum pst_jwks_source {
    PST_JWKS_DISCOVERED, /* the issuer's /.well-known/openid-configuration says where they are */
    PST_JWKS_URL,
    PST_JWKS_FILE,
};

struct pst_issuer {
    struct pst_str name; /* what iss has to be, byte for byte */
    enum pst_jwks_source source;
    const char *jwks;    /* the URL or the path; of DISCOVERED, the document's URL */
    const char *ca_file; /* roots to trust besides the system's for its URL; NULL: the setting ca_file */
    struct pst_str audiences[PST_ISSUER_AUDIENCES]; /* one of them has to be in aud */
    size_t n_audiences;
    struct pst_alg_list algorithms;
    int64_t leeway_s;
    uint64_t refresh_s;
};

/* Tokens of `issuer` whose claims meet all conditions stand for the key. */
struct pst_token_rule {
    char key_id[PST_KEY_ID_SIZE];
    size_t issuer; /* its number */
    size_t n_conditions;
    struct {
        const char *claim;
        struct pst_str value;
    } conditions[PST_RULE_CONDITIONS_MAX];
};

struct pst_issuers {
    size_t n;
    size_t n_rules;
    struct pst_issuer at[PST_ISSUERS_MAX];
    struct pst_token_rule rules[PST_TOKEN_RULES_MAX];
    struct pst_arena texts;
};

#define PST_ISSUERS_SETTING     "oidc_issuers"
#define PST_TOKEN_RULES_SETTING "oidc_keys"

/* A sentence about an item of the setting. */
typedef void pst_issuers_problem_cb(void *arg, const char *setting, const char *problem);

/* Reads both lists, and tells everything that is wrong. 0, -PST_EINVAL or -PST_ENOMEM. Files are not opened.
 */
int pst_issuers_parse(char *const *issuers, size_t n_issuers, char *const *rules, size_t n_rules,
                      pst_issuers_problem_cb *problem, void *arg, struct pst_issuers **ret) PST_MUSTCHECK;
/* NULL is fine. */
void pst_issuers_free(struct pst_issuers *issuers);

/* The number of the issuer with this name, or SIZE_MAX. */
size_t pst_issuers_find(const struct pst_issuers *issuers, struct pst_str name);
/* The first rule that the verified claims of an issuer's token meet, or NULL. */
const struct pst_token_rule *pst_issuers_rule(const struct pst_issuers *issuers, size_t issuer,
                                              const struct pst_jwt *jwt);

#endif
