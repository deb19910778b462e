/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/sts.h"

#include "postern/auth/token_cache.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/crypto/hash.h"
#include "postern/crypto/random.h"
#include "postern/crypto/secret.h"
#include "sts_keys.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "urn:ms.cognitiveservices"
/* Tokens of the last minute, for those who ask again. */
#define ISSUED_PLACES 256
#define REUSE_S       60
#define JTI_LEN       22
/* Clocks of one machine do not differ. */
#define LEEWAY_S 0

struct issued {
    struct pst_key_match match;
    int64_t at_s; /* 0: free */
    char *token;
    size_t len;
};

struct reader {
    struct issued issued[ISSUED_PLACES];
    struct pst_token_cache *cache;
};

struct pst_sts {
    char *data_dir;
    char *region;
    int64_t lifetime_s;
    int64_t key_period_s;
    _Atomic(struct sts_keys *) keys;
    struct sts_keys *replaced; /* workers may still be reading it; the rotating thread's */
    unsigned n_readers;
    struct reader *readers;
};

/* Life */

static int make_readers(struct pst_sts *sts)
{
    sts->readers = calloc(sts->n_readers + 1, sizeof(*sts->readers));
    int err = sts->readers != NULL ? 0 : -PST_ENOMEM;
    for (unsigned i = 0; err == 0 && i < sts->n_readers; i++)
        err = pst_token_cache_new(&sts->readers[i].cache);
    return err;
}

int pst_sts_open(const struct pst_sts_options *options, struct pst_sts **ret)
{
    struct pst_sts *sts = calloc(1, sizeof(*sts));
    struct sts_keys *keys = NULL;
    if (sts == NULL)
        return -PST_ENOMEM;
    sts->data_dir = strdup(options->data_dir);
    sts->region = strdup(options->region);
    sts->lifetime_s = options->lifetime_s;
    sts->key_period_s =
        options->key_period_s > options->lifetime_s ? options->key_period_s : options->lifetime_s;
    sts->n_readers = options->n_readers;
    atomic_init(&sts->keys, NULL);
    int err = sts->data_dir != NULL && sts->region != NULL ? make_readers(sts) : -PST_ENOMEM;
    if (err == 0)
        err = sts_keys_load(sts->data_dir, &keys);
    if (err < 0) {
        pst_sts_close(sts);
        return err;
    }
    atomic_store(&sts->keys, keys);
    *ret = sts;
    return 0;
}

static void forget(struct issued *issued)
{
    if (issued->token != NULL)
        pst_wipe(issued->token, issued->len);
    free(issued->token);
    *issued = (struct issued){0};
}

void pst_sts_close(struct pst_sts *sts)
{
    if (sts == NULL)
        return;
    for (unsigned i = 0; sts->readers != NULL && i < sts->n_readers; i++) {
        pst_token_cache_free(sts->readers[i].cache);
        for (size_t j = 0; j < ISSUED_PLACES; j++)
            forget(&sts->readers[i].issued[j]);
    }
    sts_keys_free(atomic_load(&sts->keys));
    sts_keys_free(sts->replaced);
    free(sts->readers);
    free(sts->region);
    free(sts->data_dir);
    free(sts);
}

void pst_sts_rotate(struct pst_sts *sts, int64_t now_real_us)
{
    struct sts_keys *keys = atomic_load(&sts->keys), *next = NULL;
    int64_t now_s = now_real_us / 1000000;
    if (now_s < keys->at[0].made_s + sts->key_period_s && keys->at[0].made_s <= now_s + 60)
        return;
    if (sts_keys_next(keys, sts->data_dir, &next) < 0)
        return; /* logged; the present key signs on, and the next turn tries again */
    pst_info("auth",
             "access tokens are now signed with a new key, kid %s; the previous key is still accepted",
             next->at[0].kid);
    sts_keys_free(sts->replaced);
    sts->replaced = keys;
    atomic_store(&sts->keys, next);
}

/* A secret's generation is a part of its digest: no business of whoever holds the token. */
static uint64_t mask_of(const struct sts_key *key, struct pst_str jti)
{
    uint8_t digest[PST_SHA256_BYTES];
    uint64_t mask;
    pst_hmac_sha256(&key->mask, jti, digest);
    memcpy(&mask, digest, sizeof(mask));
    pst_wipe(digest, sizeof(digest));
    return mask;
}

/* Issuing */

/* The claims the cloud's tokens have; clients read exp and region, and nothing else. */
static json_t *make_claims(const struct pst_sts *sts, const struct sts_key *key,
                           const struct pst_key_match *match, int64_t now_s)
{
    char jti[JTI_LEN + 1] = "", generation[17];
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (pst_random_text(jti, JTI_LEN, letters, sizeof(letters) - 1) < 0)
        return NULL;
    snprintf(generation, sizeof(generation), "%016" PRIx64,
             match->generation ^ mask_of(key, pst_str_of(jti)));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:s}", "iss", ISSUER,
                     "aud", "urn:ms.cognitiveservices", "sub", match->id, "region", sts->region,
                     "subscription-id", match->id, "product-id", "Postern", "scope", "cognitiveservices",
                     "azure-resource-id", "", "iat", (json_int_t)now_s, "exp",
                     (json_int_t)(now_s + sts->lifetime_s), "jti", jti, "slot", (int)match->secret_slot,
                     "generation", generation);
}

static struct issued *find_issued(struct reader *reader, const struct pst_key_match *match)
{
    return &reader->issued[(match->generation ^ match->secret_slot) % ISSUED_PLACES];
}

static bool is_reusable(const struct issued *issued, const struct pst_key_match *match, int64_t now_s,
                        int64_t reuse_s)
{
    return issued->at_s > 0 && now_s >= issued->at_s && now_s < issued->at_s + reuse_s &&
           issued->match.generation == match->generation && issued->match.secret_slot == match->secret_slot &&
           strcmp(issued->match.id, match->id) == 0;
}

int pst_sts_issue(struct pst_sts *sts, unsigned reader, const struct pst_key_match *match,
                  int64_t now_real_us, struct pst_buf *out)
{
    const struct sts_key *key = &atomic_load(&sts->keys)->at[0];
    struct issued *issued = find_issued(&sts->readers[reader], match);
    int64_t now_s = now_real_us / 1000000;
    int64_t reuse_s = sts->lifetime_s / 10 < REUSE_S ? sts->lifetime_s / 10 : REUSE_S;
    if (is_reusable(issued, match, now_s, reuse_s))
        return pst_buf_add(out, issued->token, issued->len);
    size_t before = pst_buf_len(out);
    json_t *claims = make_claims(sts, key, match, now_s);
    int err = claims != NULL ? pst_jwt_make(key->sign, pst_str_of(key->kid), claims, out) : -PST_EIO;
    json_decref(claims);
    if (err < 0)
        return err;
    forget(issued);
    struct pst_str made = pst_str_skip(pst_buf_str(out), before);
    issued->token = malloc(made.len);
    if (issued->token == NULL)
        return 0; /* it is only not remembered */
    memcpy(issued->token, made.p, made.len);
    issued->len = made.len;
    issued->match = *match;
    issued->at_s = now_s;
    return 0;
}

/* Checking */

/* Every claim was written by us: what is not as it should be is a forgery that the signature has let pass,
 * that is, another program's token under our key. */
static bool read_match(const struct pst_jwt *jwt, const struct sts_key *key, struct pst_key_match *ret)
{
    struct pst_key_match match = {0};
    uint8_t bytes[8];
    struct pst_str jti = pst_str_of(json_string_value(json_object_get(jwt->claims, "jti")));
    struct pst_str generation = pst_str_of(json_string_value(json_object_get(jwt->claims, "generation")));
    json_int_t slot = json_integer_value(json_object_get(jwt->claims, "slot"));
    if (!pst_key_is_id(jwt->subject) || slot < 1 || slot > 2 || jti.len != JTI_LEN || generation.len != 16 ||
        pst_hex_decode(generation, bytes, sizeof(bytes)) < 0)
        return false;
    pst_str_clip(jwt->subject, match.id, sizeof(match.id));
    match.number = pst_key_id_number(jwt->subject);
    match.secret_slot = (uint8_t)slot;
    for (size_t i = 0; i < sizeof(bytes); i++)
        match.generation = match.generation << 8 | bytes[i];
    match.generation ^= mask_of(key, jti);
    match.has_policy = true; /* it may have one: it is asked */
    *ret = match;
    return true;
}

static enum pst_jwt_verdict check_parsed(const struct sts_key *key, const struct pst_jwt *jwt, int64_t now_s,
                                         struct pst_key_match *ret_match)
{
    enum pst_jwt_verdict verdict = pst_jws_verify(&jwt->jws, PST_ALG_ES256, key->verify);
    if (verdict == PST_JWT_OK && !pst_str_eq(jwt->issuer, PST_STR(ISSUER)))
        verdict = PST_JWT_ISSUER;
    if (verdict == PST_JWT_OK)
        verdict = pst_jwt_check_times(jwt, now_s, LEEWAY_S);
    if (verdict == PST_JWT_OK && !read_match(jwt, key, ret_match))
        verdict = PST_JWT_CLAIM;
    return verdict;
}

enum pst_jwt_verdict pst_sts_check(struct pst_sts *sts, unsigned reader, struct pst_str token,
                                   int64_t now_real_us, struct pst_key_match *ret_match,
                                   int64_t *ret_good_until_s)
{
    struct pst_token_cache *cache = sts->readers[reader].cache;
    int64_t now_s = now_real_us / 1000000;
    const struct pst_token_verdict *known = pst_token_cache_find(cache, token, now_s);
    if (known != NULL) {
        *ret_match = known->match;
        *ret_good_until_s = known->good_until_s;
        return PST_JWT_OK;
    }
    struct pst_jwt jwt;
    const struct sts_key *key = sts_keys_find(atomic_load(&sts->keys), token);
    if (key == NULL)
        return PST_JWT_NO_KEY;
    enum pst_jwt_verdict verdict = pst_jwt_parse(token, &jwt);
    if (verdict != PST_JWT_OK)
        return verdict;
    struct pst_token_verdict good = {.good_until_s = jwt.expires_s + LEEWAY_S};
    verdict = check_parsed(key, &jwt, now_s, &good.match);
    pst_jwt_done(&jwt);
    if (verdict != PST_JWT_OK)
        return verdict;
    pst_token_cache_put(cache, token, &good);
    *ret_match = good.match;
    *ret_good_until_s = good.good_until_s;
    return PST_JWT_OK;
}

int pst_sts_publish(const struct pst_sts *sts, struct pst_buf *out)
{
    return sts_keys_publish(atomic_load(&sts->keys), out);
}
