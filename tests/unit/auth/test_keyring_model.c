/* SPDX-License-Identifier: Apache-2.0 */
/* The keyring against a model of it that is too simple to be wrong: a list of keys, searched from its
 * beginning. Random changes through the keys service; after each refresh every secret there ever was is
 * checked, now and around each moment at which something begins or ends. MODEL_SEED in the environment
 * repeats a run. */
#include "postern/auth/keyring.h"

#include "postern/base/clock.h"
#include "postern/crypto/random.h"
#include "postern/db/keys_store.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS       400
#define KEYS_MAX    160 /* also those that were deleted */
#define SECRETS_MAX 1200
#define POOL        8  /* secrets that are imported, and again when nobody has them any more */
#define ANEW_EVERY  40 /* steps after which a second keyring loads everything */
#define READER      0
#define S           INT64_C(1000000)
#define HOUR        (3600 * S)
#define DAY         (24 * HOUR)

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* A secret of slot 1 or 2. */
struct held {
    int secret;       /* number in `secrets`; -1: none */
    int64_t until_us; /* of one that was rotated away */
};

struct model_key {
    char id[PST_KEY_ID_SIZE];
    bool deleted, disabled;
    int64_t expires_us, not_before_us;
    struct held now[2], old[2];
};

struct secret {
    char text[PST_KEY_IMPORT_MAX + 1];
    bool matched; /* `match` is what the keyring once said of it */
    struct pst_key_match match;
};

static struct rig rig;
static struct pst_keys *keys;
static struct pst_keyring *ring;
static struct model_key model[KEYS_MAX];
static int n_keys;
static struct secret secrets[SECRETS_MAX];
static int n_secrets;
static uint64_t seed, state;

/* xorshift64 (Marsaglia 2003). */
static unsigned pick(unsigned n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 20) % n);
}

static int64_t pick_time(const int64_t *choices, size_t n)
{
    int64_t choice = choices[pick((unsigned)n)];
    return choice == 0 ? 0 : pst_clock_real_us() + choice;
}

/* Times that are not near now, so that what is refused does not depend on the moment. */
static int64_t pick_expiry(void)
{
    static const int64_t choices[] = {0, 0, HOUR, 2 * DAY};
    return pick_time(choices, N(choices));
}

static int64_t pick_beginning(void)
{
    static const int64_t choices[] = {0, 0, -DAY, HOUR / 2, DAY};
    return pick_time(choices, N(choices));
}

static int add_secret(const char *text)
{
    assert_true(n_secrets < SECRETS_MAX);
    snprintf(secrets[n_secrets].text, sizeof(secrets[0].text), "%s", text);
    return n_secrets++;
}

/* The model */

static enum pst_key_verdict verdict_of(const struct model_key *key, int64_t now_us)
{
    if (key->disabled)
        return PST_KEY_DISABLED;
    if (key->expires_us != 0 && now_us >= key->expires_us)
        return PST_KEY_EXPIRED;
    return key->not_before_us != 0 && now_us < key->not_before_us ? PST_KEY_NOT_YET : PST_KEY_OK;
}

struct holder {
    const struct model_key *key;
    int slot;
    bool old;
    int64_t until_us; /* INT64_MAX: in force */
};

/* Of several that have had it: who has it now, else where it works longest. */
static struct holder holder_of(int secret)
{
    struct holder best = {.until_us = -1};
    for (int i = 0; i < n_keys; i++) {
        for (int slot = 0; slot < 2 && !model[i].deleted; slot++) {
            const struct held *old = &model[i].old[slot];
            if (model[i].now[slot].secret == secret)
                return (struct holder){&model[i], slot + 1, false, INT64_MAX};
            if (old->secret == secret && old->until_us > best.until_us)
                best = (struct holder){&model[i], slot + 1, true, old->until_us};
        }
    }
    return best;
}

static enum pst_key_verdict expected(const struct holder *holder, int64_t now_us)
{
    if (holder->key == NULL)
        return PST_KEY_UNKNOWN;
    enum pst_key_verdict verdict = verdict_of(holder->key, now_us);
    return verdict == PST_KEY_OK && now_us >= holder->until_us ? PST_KEY_EXPIRED : verdict;
}

static const struct model_key *key_of(const char *id)
{
    for (int i = 0; i < n_keys; i++) {
        if (strcmp(model[i].id, id) == 0 && !model[i].deleted)
            return &model[i];
    }
    return NULL;
}

/* What pst_keyring_still_valid() is to say of a match from some earlier time. */
static enum pst_key_verdict expected_still(int secret, const struct pst_key_match *match, int64_t now_us)
{
    const struct model_key *key = key_of(match->id);
    int slot = match->secret_slot - 1;
    if (key == NULL)
        return PST_KEY_UNKNOWN;
    if (key->now[slot].secret == secret)
        return verdict_of(key, now_us);
    if (key->old[slot].secret != secret)
        return PST_KEY_UNKNOWN;
    return now_us >= key->old[slot].until_us ? PST_KEY_EXPIRED : verdict_of(key, now_us);
}

/* Comparing */

static void differ(int secret, int64_t now_us, const char *what, enum pst_key_verdict got,
                   enum pst_key_verdict wanted)
{
    fail_msg("MODEL_SEED=%llu: secret %d at now%+lld us: %s says %s, the model %s", (unsigned long long)seed,
             secret, (long long)(now_us - pst_clock_real_us()), what, pst_key_verdict_text(got),
             pst_key_verdict_text(wanted));
}

/* One whose end has passed may be gone from the store, and so from a keyring that has read the key since:
 * which refusal it gets is not said. */
static bool is_over(int64_t until_us)
{
    return until_us <= pst_clock_real_us();
}

static void compare_still(struct pst_keyring *with, int secret, int64_t now_us)
{
    const struct pst_key_match *match = &secrets[secret].match;
    enum pst_key_verdict got = pst_keyring_still_valid(with, READER, match, now_us);
    enum pst_key_verdict wanted = expected_still(secret, match, now_us);
    const struct model_key *key = key_of(match->id);
    bool old = key != NULL && key->now[match->secret_slot - 1].secret != secret;
    if (old && is_over(key->old[match->secret_slot - 1].until_us) && got != PST_KEY_OK)
        return;
    if (got != wanted)
        differ(secret, now_us, "still_valid", got, wanted);
}

static void compare_at(struct pst_keyring *with, int secret, int64_t now_us)
{
    struct pst_key_match match;
    struct holder holder = holder_of(secret);
    struct secret *s = &secrets[secret];
    enum pst_key_verdict wanted = expected(&holder, now_us);
    enum pst_key_verdict got = pst_keyring_check(with, READER, pst_str_of(s->text), now_us, &match);
    if (s->matched)
        compare_still(with, secret, now_us);
    if (holder.old && is_over(holder.until_us) && got != PST_KEY_OK)
        return;
    if (got != wanted)
        differ(secret, now_us, "check", got, wanted);
    assert_string_equal(match.id, holder.key != NULL ? holder.key->id : "");
    assert_int_equal(match.secret_slot, holder.slot);
    assert_int_equal(match.old_secret, holder.old);
    if (holder.key != NULL && pick(4) == 0) {
        s->match = match;
        s->matched = true;
    }
}

static void compare_around(struct pst_keyring *with, int secret, int64_t moment_us)
{
    for (int64_t us = -1; us <= 1 && moment_us > 0 && moment_us != INT64_MAX; us++)
        compare_at(with, secret, moment_us + us);
}

static void compare(struct pst_keyring *with)
{
    size_t living = 0;
    struct pst_keyring_stats stats;
    pst_keyring_reader_enter(with, READER);
    for (int i = 0; i < n_secrets; i++) {
        struct holder holder = holder_of(i);
        compare_at(with, i, pst_clock_real_us());
        if (holder.old && is_over(holder.until_us))
            continue;
        compare_around(with, i, holder.until_us);
        compare_around(with, i, holder.key != NULL ? holder.key->expires_us : 0);
        compare_around(with, i, holder.key != NULL ? holder.key->not_before_us : 0);
    }
    pst_keyring_reader_idle(with, READER);
    for (int i = 0; i < n_keys; i++)
        living += !model[i].deleted;
    pst_keyring_stats(with, &stats);
    assert_int_equal(stats.keys, living);
}

/* What the incremental keyring has, one that loads everything has, too. */
static void compare_anew(void)
{
    struct pst_keyring *other = NULL;
    assert_int_equal(pst_keyring_open(&other, rig.dir, 1), 0);
    compare(other);
    pst_keyring_free(other);
}

/* Changes, each made to both */

static struct model_key *add_key(const struct pst_key_made *made, const struct pst_key_new *request)
{
    struct model_key *key = &model[n_keys++];
    *key = (struct model_key){.expires_us = request->expires_us, .not_before_us = request->not_before_us};
    snprintf(key->id, sizeof(key->id), "%s", made->id);
    for (int i = 0; i < 2; i++)
        key->now[i].secret = key->old[i].secret = -1;
    return key;
}

static struct pst_key_new new_request(void)
{
    struct pst_key_new request = {.name = PST_STR("a key"), .expires_us = pick_expiry()};
    request.not_before_us = pick_beginning();
    return request;
}

static bool never_works(int64_t expires_us, int64_t not_before_us)
{
    return expires_us != 0 && not_before_us >= expires_us;
}

static void create(void)
{
    struct pst_key_new request = new_request();
    struct pst_key_made made;
    struct pst_why why = {0};
    bool bad = never_works(request.expires_us, request.not_before_us);
    if (n_keys == KEYS_MAX)
        return;
    assert_int_equal(pst_keys_make(keys, &request, &made, &why), bad ? -PST_EINVAL : 0);
    if (bad)
        return;
    struct model_key *key = add_key(&made, &request);
    for (int i = 0; i < 2; i++)
        key->now[i].secret = add_secret(made.secrets[i].text);
}

static bool is_taken(int secret)
{
    return holder_of(secret).until_us > pst_clock_real_us();
}

static void import(void)
{
    struct pst_key_new request = new_request();
    struct pst_key_made made;
    struct pst_why why = {0};
    int first = (int)pick(POOL), second = pick(3) == 0 ? (int)pick(POOL) : -1;
    request.imports[0] = pst_str_of(secrets[first].text);
    request.imports[1] = pst_str_of(second >= 0 ? secrets[second].text : NULL);
    bool bad = never_works(request.expires_us, request.not_before_us) || first == second;
    bool taken = is_taken(first) || (second >= 0 && is_taken(second));
    if (n_keys == KEYS_MAX)
        return;
    int err = pst_keys_make(keys, &request, &made, &why);
    assert_int_equal(err, bad ? -PST_EINVAL : taken ? -PST_EEXIST : 0);
    if (err < 0)
        return;
    struct model_key *key = add_key(&made, &request);
    key->now[0].secret = first;
    key->now[1].secret = second;
}

/* One of the keys, a deleted one now and then; NULL: there is none. */
static struct model_key *any_key(void)
{
    if (n_keys == 0)
        return NULL;
    struct model_key *key = &model[pick((unsigned)n_keys)];
    return key->deleted && pick(8) != 0 ? &model[n_keys - 1] : key;
}

/* Until when the store says that the old secret works. */
static int64_t stored_until(const struct model_key *key, int slot)
{
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 4096, 65536);
    assert_int_equal(pst_keys_get(pst_keys_service_store(keys), pst_str_of(key->id), &arena, &row), 0);
    int64_t until_us = row.slot[slot].old_valid_until_us;
    pst_arena_done(&arena);
    return until_us;
}

static void note_rotation(struct model_key *key, int slot, int64_t grace_us, int64_t before_us)
{
    struct held *old = &key->old[slot];
    *old = (struct held){.secret = -1};
    if (grace_us == 0 || key->now[slot].secret < 0)
        return;
    *old = (struct held){.secret = key->now[slot].secret, .until_us = stored_until(key, slot)};
    assert_in_range(old->until_us, before_us + grace_us, pst_clock_real_us() + grace_us);
}

static void rotate(struct model_key *key)
{
    static const int64_t graces[] = {0, 1, HOUR, 30 * DAY};
    int64_t grace_us = graces[pick(N(graces))], before_us = pst_clock_real_us();
    int slot = (int)pick(2);
    struct pst_secret made = {0};
    struct pst_why why = {0};
    int err = pst_keys_rotate(keys, pst_str_of(key->id), slot + 1, grace_us, &made, &why);
    assert_int_equal(err, key->deleted ? -PST_ENOENT : 0);
    if (err < 0)
        return;
    note_rotation(key, slot, grace_us, before_us);
    key->now[slot].secret = add_secret(made.text);
    while (pst_clock_real_us() <= before_us + 2) /* a grace period of a microsecond is over */
        ;
}

static void revoke(struct model_key *key)
{
    struct pst_why why = {0};
    int slot = (int)pick(2);
    int err = pst_keys_revoke(keys, pst_str_of(key->id), slot + 1, &why);
    assert_int_equal(err, key->deleted ? -PST_ENOENT : 0);
    key->now[slot].secret = key->old[slot].secret = -1;
}

static void enable(struct model_key *key)
{
    struct pst_why why = {0};
    bool enabled = pick(2) == 0;
    int err = pst_keys_enable(keys, pst_str_of(key->id), enabled, &why);
    assert_int_equal(err, key->deleted ? -PST_ENOENT : 0);
    key->disabled = !enabled;
}

static void change_times(struct model_key *key)
{
    unsigned what = pick(2) == 0 ? PST_KEYS_SET_EXPIRES : PST_KEYS_SET_NOT_BEFORE;
    what |= pick(3) == 0 ? PST_KEYS_SET_EXPIRES | PST_KEYS_SET_NOT_BEFORE : 0;
    struct model_key then = *key;
    struct pst_why why = {0};
    if ((what & PST_KEYS_SET_EXPIRES) != 0)
        then.expires_us = pick_expiry();
    if ((what & PST_KEYS_SET_NOT_BEFORE) != 0)
        then.not_before_us = pick_beginning();
    const struct pst_key_row row = {
        .id = pst_str_of(key->id), .expires_us = then.expires_us, .not_before_us = then.not_before_us};
    bool bad = never_works(then.expires_us, then.not_before_us);
    int err = pst_keys_change(keys, &row, what, 0, &why);
    /* Which of the two is said first, when both are so, is the service's own affair. */
    assert_true(err == 0 ? !key->deleted && !bad
                         : (err == -PST_ENOENT && key->deleted) || (err == -PST_EINVAL && bad));
    if (err == 0)
        *key = then;
}

static void delete_key(struct model_key *key)
{
    struct pst_why why = {0};
    int err = pst_keys_remove(keys, pst_str_of(key->id), &why);
    assert_int_equal(err, key->deleted ? -PST_ENOENT : 0);
    key->deleted = true;
}

/* Takes away only what has no effect any more. */
static void purge(void)
{
    assert_true(pst_keys_purge(pst_keys_service_store(keys), pst_clock_real_us()) >= 0);
}

static void change_something(void)
{
    static void (*const changes[])(struct model_key * key) = {rotate, rotate, rotate,       revoke,
                                                              enable, enable, change_times, delete_key};
    unsigned kind = pick(12);
    struct model_key *key = any_key();
    if (kind < 2 || key == NULL)
        create();
    else if (kind < 4)
        import();
    else if (kind == 4)
        purge();
    else
        changes[pick(N(changes))](key);
}

static void begin(void)
{
    const char *given = getenv("MODEL_SEED");
    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    else
        assert_int_equal(pst_random_bytes(&seed, sizeof(seed)), 0);
    state = seed != 0 ? seed : 1;
    print_message("MODEL_SEED=%llu\n", (unsigned long long)seed);
    rig_init(&rig);
    keys = rig_keys(&rig);
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
    for (int i = 0; i < POOL; i++) {
        char text[40];
        snprintf(text, sizeof(text), "an-imported-secret-%016d", i);
        add_secret(text);
    }
}

static void test_random_changes(void **unused)
{
    (void)unused;
    begin();
    for (int step = 1; step <= STEPS; step++) {
        change_something();
        if (pick(3) == 0)
            continue; /* several changes at once */
        assert_true(pst_keyring_refresh(ring) >= 0);
        compare(ring);
        if (step % ANEW_EVERY < 2)
            compare_anew();
    }
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
