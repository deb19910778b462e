/* SPDX-License-Identifier: Apache-2.0 */
#include "oidc_private.h"

#include <stdlib.h>

static int make_readers(struct pst_oidc *oidc)
{
    size_t n = oidc->options.n_readers;
    oidc->readers = aligned_alloc(_Alignof(struct oidc_reader), n * sizeof(*oidc->readers));
    if (!oidc->readers)
        return -PST_ENOMEM;
    memset(oidc->readers, 0, n * sizeof(*oidc->readers));
    int err = 0;
    for (size_t i = 0; err == 0 && i < n; i++)
        err = pst_token_cache_new(&oidc->readers[i].cache);
    return err;
}

int pst_oidc_open(const struct pst_oidc_options *options, struct pst_oidc **ret)
{
    struct pst_oidc *oidc = calloc(1, sizeof(*oidc));
    if (!oidc)
        return -PST_ENOMEM;
    oidc->options = *options;
    oidc->sources = calloc(options->issuers->n, sizeof(*oidc->sources));
    int err = oidc->sources ? make_readers(oidc) : -PST_ENOMEM;
    for (size_t i = 0; err == 0 && i < options->issuers->n; i++)
        oidc->sources[i].issuer = &options->issuers->at[i];
    if (err == 0) {
        oidc_keys_refresh(oidc, true); /* so that the first request finds them */
        err = oidc_keys_start(oidc);
    }
    if (err < 0)
        pst_oidc_close(oidc);
    else
        *ret = oidc;
    return err;
}

void pst_oidc_close(struct pst_oidc *oidc)
{
    if (!oidc)
        return;
    pst_ticker_stop(&oidc->ticker);
    oidc_keys_free(oidc);
    for (size_t i = 0; oidc->readers && i < oidc->options.n_readers; i++)
        pst_token_cache_free(oidc->readers[i].cache);
    free(oidc->readers);
    free(oidc->sources);
    free(oidc);
}

/* The set as it is now, kept from being freed until let_go(). It is announced first and looked at again then:
 * were it replaced in between, the thread might have looked for readers before. */
static struct keyset *take(struct key_source *source, struct oidc_reader *reader)
{
    struct keyset *set = atomic_load(&source->set);
    for (;;) {
        atomic_store(&reader->reads, set);
        struct keyset *again = atomic_load(&source->set);
        if (again == set)
            return set;
        set = again;
    }
}

static void let_go(struct oidc_reader *reader)
{
    atomic_store_explicit(&reader->reads, NULL, memory_order_release);
}

static enum pst_jwt_verdict verify(struct key_source *source, struct oidc_reader *reader,
                                   const struct pst_jws *jws, uint64_t *ret_generation)
{
    const struct pst_jwk *jwk = NULL;
    enum pst_jwt_verdict verdict = PST_JWT_NO_KEYS_YET;
    const struct keyset *set = take(source, reader);
    if (set) {
        *ret_generation = set->generation;
        verdict = pst_jwks_find(set->jwks, jws, &jwk);
        if (verdict == PST_JWT_OK)
            verdict = pst_jws_verify(jws, jwk->alg, jwk->key);
    }
    let_go(reader);
    if (verdict == PST_JWT_NO_KEY)
        atomic_store_explicit(&source->wanted, true, memory_order_relaxed);
    return verdict;
}

static bool is_for_us(const struct pst_issuer *issuer, const struct pst_jwt *jwt)
{
    for (size_t i = 0; i < issuer->n_audiences; i++) {
        if (pst_jwt_is_for(jwt, issuer->audiences[i]))
            return true;
    }
    return false;
}

/* The signature last: what costs nothing to refuse is refused before. Whose key it is is asked only then,
 * since the answer to that tells somebody who is known from somebody who is not. */
static enum pst_jwt_verdict judge(struct pst_oidc *oidc, struct oidc_reader *reader,
                                  const struct pst_jwt *jwt, int64_t now_s, struct pst_token_verdict *ret)
{
    const struct pst_issuers *issuers = oidc->options.issuers;
    size_t number = pst_issuers_find(issuers, jwt->issuer);
    if (number == SIZE_MAX)
        return PST_JWT_ISSUER;
    const struct pst_issuer *issuer = &issuers->at[number];
    if (!is_for_us(issuer, jwt))
        return PST_JWT_AUDIENCE;
    enum pst_jwt_verdict verdict = pst_jwt_check_times(jwt, now_s, issuer->leeway_s);
    if (verdict == PST_JWT_OK)
        verdict = verify(&oidc->sources[number], reader, &jwt->jws, &ret->generation);
    if (verdict != PST_JWT_OK)
        return verdict;
    ret->source = (uint32_t)number;
    ret->good_until_s = jwt->expires_s + issuer->leeway_s;
    const struct pst_token_rule *rule = pst_issuers_rule(issuers, number, jwt);
    if (rule)
        memcpy(ret->match.id, rule->key_id, sizeof(ret->match.id));
    return PST_JWT_OK;
}

/* A token that is good and stands for no key is kept, too: it costs its owner no less to get. */
static enum pst_jwt_verdict answer(const struct pst_token_verdict *verdict, struct pst_oidc_found *ret)
{
    if (verdict->match.id[0] == '\0')
        return PST_JWT_NO_RULE;
    memcpy(ret->key_id, verdict->match.id, sizeof(ret->key_id));
    ret->good_until_s = verdict->good_until_s;
    return PST_JWT_OK;
}

static enum pst_jwt_verdict check_anew(struct pst_oidc *oidc, struct oidc_reader *reader,
                                       struct pst_str token, int64_t now_s, struct pst_oidc_found *ret)
{
    struct pst_jwt jwt;
    struct pst_token_verdict found = {.good_until_s = 0};
    enum pst_jwt_verdict verdict = pst_jwt_parse(token, &jwt);
    if (verdict != PST_JWT_OK)
        return verdict;
    verdict = judge(oidc, reader, &jwt, now_s, &found);
    pst_jwt_done(&jwt);
    if (verdict != PST_JWT_OK)
        return verdict;
    pst_token_cache_put(reader->cache, token, &found);
    return answer(&found, ret);
}

enum pst_jwt_verdict pst_oidc_check(struct pst_oidc *oidc, unsigned reader, struct pst_str token,
                                    int64_t now_real_us, struct pst_oidc_found *ret)
{
    struct oidc_reader *self = &oidc->readers[reader];
    int64_t now_s = now_real_us / 1000000;
    const struct pst_token_verdict *known = pst_token_cache_find(self->cache, token, now_s);
    if (known && known->generation ==
                     atomic_load_explicit(&oidc->sources[known->source].generation, memory_order_acquire))
        return answer(known, ret);
    return check_anew(oidc, self, token, now_s, ret);
}
