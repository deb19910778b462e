/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of verified tokens: what it finds, what it must not, how it forgets, and what a hit costs. */
#include "postern/auth/token_cache.h"

#include "postern/auth/jwt.h"
#include "postern/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN_LEN 1200

static struct pst_token_cache *cache;

static int open_cache(void **state)
{
    (void)state;
    return pst_token_cache_new(&cache);
}

static int close_cache(void **state)
{
    (void)state;
    pst_token_cache_free(cache);
    return 0;
}

static struct pst_str token_of(unsigned number, char text[static TOKEN_LEN + 1])
{
    memset(text, 'a', TOKEN_LEN);
    snprintf(text + TOKEN_LEN - 20, 21, "%020u", number);
    return (struct pst_str){text, TOKEN_LEN};
}

static void put(struct pst_str token, const char *id, int64_t until_s)
{
    struct pst_token_verdict verdict = {.good_until_s = until_s, .source = 3, .generation = 9};
    snprintf(verdict.match.id, sizeof(verdict.match.id), "%s", id);
    pst_token_cache_put(cache, token, &verdict);
}

static void test_finds(void **state)
{
    (void)state;
    char text[TOKEN_LEN + 1];
    struct pst_str token = token_of(1, text);
    assert_null(pst_token_cache_find(cache, token, 0));
    put(token, "aaaaaaaaaaaa", 100);
    const struct pst_token_verdict *found = pst_token_cache_find(cache, token, 99);
    assert_non_null(found);
    assert_string_equal(found->match.id, "aaaaaaaaaaaa");
    assert_int_equal(found->source, 3);
    assert_int_equal(found->generation, 9);
    /* The same token again replaces what was known. */
    put(token, "bbbbbbbbbbbb", 200);
    assert_string_equal(pst_token_cache_find(cache, token, 199)->match.id, "bbbbbbbbbbbb");
    /* Over; and then gone, even for a clock that was set back. */
    assert_null(pst_token_cache_find(cache, token, 200));
    assert_null(pst_token_cache_find(cache, token, 100));
}

/* The same signature under other claims is another token; each byte counts. */
static void test_compares_whole(void **state)
{
    (void)state;
    char text[TOKEN_LEN + 1], other[TOKEN_LEN + 1];
    put(token_of(1, text), "aaaaaaaaaaaa", 100);
    for (size_t at = 0; at < TOKEN_LEN; at++) {
        struct pst_str changed = token_of(1, other);
        other[at] ^= 1;
        assert_null(pst_token_cache_find(cache, changed, 0));
    }
    for (size_t len = 0; len < TOKEN_LEN; len++) {
        assert_null(pst_token_cache_find(cache, (struct pst_str){text, len}, 0));
        assert_null(pst_token_cache_find(cache, (struct pst_str){text + TOKEN_LEN - len, len}, 0));
    }
    assert_non_null(pst_token_cache_find(cache, token_of(1, other), 0));
}

/* Ten times more tokens than there is room for: the newest is always there, many others, never a wrong one.
 */
static void test_bounded(void **state)
{
    (void)state;
    char text[TOKEN_LEN + 1], id[PST_KEY_ID_SIZE];
    for (unsigned i = 0; i < 10 * PST_TOKEN_CACHE_ENTRIES; i++) {
        snprintf(id, sizeof(id), "%012u", i);
        put(token_of(i, text), id, 100);
        const struct pst_token_verdict *found = pst_token_cache_find(cache, token_of(i, text), 0);
        assert_non_null(found);
        assert_string_equal(found->match.id, id);
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 10 * PST_TOKEN_CACHE_ENTRIES; i++) {
        const struct pst_token_verdict *found = pst_token_cache_find(cache, token_of(i, text), 0);
        snprintf(id, sizeof(id), "%012u", i);
        if (found)
            assert_string_equal(found->match.id, id);
        kept += found != NULL;
    }
    assert_true(kept <= PST_TOKEN_CACHE_ENTRIES && kept > PST_TOKEN_CACHE_ENTRIES * 9 / 10);
}

/* Of tokens as long as they may be, fewer fit; the newest is always there. */
static void test_bytes(void **state)
{
    (void)state;
    static char text[PST_JWT_MAX];
    unsigned n = 0;
    assert_int_equal(pst_token_cache_bytes(cache), 0);
    for (unsigned i = 0; i < PST_TOKEN_CACHE_ENTRIES; i++) {
        size_t len = i % 2 != 0 ? sizeof(text) : 1500;
        memset(text, 'a', sizeof(text));
        snprintf(text + len - 21, 21, "%020u", i);
        struct pst_str token = {text, len};
        put(token, "aaaaaaaaaaaa", 100);
        assert_non_null(pst_token_cache_find(cache, token, 0));
        assert_in_range(pst_token_cache_bytes(cache), len, PST_TOKEN_CACHE_BYTES);
    }
    for (unsigned i = 0; i < PST_TOKEN_CACHE_ENTRIES; i++) {
        size_t len = i % 2 != 0 ? sizeof(text) : 1500;
        memset(text, 'a', sizeof(text));
        snprintf(text + len - 21, 21, "%020u", i);
        n += pst_token_cache_find(cache, (struct pst_str){text, len}, 0) != NULL;
        /* One that is over gives its bytes back. */
        assert_null(pst_token_cache_find(cache, (struct pst_str){text, len}, 100));
    }
    assert_in_range(n, 150, 400);
    assert_int_equal(pst_token_cache_bytes(cache), 0);
}

static void test_cost(void **state)
{
    (void)state;
    enum { rounds = 200000 };
    static char texts[16][TOKEN_LEN + 1];
    unsigned hits = 0;
    for (unsigned i = 0; i < 16; i++)
        put(token_of(i, texts[i]), "aaaaaaaaaaaa", 100);
    uint64_t start = pst_clock_mono_us();
    for (unsigned i = 0; i < rounds; i++)
        hits += pst_token_cache_find(cache, (struct pst_str){texts[i % 16], TOKEN_LEN}, 0) != NULL;
    uint64_t took_us = pst_clock_mono_us() - start;
    assert_int_equal(hits, rounds);
    print_message("a hit takes %u ns\n", (unsigned)(took_us * 1000 / rounds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_compares_whole, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_bounded, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_bytes, open_cache, close_cache),
        cmocka_unit_test_setup_teardown(test_cost, open_cache, close_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
