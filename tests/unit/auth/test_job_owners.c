/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/job_owners.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LIFETIME_US 1000000
#define KEY_A       PST_STR("k_a")
#define KEY_B       PST_STR("k_b")

struct place {
    char dir[64];
    char file[80];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    snprintf(place->dir, sizeof(place->dir), "/tmp/postern-jobs-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    snprintf(place->file, sizeof(place->file), "%s/jobs.table", place->dir);
    *state = place;
    return 0;
}

static int drop_place(void **state)
{
    struct place *place = *state;
    unlink(place->file);
    rmdir(place->dir);
    free(place);
    return 0;
}

static struct pst_job_owners *open_owners(const struct place *place, uint32_t n)
{
    struct pst_job_owners *owners = NULL;
    assert_int_equal(pst_job_owners_open(place->dir, n, LIFETIME_US, &owners), 0);
    return owners;
}

static struct pst_str path_of(unsigned n, char text[static 64])
{
    int len = snprintf(text, 64, "/jobs/%08x-0000-4000-8000-000000000001", n);
    return (struct pst_str){text, (size_t)len};
}

static void test_ownership(void **state)
{
    struct pst_job_owners *owners = open_owners(*state, 64);
    char text[64];
    struct pst_str path = path_of(1, text);
    assert_true(pst_job_owners_permit(owners, path, KEY_B, 0)); /* nobody's yet */
    pst_job_owners_add(owners, path, KEY_A, 0);
    assert_true(pst_job_owners_permit(owners, path, KEY_A, 1));
    assert_false(pst_job_owners_permit(owners, path, KEY_B, 1));
    assert_false(pst_job_owners_permit(owners, path, PST_STR(""), 1));
    assert_false(
        pst_job_owners_permit(owners, PST_STR("/JOBS/%7B00000001000040008000000000000001%7D/x"), KEY_B, 1));
    assert_false(pst_job_owners_permit(owners, PST_STR("/jobs/{0x00000001,0x0"), KEY_A, 1));
    static const char *const spellings[] = {
        "/jobs/0x000001-0000-4000-8000-000000000001",
        "/jobs/+0000001-+000-4000-8000-000000000001",
        "/jobs/1-0-4000-8000-1",
        "/jobs/%2530%25300000001-0000-4000-8000-000000000001",
        "/jobs/%257b0x1",
    };
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        if (pst_job_owners_permit(owners, pst_str_of(spellings[i]), KEY_B, 1))
            fail_msg("%s", spellings[i]);
    }
    assert_true(
        pst_job_owners_permit(owners, PST_STR("/jobs/%2B0x00001-0000-4000-8000-000000000001"), KEY_A, 1));
    assert_true(pst_job_owners_permit(owners, PST_STR("/sentiment"), KEY_B, 1));
    /* Who says it is his comes too late. */
    pst_job_owners_add(owners, path, KEY_B, 2);
    assert_false(pst_job_owners_permit(owners, path, KEY_B, 3));
    assert_true(pst_job_owners_permit(owners, path, KEY_B, LIFETIME_US));
    pst_job_owners_close(owners);
}

static void test_outlives(void **state)
{
    char text[64];
    struct pst_job_owners *owners = open_owners(*state, 64);
    for (unsigned i = 0; i < 20; i++)
        pst_job_owners_add(owners, path_of(i, text), i % 2 == 0 ? KEY_A : KEY_B, 0);
    pst_job_owners_close(owners);
    /* The same table; a larger one; a smaller one again. */
    static const uint32_t sizes[] = {64, 4096, 64};
    for (size_t s = 0; s < 3; s++) {
        owners = open_owners(*state, sizes[s]);
        for (unsigned i = 0; i < 20; i++) {
            assert_true(pst_job_owners_permit(owners, path_of(i, text), i % 2 == 0 ? KEY_A : KEY_B, 1));
            assert_false(pst_job_owners_permit(owners, path_of(i, text), i % 2 == 0 ? KEY_B : KEY_A, 1));
        }
        pst_job_owners_close(owners);
    }
    struct stat st;
    assert_int_equal(stat(((struct place *)*state)->file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 64 + 64 * 48);
}

/* Of more jobs than there is room for, the newest are known, and the loss is counted. */
static void test_full(void **state)
{
    char text[64];
    struct pst_job_owners *owners = open_owners(*state, 64);
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        pst_job_owners_add(owners, path_of(i, text), KEY_A, i);
        assert_false(pst_job_owners_permit(owners, path_of(i, text), KEY_B, i));
    }
    for (unsigned i = 0; i < 1000; i++)
        known += pst_job_owners_permit(owners, path_of(i, text), KEY_B, 1000) ? 0 : 1;
    assert_int_equal(known, 64);
    assert_int_equal(pst_job_owners_forgotten(owners), 1000 - 64);
    pst_job_owners_close(owners);
}

/* A job that was half written is nobody's, and a file that is none of ours does no harm. */
static void test_damaged(void **state)
{
    const struct place *place = *state;
    char text[64];
    struct pst_job_owners *owners = open_owners(place, 64);
    pst_job_owners_add(owners, path_of(1, text), KEY_A, 0);
    pst_job_owners_close(owners);
    int fd = open(place->file, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    for (off_t at = 64; at < 64 + 64 * 48; at += 48) { /* an owner's first byte */
        assert_int_equal(pread(fd, &byte, 1, at + 16), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at + 16), 1);
    }
    owners = open_owners(place, 64);
    assert_true(pst_job_owners_permit(owners, path_of(1, text), KEY_B, 1));
    pst_job_owners_close(owners);
    static const off_t sizes[] = {0, 1, 63, 64, 65, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(ftruncate(fd, sizes[i]), 0);
        owners = open_owners(place, 64);
        pst_job_owners_add(owners, path_of(2, text), KEY_A, 0);
        assert_false(pst_job_owners_permit(owners, path_of(2, text), KEY_B, 1));
        pst_job_owners_close(owners);
        close(fd);
        fd = open(place->file, O_RDWR | O_CLOEXEC);
    }
    close(fd);
}

static void test_no_disk(void **state)
{
    (void)state;
    struct pst_job_owners *owners = NULL;
    char text[64];
    assert_int_equal(pst_job_owners_open("/proc/nowhere", 64, LIFETIME_US, &owners), 0);
    pst_job_owners_add(owners, path_of(1, text), KEY_A, 0);
    assert_false(pst_job_owners_permit(owners, path_of(1, text), KEY_B, 1));
    pst_job_owners_close(owners);
    assert_int_equal(pst_job_owners_open("/tmp", 1, LIFETIME_US, &owners), -PST_EINVAL);
}

static void *begin_jobs(void *arg)
{
    struct pst_job_owners *owners = arg;
    char text[64];
    for (unsigned i = 0; i < 2000; i++) {
        pst_job_owners_add(owners, path_of(i, text), KEY_A, 0);
        if (pst_job_owners_permit(owners, path_of(i, text), KEY_B, 1))
            return arg;
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct pst_job_owners *owners = open_owners(*state, 65536);
    pthread_t threads[4];
    void *failed;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, begin_jobs, owners), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    pst_job_owners_close(owners);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ownership, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_outlives, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_full, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_damaged, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_threads, make_place, drop_place),
        cmocka_unit_test(test_no_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
