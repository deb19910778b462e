/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK 32768

static size_t resident_pages(const void *block)
{
    unsigned char pages[BLOCK / 4096];
    size_t n = 0;
    assert_int_equal(mincore((void *)(uintptr_t)block, BLOCK, pages), 0);
    for (size_t i = 0; i < sizeof(pages); i++)
        n += pages[i] & 1;
    return n;
}

static void test_take_and_give(void **state)
{
    (void)state;
    static struct pst_region region = PST_REGION(BLOCK, 3);
    int other = 0;
    bool fresh;
    assert_false(pst_region_has(&region, &other));
    char *blocks[3];
    for (int i = 0; i < 3; i++) {
        blocks[i] = pst_region_take(&region, &fresh);
        assert_non_null(blocks[i]);
        assert_true(fresh);
        assert_int_equal((uintptr_t)blocks[i] % BLOCK, 0);
        assert_true(pst_region_has(&region, blocks[i] + BLOCK - 1));
        assert_ptr_equal(pst_region_block(&region, blocks[i] + 100 * i), blocks[i]);
    }
    assert_null(pst_region_take(&region, &fresh)); /* no more */
    assert_false(pst_region_has(&region, &other));
    pst_region_give(&region, blocks[1]);
    pst_region_give(&region, blocks[0]);
    assert_ptr_equal(pst_region_take(&region, &fresh), blocks[0]);
    assert_false(fresh);
    assert_ptr_equal(pst_region_take(&region, &fresh), blocks[1]);
    assert_null(pst_region_take(&region, &fresh));
}

static void test_forget(void **state)
{
    (void)state;
    static struct pst_region region = PST_REGION(BLOCK, 2);
    bool fresh;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    char *block = pst_region_take(&region, &fresh);
    assert_int_equal(resident_pages(block), 0);
    memset(block, 1, BLOCK);
    assert_int_equal(resident_pages(block), BLOCK / 4096);
    pst_region_forget(&region, block, 4096);
    assert_int_equal(resident_pages(block), 1);
    assert_int_equal(block[4095], 1);
    assert_int_equal(block[4096], 0);
    pst_region_forget(&region, block, BLOCK);
    assert_int_equal(block[0], 1);
    pst_region_forget(&region, block, 0);
    assert_int_equal(resident_pages(block), 0);
    assert_int_equal(block[0], 0);
}

/* Where no such address space is to be had, there are no blocks, and nobody falls over. */
static void test_no_room(void **state)
{
    (void)state;
    static struct pst_region region = PST_REGION(BLOCK, SIZE_MAX / BLOCK / 4);
    bool fresh;
    assert_null(pst_region_take(&region, &fresh));
    assert_null(pst_region_take(&region, &fresh));
    assert_false(pst_region_has(&region, &fresh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_and_give),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
