/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdalign.h>

#include <cmocka.h>

static void test_alignment_and_bounds(void **state)
{
    (void)state;
    struct pst_arena arena;
    pst_arena_init(&arena, 256, 4096);
    char *last = NULL;
    for (size_t bytes = 1; bytes <= 40; bytes++) {
        char *p = pst_arena_alloc(&arena, bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        memset(p, (int)bytes, bytes);
        if (last != NULL)
            assert_int_equal(last[bytes - 2], (char)(bytes - 1)); /* the one before is whole */
        last = p;
    }
    size_t used = arena.used;
    assert_true(used >= 40 * 41 / 2 && used <= 4096);
    assert_null(pst_arena_alloc(&arena, 4096 - used + 1));
    assert_null(pst_arena_alloc(&arena, SIZE_MAX));
    assert_int_equal(arena.used, used); /* a refusal costs nothing */
    assert_non_null(pst_arena_alloc(&arena, 4096 - used));
    assert_null(pst_arena_alloc(&arena, 1));
    pst_arena_done(&arena);
    pst_arena_done(&arena);
}

static void test_unbounded_arena_refuses_the_absurd(void **state)
{
    (void)state;
    struct pst_arena arena;
    pst_arena_init(&arena, 64, SIZE_MAX);
    for (size_t less = 0; less < 32; less++)
        assert_null(pst_arena_alloc(&arena, SIZE_MAX - less));
    pst_arena_done(&arena);
}

/* The common case of a reused exchange: no allocation after the first round. */
static void test_reset_keeps_the_first_block(void **state)
{
    (void)state;
    struct pst_arena arena;
    pst_arena_init(&arena, 512, 1 << 20);
    void *first = pst_arena_alloc(&arena, 100);
    for (int i = 0; i < 50; i++)
        assert_non_null(pst_arena_alloc(&arena, 300));
    assert_non_null(pst_arena_alloc(&arena, 5000)); /* more than a block */
    pst_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(pst_arena_alloc(&arena, 100), first);
    assert_non_null(pst_arena_alloc(&arena, 5000));
    pst_arena_done(&arena);
    pst_arena_reset(&arena);
    assert_non_null(pst_arena_alloc(&arena, 0));
    pst_arena_done(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct pst_arena arena;
    pst_arena_init(&arena, 64, 128);
    char *dirty = pst_arena_alloc(&arena, 32);
    memset(dirty, 'x', 32);
    pst_arena_reset(&arena);
    const char *zeroed = pst_arena_zalloc(&arena, 32);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(zeroed[i], 0);
    struct pst_str copy = pst_arena_strdup(&arena, PST_STR("a\0b"));
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.p, "a\0b", 4);
    assert_string_equal(pst_arena_strdup(&arena, (struct pst_str){NULL, 0}).p, "");
    char text[200] = {0};
    assert_null(pst_arena_strdup(&arena, (struct pst_str){text, sizeof(text)}).p);
    assert_null(pst_arena_zalloc(&arena, 4096));
    pst_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_bounds),
        cmocka_unit_test(test_unbounded_arena_refuses_the_absurd),
        cmocka_unit_test(test_reset_keeps_the_first_block),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
