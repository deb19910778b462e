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

/* The page size that sysconf() tells; 0: the kernel's. The linker leads calls of sysconf() here. */
static long told_page;
long __real_sysconf(int name);
long __wrap_sysconf(int name);

/* TSan's own start calls it, too, when nothing can be noted yet. */
#if defined(__clang__)
#define NOT_WATCHED __attribute__((disable_sanitizer_instrumentation))
#else
#define NOT_WATCHED
#endif

NOT_WATCHED long __wrap_sysconf(int name)
{
    return name == _SC_PAGESIZE && told_page != 0 ? told_page : __real_sysconf(name);
}

static size_t resident_bytes(const void *block)
{
    unsigned char pages[BLOCK / 4096];
    size_t n = 0, page = (size_t)__real_sysconf(_SC_PAGESIZE);
    assert_int_equal(mincore((void *)(uintptr_t)block, BLOCK, pages), 0);
    for (size_t i = 0; i < BLOCK / page; i++)
        n += pages[i] & 1;
    return n * page;
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

/* Forgets from byte 4096 on and looks how much is left: whole pages go, whatever a page is. */
static void forget_most(size_t page)
{
    static struct pst_region region = PST_REGION(BLOCK, 3);
    bool fresh;
    unsigned char *block = pst_region_take(&region, &fresh);
    assert_int_equal(resident_bytes(block), 0);
    memset(block, 1, BLOCK);
    assert_int_equal(resident_bytes(block), BLOCK);
    pst_region_forget(&region, block, 4096);
    size_t left = page < BLOCK ? page : BLOCK;
    assert_int_equal(resident_bytes(block), left);
    assert_int_equal(block[left - 1], 1);
    if (left < BLOCK)
        assert_int_equal(block[left], 0);
    pst_region_forget(&region, block, BLOCK);
    assert_int_equal(block[0], 1);
    pst_region_forget(&region, block, 0);
    assert_int_equal(resident_bytes(block), page < BLOCK ? 0 : BLOCK);
}

static void test_forget(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (page >= BLOCK)
        skip();
    forget_most(page);
}

/* Kernels for arm64 have pages of 16 or 64 KiB, too. A block that is less than one page keeps it. */
static void test_forget_large_pages(void **state)
{
    (void)state;
    if (sysconf(_SC_PAGESIZE) > 16384)
        skip();
    told_page = 16384;
    forget_most(16384);
    told_page = 65536;
    forget_most(65536);
    told_page = 0;
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
        cmocka_unit_test(test_forget_large_pages),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
