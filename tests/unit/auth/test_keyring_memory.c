/* SPDX-License-Identifier: Apache-2.0 */
/* The keyring without memory, at each allocation in turn; and that what was replaced is given back. The calls
 * to the allocator in our code are wrapped at link time (SQLite's are its own). */
#include "postern/auth/keyring.h"

#include "postern/base/log.h"
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AZURE  "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define DAY_US (INT64_C(86400) * 1000000)

static long fail_at = -1; /* the allocation that fails: 0 is the next one */
static long live;         /* blocks allocated and not freed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    if (fails())
        return NULL;
    live++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    live++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    live += block == NULL;
    return __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    if (fails())
        return NULL;
    live++;
    return __real_aligned_alloc(alignment, size);
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}

static enum pst_key_verdict check(struct pst_keyring *ring, struct pst_str presented)
{
    struct pst_key_match match;
    pst_keyring_reader_enter(ring, 0);
    enum pst_key_verdict verdict = pst_keyring_check(ring, 0, presented, 1, &match);
    pst_keyring_reader_idle(ring, 0);
    return verdict;
}

/* Refreshes with the n-th allocation failing, for n = 0, 1, ... until one passes; the keys as they were stay
 * in force, and not a block is lost. Returns how many failed. */
static int refresh_until_it_passes(struct pst_keyring *ring, struct pst_str known)
{
    for (int n = 0; n < 10000; n++) {
        long before = live;
        fail_at = n;
        int result = pst_keyring_refresh(ring);
        bool spared = fail_at >= 0;
        fail_at = -1;
        assert_int_equal(check(ring, known), PST_KEY_OK);
        if (spared) {
            assert_int_equal(result, 1);
            return n;
        }
        assert_int_equal(result, -PST_ENOMEM);
        assert_int_equal(live, before);
    }
    fail_msg("it never passed");
    return 0;
}

static void test_refresh(void **state)
{
    (void)state;
    struct rig rig;
    struct pst_keyring *ring;
    struct pst_why why;
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    struct pst_key_made known = rig_make(keys, "known"), gone = rig_make(keys, "gone");
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 1), 0);
    pst_log_setup(PST_LOG_ERROR, PST_LOG_TEXT);
    struct pst_key_made made = rig_make(keys, "new"), imported = rig_import(keys, "imported", AZURE, NULL);
    rig_rotate(keys, made.id, 1, DAY_US);
    rig_rotate(keys, imported.id, 1, DAY_US);
    assert_int_equal(pst_keys_remove(keys, pst_str_of(gone.id), &why), 0);
    int failed = refresh_until_it_passes(ring, pst_secret_str(&known.secrets[0]));
    assert_true(failed > 10);
    assert_int_equal(check(ring, pst_secret_str(&made.secrets[0])), PST_KEY_OK);
    assert_int_equal(check(ring, PST_STR(AZURE)), PST_KEY_OK);
    assert_int_equal(check(ring, pst_secret_str(&gone.secrets[0])), PST_KEY_UNKNOWN);
    struct pst_keyring_stats stats;
    pst_keyring_stats(ring, &stats);
    assert_int_equal(stats.keys, 3);
    assert_int_equal(stats.refresh_errors, failed);
    assert_false(stats.stale);
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

static void test_open(void **state)
{
    (void)state;
    struct rig rig;
    struct pst_keyring *ring = NULL;
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    rig_make(keys, "a");
    rig_import(keys, "b", AZURE, NULL);
    pst_log_setup(PST_LOG_ERROR, PST_LOG_TEXT);
    int n = 0;
    for (; n < 1000; n++) {
        long before = live;
        fail_at = n;
        int result = pst_keyring_open(&ring, rig.dir, 1);
        bool spared = fail_at >= 0;
        fail_at = -1;
        if (spared) {
            assert_int_equal(result, 0);
            break;
        }
        assert_int_equal(result, -PST_ENOMEM);
        assert_null(ring);
        assert_int_equal(live, before);
    }
    assert_true(n > 5 && n < 1000);
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

/* While a reader is inside, what it may see is kept; when it has moved on, a refresh gives all of it back. */
static void test_reclaimed(void **state)
{
    (void)state;
    struct rig rig;
    struct pst_keyring *ring;
    rig_init(&rig);
    struct pst_keys *keys = rig_keys(&rig);
    struct pst_key_made made = rig_make(keys, "a");
    assert_int_equal(pst_keyring_open(&ring, rig.dir, 2), 0);
    rig_rotate(keys, made.id, 1, 0);
    assert_int_equal(pst_keyring_refresh(ring), 1);
    long base = live;
    pst_keyring_reader_enter(ring, 0);
    for (int i = 0; i < 20; i++) {
        rig_rotate(keys, made.id, 1, 0);
        assert_int_equal(pst_keyring_refresh(ring), 1);
    }
    assert_true(live >= base + 20);
    pst_keyring_reader_enter(ring, 0); /* the next turn of its loop */
    assert_int_equal(pst_keyring_refresh(ring), 0);
    assert_int_equal(live, base);
    rig_rotate(keys, made.id, 1, 0);
    assert_int_equal(pst_keyring_refresh(ring), 1);
    assert_true(live > base);
    pst_keyring_reader_idle(ring, 0);
    assert_int_equal(pst_keyring_refresh(ring), 0);
    assert_int_equal(live, base);
    pst_keyring_free(ring);
    pst_keys_service_close(keys);
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_reclaimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
