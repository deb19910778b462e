/* SPDX-License-Identifier: Apache-2.0 */
/* A million keys: how long they take to load, what they take in memory, what a check and a change cost.
 * POSTERN_SCALE_KEYS sets another number; under a sanitizer it is a tenth. Times are printed and only held
 * against each other. */
#include "postern/auth/keyring.h"

#include "postern/auth/pepper.h"
#include "postern/base/num.h"
#include "rig.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define SAMPLE      10000 /* keys whose secrets are known here */
#define IMPORTED_OF 10    /* every tenth of them is imported */
#define PER_KEY_MAX 160   /* bytes */
#define ROUNDS      20
#define CHECK_FACTOR                                                                                         \
    40 /* a check among a million keys against one among ten: cold caches are in it, which others on the     \
          machine make colder; whatever looked at all keys would take ten thousand times as long */
#define CHANGE_PART 10 /* a change must not cost what loading all costs, nor a tenth of it */

static struct pst_secret *sample;
static struct pst_hmac_key hmac;

static uint64_t key_count(void)
{
    const char *text = getenv("POSTERN_SCALE_KEYS");
    uint64_t n = SANITIZED ? 100000 : 1000000;
    if (text != NULL)
        assert_int_equal(pst_num_u64(pst_str_of(text), &n), 0);
    return n;
}

/* Numbers spread over all ids, always the same ones. */
static uint64_t mix(uint64_t i)
{
    i = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    i = (i ^ (i >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (i ^ (i >> 27)) % UINT64_C(4738381338321616896);
}

static struct pst_key_slot slot_of(const struct pst_secret *secret, uint64_t number, bool imported)
{
    struct pst_key_slot slot = {.digest.set = true, .imported = imported, .created_us = 1};
    if (secret != NULL)
        pst_hmac_sha256(&hmac, pst_secret_str(secret), slot.digest.bytes);
    else
        memcpy(slot.digest.bytes, &number, sizeof(number));
    slot.prefix = PST_STR("ps_xxxxxxxxxxxx_");
    slot.last4 = PST_STR("abcd");
    return slot;
}

/* Key `i` of `n`. One of every n / SAMPLE has a secret we know. */
static void add_key(struct pst_keys_store *store, uint64_t i, uint64_t n, size_t *n_known)
{
    char id[PST_KEY_ID_SIZE];
    struct pst_secret *secret = NULL;
    pst_key_id_text(mix(i), id);
    bool imported = false;
    if (i % (n / SAMPLE > 0 ? n / SAMPLE : 1) == 0 && *n_known < SAMPLE) {
        secret = &sample[(*n_known)++];
        imported = *n_known % IMPORTED_OF == 0;
        if (imported)
            secret->len =
                (size_t)snprintf(secret->text, sizeof(secret->text), "imported-secret-%zu", *n_known);
        else
            assert_int_equal(pst_key_make_secret(id, secret), 0);
    }
    const struct pst_key_row row = {
        .id = pst_str_of(id),
        .name = PST_STR("one of very many"),
        .created_us = 1,
        .slot = {slot_of(secret, i, imported), slot_of(NULL, ~i, false)},
    };
    assert_int_equal(pst_keys_create(store, &row), 0);
}

static size_t fill(const struct rig *rig, uint64_t n)
{
    struct pst_keys *keys = rig_keys(rig);
    struct pst_keys_store *store = pst_keys_service_store(keys);
    struct pst_pepper pepper;
    struct pst_why why;
    size_t n_known = 0;
    assert_int_equal(pst_pepper_load(rig->dir, false, &pepper, &why), 0);
    pst_pepper_derive(&pepper, PST_KEY_DIGEST_PURPOSE, &hmac);
    assert_int_equal(pst_keys_begin(store), 0);
    for (uint64_t i = 0; i < n; i++)
        add_key(store, i, n, &n_known);
    assert_int_equal(pst_keys_commit(store), 0);
    pst_keys_service_close(keys);
    return n_known;
}

/* Of this thread: what else the machine does must not count. */
static uint64_t cpu_us(void)
{
    struct timespec ts;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Nanoseconds a check of each known key, in turn, the fastest of some rounds. */
static double check_ns(struct pst_keyring *ring, size_t n_known)
{
    double best = 1e9;
    pst_keyring_reader_enter(ring, 0);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start_us = cpu_us();
        size_t done = 0;
        for (; done < SAMPLE; done++) {
            struct pst_key_match match;
            const struct pst_secret *secret = &sample[done % n_known];
            assert_int_equal(pst_keyring_check(ring, 0, pst_secret_str(secret), 1, &match), PST_KEY_OK);
        }
        double ns = (double)(cpu_us() - start_us) * 1000 / (double)done;
        best = ns < best ? ns : best;
    }
    pst_keyring_reader_idle(ring, 0);
    return best;
}

struct measured {
    double load_ms, check_ns, change_ms, bytes_a_key, heap_a_key;
};

static struct measured measure(uint64_t n)
{
    struct rig rig;
    struct measured m;
    struct pst_keyring *ring;
    struct pst_keyring_stats stats;
    rig_init(&rig);
    size_t n_known = fill(&rig, n);
    size_t heap_before = mallinfo2().uordblks + mallinfo2().hblkhd;
    uint64_t start_us = cpu_us();
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
    m.load_ms = (double)(cpu_us() - start_us) / 1000;
    pst_keyring_stats(ring, &stats);
    assert_true(stats.keys == n);
    m.bytes_a_key = (double)stats.bytes / (double)n;
    m.heap_a_key = (double)(mallinfo2().uordblks + mallinfo2().hblkhd - heap_before) / (double)n;
    m.check_ns = check_ns(ring, n_known);
    struct pst_keys *keys = rig_keys(&rig);
    rig_make(keys, "one more");
    start_us = cpu_us();
    assert_int_equal(pst_keyring_refresh(ring), 1);
    m.change_ms = (double)(cpu_us() - start_us) / 1000;
    print_message(
        "%llu keys: loaded in %.0f ms, %.0f bytes a key (%.0f with SQLite and malloc), a check %.0f ns, "
        "one change taken in within %.2f ms\n",
        (unsigned long long)n, m.load_ms, m.bytes_a_key, m.heap_a_key, m.check_ns, m.change_ms);
    pst_keys_service_close(keys);
    pst_keyring_free(ring);
    pst_hmac_key_done(&hmac);
    rig_done(&rig);
    return m;
}

static void test_scale(void **state)
{
    (void)state;
    sample = calloc(SAMPLE, sizeof(*sample));
    assert_non_null(sample);
    struct measured few = measure(10), many = measure(key_count());
    free(sample);
    assert_true(many.bytes_a_key < PER_KEY_MAX);
    if (SANITIZED)
        return;
    assert_true(many.check_ns < few.check_ns * CHECK_FACTOR);
    assert_true(many.change_ms * CHANGE_PART < many.load_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
