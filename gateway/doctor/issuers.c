/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/auth/issuer_keys.h"
#include "postern/base/clock.h"

/* Of one document; an issuer may have two. */
#define DOCUMENT_MS 4000

static void ignore_problem(void *arg, const char *setting, const char *problem)
{
    (void)arg; /* the check of the settings tells them */
    (void)setting;
    (void)problem;
}

static void look_at(struct visit *visit, const struct pst_issuer *issuer)
{
    static const char todo[] =
        "Tokens of this issuer cannot be verified without them. Check that the address is right, "
        "the network allows it (oidc_proxy) and its certificate is trusted (ca_file).";
    uint64_t now_us = pst_clock_mono_us(), until_us = visit_until(visit, DOCUMENT_MS);
    const struct pst_issuer_keys_options options = {
        .ca_file = visit->options->ca_file,
        .proxy = visit->settings->oidc_proxy,
        .timeout_ms = until_us > now_us + 1000 ? (until_us - now_us) / 1000 : 1,
    };
    struct pst_jwks *jwks = NULL;
    struct pst_why why = {.text = ""};
    int err = pst_issuer_keys_get(issuer, &options, &jwks, &why);
    if (err < 0)
        visit_note(visit, CHECK_ISSUERS, PST_DOCTOR_FAILED, todo, "%.200s: %s", issuer->name.p, why.text);
    else if (jwks->n_skipped > 0)
        visit_note(visit, CHECK_ISSUERS, PST_DOCTOR_OK, NULL,
                   "%.200s: %zu key(s); left out, among others: %s", issuer->name.p, jwks->n, why.text);
    else
        visit_note(visit, CHECK_ISSUERS, PST_DOCTOR_OK, NULL, "%.200s: %zu key(s)", issuer->name.p, jwks->n);
    pst_jwks_free(jwks);
}

void check_issuers(struct visit *visit)
{
    const struct pst_settings *s = visit->settings;
    struct pst_issuers *issuers = NULL;
    if (s->n_oidc_issuers == 0)
        visit_note(visit, CHECK_ISSUERS, PST_DOCTOR_SKIPPED, NULL, "the setting oidc_issuers names none");
    else if (pst_setting_is_bad(s, PST_ISSUERS_SETTING) || pst_setting_is_bad(s, PST_TOKEN_RULES_SETTING) ||
             pst_issuers_parse(s->oidc_issuers, s->n_oidc_issuers, s->oidc_keys, s->n_oidc_keys,
                               ignore_problem, NULL, &issuers) < 0)
        visit_note(visit, CHECK_ISSUERS, PST_DOCTOR_FAILED, "`postern check` reports which item is wrong.",
                   "the settings oidc_issuers or oidc_keys are invalid");
    else
        for (size_t i = 0; i < issuers->n && i < VISIT_NOTES_MAX; i++)
            look_at(visit, &issuers->at[i]);
    pst_issuers_free(issuers);
}
