/* SPDX-License-Identifier: Apache-2.0 */
/* A million keys: all of them come back, and how long writing and loading took (printed, not judged: the
 * machine decides). Fewer under a sanitizer. */
#include "postern/base/clock.h"
#include "postern/db/keys_store.h"
#include "scratch.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEYS 50000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEYS 50000u
#endif
#endif
#ifndef KEYS
#define KEYS 1000000u
#endif

static void import_all(struct pst_keys_store *store)
{
    assert_int_equal(pst_keys_begin(store), 0);
    for (uint32_t i = 0; i < KEYS; i++) {
        char id[16], last4[8];
        snprintf(id, sizeof(id), "%012x", i * 2654435761u);
        snprintf(last4, sizeof(last4), "%04u", i % 10000);
        struct pst_key_row row = {
            .id = {id, 12},
            .name = PST_STR("one of very many"),
            .created_us = 1800000000000000,
            .slot = {{.digest = {.set = true}, .prefix = PST_STR("ps_0123456789ab"), .last4 = {last4, 4}},
                     {.digest = {.set = true}, .prefix = PST_STR("ps_0123456789ab"), .last4 = {last4, 4}}},
        };
        for (size_t at = 0; at < PST_KEYS_DIGEST_BYTES; at++) {
            row.slot[0].digest.bytes[at] = (uint8_t)(i >> at % 24);
            row.slot[1].digest.bytes[at] = (uint8_t)(i * 7 + at);
        }
        assert_int_equal(pst_keys_create(store, &row), 0);
    }
    assert_int_equal(pst_keys_commit(store), 0);
}

struct sum {
    uint32_t n;
    uint64_t bytes;
};

static int add(const struct pst_key_row *row, void *arg)
{
    struct sum *sum = arg;
    sum->n++;
    sum->bytes += row->id.len + row->slot[0].digest.bytes[3] + row->slot[1].digest.bytes[0];
    return 0;
}

static void test_million(void **state)
{
    struct pst_keys_store *store = NULL;
    struct sum sum = {0};
    uint64_t seq = 0, begin = pst_clock_mono_us();
    assert_int_equal(pst_keys_open(*state, PST_DB_WRITE, &store, NULL), 0);
    import_all(store);
    pst_keys_close(store);
    uint64_t written = pst_clock_mono_us();
    assert_int_equal(pst_keys_open(*state, PST_DB_WRITE, &store, NULL), 0);
    uint64_t load = pst_clock_mono_us();
    assert_int_equal(pst_keys_load(store, add, &sum, &seq), 0);
    uint64_t loaded = pst_clock_mono_us();
    assert_int_equal(sum.n, KEYS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pst_keys_changed(store, seq), 0);
    uint64_t asked = pst_clock_mono_us();
    printf("%u keys: written in %.2f s, loaded in %.2f s; \"anything new?\" takes %.1f us\n", KEYS,
           (double)(written - begin) / 1e6, (double)(loaded - load) / 1e6, (double)(asked - loaded) / 1e3);
    pst_keys_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {scratch_test(test_million)};
    return cmocka_run_group_tests_name("a million keys", tests, NULL, NULL);
}
