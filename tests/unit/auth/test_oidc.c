/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that check tokens while the issuer's keys change under them, and what a check costs beside that of
 * a key. That a set is freed too early, or read without order, shows under the sanitizers. */
#include "rig.h"
#include "token_rig.h"

#include "postern/auth/keyring.h"
#include "postern/auth/oidc.h"
#include "postern/base/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define READERS 3
#define CHANGES 4
#define NOW_US  (INT64_C(1000) * 1000000)
#define HEADER  "{\"alg\":\"ES256\",\"kid\":\"one\"}"
#define CLAIMS  "\"iss\":\"urn:a\",\"aud\":\"us\",\"exp\":2000}"

static struct rig rig;
static struct token_rig stable, first, second;
static struct pst_issuers *issuers;
static struct pst_oidc *oidc;
static struct pst_keyring *ring;
static struct pst_key_made key;
static atomic_bool stop;

static void no_problem(void *arg, const char *setting, const char *problem)
{
    (void)arg;
    fail_msg("%s: %s", setting, problem);
}

/* The set: the stable key as "one", and the other one as "two". */
static void write_set(const struct token_rig *other)
{
    struct pst_buf text;
    pst_buf_init(&text, 4096);
    pst_buf_add_cstr(&text, "{\"keys\":[");
    assert_int_equal(pst_jwk_write(stable.key, PST_STR("one"), &text), 0);
    pst_buf_add_cstr(&text, ",");
    assert_int_equal(pst_jwk_write(other->key, PST_STR("two"), &text), 0);
    pst_buf_add_cstr(&text, "]}");
    rig_write(&rig, "next", pst_buf_front(&text), pst_buf_len(&text), 0600);
    pst_buf_done(&text);
    char next[300];
    snprintf(next, sizeof(next), "%s", rig_path(&rig, "next"));
    assert_int_equal(rename(next, rig_path(&rig, "keys.json")), 0);
}

static int set_up(void **state)
{
    (void)state;
    char issuer[400], rule[100];
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    key = rig_make(keys, "one");
    pst_keys_service_close(keys);
    token_rig_open(&stable);
    token_rig_open(&first);
    token_rig_open(&second);
    write_set(&first);
    snprintf(issuer, sizeof(issuer), "urn:a jwks=%s audience=us", rig_path(&rig, "keys.json"));
    snprintf(rule, sizeof(rule), "%s sub=x", key.id);
    char *list[] = {issuer}, *rules[] = {rule};
    assert_int_equal(pst_issuers_parse(list, 1, rules, 1, no_problem, NULL, &issuers), 0);
    const struct pst_oidc_options options = {.issuers = issuers, .n_readers = READERS};
    assert_int_equal(pst_oidc_open(&options, &oidc), 0);
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pst_oidc_close(oidc);
    pst_issuers_free(issuers);
    pst_keyring_free(ring);
    token_rig_close(&stable);
    token_rig_close(&first);
    token_rig_close(&second);
    rig_done(&rig);
    return 0;
}

static enum pst_jwt_verdict check(unsigned reader, struct pst_str token, struct pst_oidc_found *found)
{
    return pst_oidc_check(oidc, reader, token, NOW_US, found);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct pst_oidc_found found;
    struct pst_str token = token_sign(&stable, HEADER, "{\"sub\":\"x\"," CLAIMS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(check(0, token, &found), PST_JWT_OK);
        assert_string_equal(found.key_id, key.id);
        assert_int_equal(found.good_until_s, 2060);
    }
    struct pst_str unmapped = token_sign(&stable, HEADER, "{\"sub\":\"y\"," CLAIMS);
    assert_int_equal(check(0, unmapped, &found), PST_JWT_NO_RULE);
    assert_int_equal(check(0, unmapped, &found), PST_JWT_NO_RULE); /* by the cache */
    assert_int_equal(check(0, token_sign(&first, HEADER, "{\"sub\":\"x\"," CLAIMS), &found),
                     PST_JWT_SIGNATURE);
    assert_int_equal(check(0, PST_STR("x"), &found), PST_JWT_PARTS);
    /* Of the time of the check, not of the first one. */
    assert_int_equal(pst_oidc_check(oidc, 0, token, INT64_C(2059999999), &found), PST_JWT_OK);
    assert_int_equal(pst_oidc_check(oidc, 0, token, INT64_C(2060000000), &found), PST_JWT_EXPIRED);
}

/* A set that nobody could read so far. */
static void test_no_keys_yet(void **state)
{
    (void)state;
    struct pst_issuers *none = NULL;
    struct pst_oidc *empty = NULL;
    struct pst_oidc_found found;
    char issuer[] = "urn:a jwks=/nonexistent/keys.json audience=us", rule[] = "aaaaaaaaaaaa *";
    char *list[] = {issuer}, *rules[] = {rule};
    assert_int_equal(pst_issuers_parse(list, 1, rules, 1, no_problem, NULL, &none), 0);
    const struct pst_oidc_options options = {.issuers = none, .n_readers = 1};
    assert_int_equal(pst_oidc_open(&options, &empty), 0);
    assert_int_equal(pst_oidc_check(empty, 0, token_sign(&stable, HEADER, "{" CLAIMS), NOW_US, &found),
                     PST_JWT_NO_KEYS_YET);
    pst_oidc_close(empty);
    pst_issuers_free(none);
}

struct reader {
    pthread_t thread;
    unsigned number;
    uint64_t checks, faults, seen_first, seen_second;
};

/* Signed before the threads start: token_sign() has one set of buffers. */
#define TOKENS 64
static char texts[3][TOKENS][1024];

static void sign_all(void)
{
    const struct token_rig *signers[] = {&stable, &first, &second};
    for (unsigned who = 0; who < 3; who++) {
        for (unsigned i = 0; i < TOKENS; i++) {
            char claims[200];
            snprintf(claims, sizeof(claims), "{\"sub\":\"x\",\"jti\":\"%u\"," CLAIMS, i);
            struct pst_str token =
                token_sign(signers[who], who == 0 ? HEADER : "{\"alg\":\"ES256\",\"kid\":\"two\"}", claims);
            assert_true(pst_str_copy(token, texts[who][i], sizeof(texts[who][i])) > 0);
        }
    }
}

static void *read_tokens(void *arg)
{
    struct reader *self = arg;
    struct pst_oidc_found found;
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        self->faults += check(self->number, pst_str_of(texts[0][i % TOKENS]), &found) != PST_JWT_OK;
        enum pst_jwt_verdict one = check(self->number, pst_str_of(texts[1][i % TOKENS]), &found);
        enum pst_jwt_verdict two = check(self->number, pst_str_of(texts[2][i % TOKENS]), &found);
        self->faults += (one != PST_JWT_OK && one != PST_JWT_SIGNATURE) ||
                        (two != PST_JWT_OK && two != PST_JWT_SIGNATURE);
        self->seen_first += one == PST_JWT_OK;
        self->seen_second += two == PST_JWT_OK;
        self->checks += 3;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct reader readers[READERS] = {0};
    uint64_t checks = 0;
    sign_all();
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_tokens, &readers[i]), 0);
    }
    for (unsigned i = 0; i < CHANGES; i++) {
        usleep(1300000); /* the file is looked at every second */
        write_set(i % 2 == 0 ? &second : &first);
    }
    usleep(1300000);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].faults, 0);
        assert_true(readers[i].seen_first > 0 && readers[i].seen_second > 0);
        checks += readers[i].checks;
    }
    print_message("%llu checks while the keys changed\n", (unsigned long long)checks);
}

static uint64_t ns_each(uint64_t start_us, unsigned rounds)
{
    return (pst_clock_mono_us() - start_us) * 1000 / rounds;
}

/* Told, not asserted: what is asserted is that each check is right. */
static void test_cost(void **state)
{
    (void)state;
    enum { hits = 200000, misses = 500 };
    struct pst_key_match match;
    struct pst_oidc_found found;
    struct pst_str token = token_sign(&stable, HEADER, "{\"sub\":\"x\"," CLAIMS),
                   secret = pst_secret_str(&key.secrets[0]);
    pst_keyring_reader_enter(ring, 0);
    uint64_t start_us = pst_clock_mono_us();
    for (unsigned i = 0; i < hits; i++)
        assert_int_equal(pst_keyring_check(ring, 0, secret, NOW_US, &match), PST_KEY_OK);
    uint64_t key_ns = ns_each(start_us, hits);
    start_us = pst_clock_mono_us();
    for (unsigned i = 0; i < hits; i++) {
        assert_int_equal(check(0, token, &found), PST_JWT_OK);
        assert_int_equal(pst_keyring_check_id(ring, 0, pst_str_of(found.key_id), NOW_US, &match), PST_KEY_OK);
    }
    uint64_t token_ns = ns_each(start_us, hits);
    pst_keyring_reader_idle(ring, 0);
    uint64_t miss_ns = 0;
    for (unsigned i = 0; i < misses; i++) {
        char claims[200];
        snprintf(claims, sizeof(claims), "{\"sub\":\"x\",\"jti\":\"cost %u\"," CLAIMS, i);
        token = token_sign(&stable, HEADER, claims);
        start_us = pst_clock_mono_us();
        assert_int_equal(check(0, token, &found), PST_JWT_OK);
        miss_ns += ns_each(start_us, 1);
    }
    print_message("a key: %llu ns; a token that is known: %llu ns; one that is not (ES256): %llu ns\n",
                  (unsigned long long)key_ns, (unsigned long long)token_ns,
                  (unsigned long long)miss_ns / misses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_no_keys_yet),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
