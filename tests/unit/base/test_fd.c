/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/postern-fd-XXXXXX";
static char path[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

/* Names in the directory; none but the file itself may stay behind. */
static size_t count_entries(void)
{
    DIR *folder = opendir(dir);
    size_t n = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void assert_content(const char *expected, mode_t mode)
{
    struct pst_buf content;
    struct stat st;
    assert_int_equal(pst_file_read(path, 100, &content), 0);
    assert_string_equal(pst_buf_cstr(&content), expected);
    pst_buf_done(&content);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void test_write_atomic(void **state)
{
    (void)state;
    mode_t mask = umask(077); /* the mode asked for is the mode it gets */
    assert_int_equal(pst_file_write_atomic(path, "one", 3, 0644), 0);
    assert_content("one", 0644);
    assert_int_equal(pst_file_write_atomic(path, "", 0, 0600), 0);
    assert_content("", 0600);
    umask(mask);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(pst_file_write_atomic("/nowhere/at/all", "x", 1, 0600), -PST_ENOENT);
    assert_int_equal(unlink(path), 0);
}

static void test_write_atomic_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0); /* a file cannot replace a directory */
    assert_true(pst_file_write_atomic(path, "x", 1, 0600) < 0);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(pst_file_create_once(path, "x", 1, 0600), -PST_EEXIST);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(rmdir(path), 0);
    char *name = malloc(PATH_MAX + 10);
    assert_non_null(name);
    memset(name, 'a', PATH_MAX + 9);
    name[PATH_MAX + 9] = '\0';
    assert_int_equal(pst_file_write_atomic(name, "x", 1, 0600), -PST_ELIMIT);
    free(name);
}

static void test_relative_path(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(pst_file_write_atomic("file", "here", 4, 0600), 0);
    assert_int_equal(chdir(before), 0);
    assert_content("here", 0600);
    assert_int_equal(unlink(path), 0);
}

static void test_create_once(void **state)
{
    (void)state;
    assert_int_equal(pst_file_create_once(path, "first", 5, 0600), 0);
    assert_int_equal(pst_file_create_once(path, "second", 6, 0644), -PST_EEXIST);
    assert_content("first", 0600);
    assert_int_equal(count_entries(), 1);
    assert_int_equal(unlink(path), 0);
}

struct racer {
    pthread_t thread;
    char text[8];
    int err;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    racer->err = pst_file_create_once(path, racer->text, strlen(racer->text), 0600);
    return NULL;
}

static void test_create_once_has_one_winner(void **state)
{
    (void)state;
    struct racer racers[8];
    const char *winner = NULL;
    for (int i = 0; i < 8; i++) {
        snprintf(racers[i].text, sizeof(racers[i].text), "by %d", i);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < 8; i++) {
        assert_true(racers[i].err == 0 || racers[i].err == -PST_EEXIST);
        assert_true(racers[i].err < 0 || winner == NULL);
        winner = racers[i].err == 0 ? racers[i].text : winner;
    }
    assert_non_null(winner);
    assert_content(winner, 0600);
    assert_int_equal(unlink(path), 0);
}

static void test_read(void **state)
{
    (void)state;
    struct pst_buf content;
    assert_int_equal(pst_file_read(path, 100, &content), -PST_ENOENT);
    assert_int_equal(pst_file_read(dir, 100, &content), -PST_ENOTFILE);
    assert_int_equal(pst_file_read("/dev/null", 100, &content), -PST_ENOTFILE);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
    assert_int_equal(pst_file_read(path, 100, &content), -PST_ENOTFILE);
    assert_int_equal(unlink(path), 0);

    char *big = malloc(100000);
    assert_non_null(big);
    for (size_t i = 0; i < 100000; i++)
        big[i] = (char)(i % 253);
    assert_int_equal(pst_file_write_atomic(path, big, 100000, 0600), 0);
    assert_int_equal(pst_file_read(path, 99999, &content), -PST_ELIMIT);
    assert_int_equal(pst_file_read(path, 100000, &content), 0);
    assert_int_equal(pst_buf_len(&content), 100000);
    assert_memory_equal(pst_buf_front(&content), big, 100000);
    pst_buf_done(&content);
    free(big);
    assert_int_equal(unlink(path), 0);
}

static void test_directory(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(pst_dir_ensure(path), 0);
    assert_int_equal(pst_dir_ensure(path), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(pst_file_write_atomic(path, "x", 1, 0600), 0);
    assert_true(pst_dir_ensure(path) < 0); /* a file is in the way */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pst_dir_ensure("/nowhere/at/all"), -PST_ENOENT);
}

static void test_descriptors(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pst_fd_nonblocking(pipes[0]), 0);
    char byte;
    assert_int_equal(read(pipes[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    errno = ENOTTY;
    assert_int_equal(pst_fd_close(pipes[0]), -1);
    assert_int_equal(pst_fd_close(-1), -1);
    assert_int_equal(errno, ENOTTY);
    {
        PST_FD scoped = pipes[1];
        assert_true(fcntl(scoped, F_GETFD) >= 0);
    }
    assert_int_equal(fcntl(pipes[1], F_GETFD), -1);
    assert_true(pst_fd_nonblocking(pipes[1]) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_atomic),
        cmocka_unit_test(test_write_atomic_leaves_nothing_behind),
        cmocka_unit_test(test_relative_path),
        cmocka_unit_test(test_create_once),
        cmocka_unit_test(test_create_once_has_one_winner),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_descriptors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
