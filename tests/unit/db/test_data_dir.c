/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/data_dir.h"

#include "scratch.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A pod's user and the group of its volumes. */
#define POD   65532u
#define OTHER 12345u

static char found[512];

static void make_dir(const char *path, mode_t mode)
{
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void make_file(void **state, const char *name, mode_t mode)
{
    char path[256];
    scratch_path(path, sizeof(path), state, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static mode_t mode_of(void **state, const char *name)
{
    char path[256];
    struct stat st;
    scratch_path(path, sizeof(path), state, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static const char *find(const char *dir)
{
    assert_int_equal(pst_data_dir_find(dir, found, sizeof(found)), 0);
    return found;
}

static void ensure(const char *dir)
{
    struct pst_access_why why;
    if (pst_data_dir_ensure(dir, &why) < 0)
        fail_msg("%s: %s", why.seen, why.todo);
}

/* One that is this user's own holds the data, as it always did. */
static void test_own(void **state)
{
    char dir[256], below[256];
    struct pst_access_why why;
    scratch_path(dir, sizeof(dir), state, "data");
    scratch_path(below, sizeof(below), state, "data/private");
    assert_string_equal(find(dir), dir); /* it is made */
    assert_int_equal(pst_data_dir_settle(dir, &why), -PST_ENOENT);
    assert_int_equal(pst_data_dir_look(dir, &why), 0);
    assert_non_null(strstr(why.seen, "the first start makes it"));
    ensure(dir);
    assert_int_equal(mode_of(state, "data"), 0700);
    assert_string_equal(find(dir), dir);
    make_dir(below, 0700); /* anybody's directory of that name: there is no data in it */
    assert_string_equal(find(dir), dir);
    make_file(state, "data/private/keys.db", 0600);
    assert_string_equal(find(dir), below);
    make_file(state, "data/usage.db", 0600); /* what lies directly in it comes first */
    assert_string_equal(find(dir), dir);
}

/* What the mount of a volume does to the modes of what is in it. */
static void test_put_right(void **state)
{
    static const char *const files[] = {"d/keys.db", "d/pepper", "d/token.keys", "d/journal/a.ring",
                                        "d/tls/self-signed.key"};
    char path[256], dir[256];
    struct pst_access_why why;
    scratch_path(dir, sizeof(dir), state, "d");
    make_dir(dir, 02770);
    scratch_path(path, sizeof(path), state, "d/journal");
    make_dir(path, 02770);
    scratch_path(path, sizeof(path), state, "d/tls");
    make_dir(path, 02770);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        make_file(state, files[i], 0660);
    make_file(state, "d/tls/self-signed.crt", 0664);
    assert_int_equal(pst_data_dir_look(dir, &why), 0);
    assert_non_null(strstr(why.seen, "mode 2770; the next start makes that 0700"));
    assert_int_equal(mode_of(state, "d"), 02770); /* only looked at */
    ensure(dir);
    assert_int_equal(mode_of(state, "d"), 0700);
    assert_int_equal(mode_of(state, "d/journal"), 0700);
    assert_int_equal(mode_of(state, "d/tls"), 0700);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        assert_int_equal(mode_of(state, files[i]), 0600);
    assert_int_equal(mode_of(state, "d/tls/self-signed.crt"), 0644);
    assert_int_equal(pst_data_dir_look(dir, &why), 0);
    assert_null(strstr(why.seen, "the next start"));
}

/* A directory that others share is not taken from them. */
static void test_shared(void **state)
{
    char dir[256], below[256];
    scratch_path(dir, sizeof(dir), state, "d");
    scratch_path(below, sizeof(below), state, "d/private");
    make_dir(dir, 0777);
    assert_string_equal(find(dir), dir); /* nothing is in it yet */
    make_file(state, "d/pepper", 0600);
    assert_string_equal(find(dir), dir); /* mounted there */
    make_file(state, "d/letter", 0666);
    assert_string_equal(find(dir), below);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_string_equal(find(dir), dir);
    scratch_path(dir, sizeof(dir), state, "tmp");
    scratch_path(below, sizeof(below), state, "tmp/private");
    make_dir(dir, 01777);
    assert_string_equal(find(dir), below);
    ensure(below);
    assert_int_equal(mode_of(state, "tmp/private"), 0700);
    assert_int_equal(mode_of(state, "tmp"), 01777);
}

static void test_in_the_way(void **state)
{
    char dir[256], below[256];
    struct pst_access_why why;
    make_file(state, "file", 0600);
    scratch_path(dir, sizeof(dir), state, "file");
    assert_int_equal(pst_data_dir_ensure(dir, &why), -PST_EACCES);
    assert_non_null(strstr(why.seen, "is not a directory"));
    assert_int_equal(pst_data_dir_look(dir, &why), -PST_EACCES);
    scratch_path(dir, sizeof(dir), state, "no/parent");
    assert_int_equal(pst_data_dir_ensure(dir, &why), -PST_ENOENT);
    assert_non_null(strstr(why.seen, "its parent directory does not exist"));
    assert_int_equal(pst_data_dir_look(dir, &why), -PST_ENOENT);
    scratch_path(dir, sizeof(dir), state, "shared");
    scratch_path(below, sizeof(below), state, "shared/private");
    make_dir(dir, 01777);
    assert_int_equal(symlink("/etc", below), 0);
    assert_int_equal(pst_data_dir_ensure(find(dir), &why), -PST_EACCES);
    assert_non_null(strstr(why.seen, "is a symbolic link"));
    char long_path[4200];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(pst_data_dir_find(long_path, found, sizeof(found)), -PST_ELIMIT);
}

static void test_files(void **state)
{
    char dir[256], below[256], path[256], got[256];
    scratch_path(dir, sizeof(dir), state, "d");
    scratch_path(below, sizeof(below), state, "d/private");
    make_dir(dir, 0700);
    make_dir(below, 0700);
    scratch_path(path, sizeof(path), state, "d/private/pepper");
    assert_int_equal(pst_data_dir_file(below, "pepper", got, sizeof(got)), 0);
    assert_string_equal(got, path); /* nowhere: it is made there */
    make_file(state, "d/pepper", 0600);
    assert_int_equal(pst_data_dir_file(below, "pepper", got, sizeof(got)), 0);
    scratch_path(path, sizeof(path), state, "d/pepper");
    assert_string_equal(got, path);
    assert_int_equal(pst_data_dir_file(dir, "pepper", got, sizeof(got)), 0);
    assert_string_equal(got, path);
    make_file(state, "d/private/pepper", 0600);
    assert_int_equal(pst_data_dir_file(below, "pepper", got, sizeof(got)), 0);
    scratch_path(path, sizeof(path), state, "d/private/pepper");
    assert_string_equal(got, path);
}

/* Runs `check` as another user, in a process of its own: who it is, is asked once. */
static void as_user(uid_t uid, gid_t gid, gid_t supplementary, void (*check)(const char *dir),
                    const char *dir)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgroups(1, &supplementary) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
            _exit(2);
        check(dir);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define CHILD_EXPECT(condition)                                                                              \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                          \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void expect_below(const char *dir)
{
    char below[512], dir_found[512];
    struct pst_access_why why;
    snprintf(below, sizeof(below), "%s/private", dir);
    for (int i = 0; i < 2; i++) { /* before it is made, and when it is there */
        CHILD_EXPECT(pst_data_dir_find(dir, dir_found, sizeof(dir_found)) == 0 &&
                     strcmp(dir_found, below) == 0);
        CHILD_EXPECT(pst_data_dir_look(below, &why) == 0);
        CHILD_EXPECT(pst_data_dir_ensure(below, &why) == 0);
    }
}

static void expect_direct(const char *dir)
{
    char dir_found[512];
    struct pst_access_why why;
    CHILD_EXPECT(pst_data_dir_find(dir, dir_found, sizeof(dir_found)) == 0 && strcmp(dir_found, dir) == 0);
    CHILD_EXPECT(pst_data_dir_ensure(dir, &why) == 0);
}

static void expect_wrong_user(const char *dir)
{
    char dir_found[512];
    struct pst_access_why why;
    CHILD_EXPECT(pst_data_dir_find(dir, dir_found, sizeof(dir_found)) == 0);
    CHILD_EXPECT(pst_data_dir_ensure(dir_found, &why) == -PST_EACCES);
    CHILD_EXPECT(strstr(why.seen, "belongs to user 12345, and this is user 65532") != NULL);
    CHILD_EXPECT(strstr(why.todo, "run as user 12345") != NULL);
    CHILD_EXPECT(pst_data_dir_look(dir_found, &why) == -PST_EACCES);
}

static void expect_closed(const char *dir)
{
    char dir_found[512];
    struct pst_access_why why;
    CHILD_EXPECT(pst_data_dir_find(dir, dir_found, sizeof(dir_found)) == 0);
    CHILD_EXPECT(pst_data_dir_ensure(dir_found, &why) == -PST_EACCES);
    CHILD_EXPECT(strstr(why.todo, "fsGroup") != NULL);
    CHILD_EXPECT(strstr(why.todo, "chown") == NULL);
}

static void volume(void **state, const char *name, uid_t owner, gid_t group, mode_t mode,
                   char path[static 256])
{
    scratch_path(path, 256, state, name);
    make_dir(path, mode);
    assert_int_equal(chown(path, owner, group), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_volumes(void **state)
{
    char path[256];
    if (geteuid() != 0) {
        print_message("only root can be somebody else\n");
        skip();
    }
    assert_int_equal(chmod(*state, 0755), 0);
    volume(state, "pvc", 0, POD, 02775, path);
    as_user(POD, POD, POD, expect_below, path);
    volume(state, "closed", 0, POD, 02770, path);
    as_user(POD, POD, POD, expect_below, path);
    volume(state, "supplementary", 0, 2000, 02770, path);
    as_user(POD, POD, 2000, expect_below, path);
    volume(state, "emptydir", 0, POD, 02777, path);
    as_user(POD, POD, POD, expect_below, path);
    volume(state, "openshift", 0, 0, 0775, path);
    as_user(1000700000, 0, 1000700000, expect_below, path);
    volume(state, "own", POD, POD, 02770, path);
    as_user(POD, POD, POD, expect_direct, path);
    volume(state, "other", OTHER, POD, 02770, path);
    as_user(POD, POD, POD, expect_wrong_user, path);
    volume(state, "other-open", OTHER, OTHER, 0777, path);
    as_user(POD, POD, POD, expect_wrong_user, path);
    volume(state, "other-closed", OTHER, OTHER, 0700, path);
    as_user(POD, POD, POD, expect_wrong_user, path);
    volume(state, "no-fsgroup", 0, 0, 0755, path);
    as_user(POD, POD, POD, expect_closed, path);
}

/* Data that another user put below is not begun anew beside it. */
static void test_another_users_data(void **state)
{
    char path[256], below[256];
    if (geteuid() != 0) {
        print_message("only root can be somebody else\n");
        skip();
    }
    assert_int_equal(chmod(*state, 0755), 0);
    volume(state, "pvc", 0, POD, 02770, path);
    volume(state, "pvc/private", OTHER, OTHER, 0700, below);
    as_user(POD, POD, POD, expect_wrong_user, path);
    volume(state, "mine", POD, POD, 0700, path);
    volume(state, "mine/private", OTHER, OTHER, 0700, below);
    as_user(POD, POD, POD, expect_wrong_user, path);
}

int main(void)
{
    /* Those that fork first: this process has not asked yet who it is. */
    const struct CMUnitTest tests[] = {
        scratch_test(test_volumes), scratch_test(test_another_users_data),
        scratch_test(test_own),     scratch_test(test_put_right),
        scratch_test(test_shared),  scratch_test(test_in_the_way),
        scratch_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
