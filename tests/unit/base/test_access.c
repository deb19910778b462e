/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/access.h"

#include "postern/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    NOBODY = PST_ACCESS_NOBODY,
    OWNER = PST_ACCESS_OWNER,
    GROUP = PST_ACCESS_GROUP,
    ALL = PST_ACCESS_EVERYBODY
};

/* A gateway as the manifest runs it, one as OpenShift does, one of root. */
static const gid_t pod_groups[] = {1999, 2000};
static const gid_t openshift_groups[] = {1000700000};
static const struct pst_access_user pod = {65532, 65532, pod_groups, 2};
static const struct pst_access_user openshift = {1000700000, 0, openshift_groups, 1};
static const struct pst_access_user root = {0, 0, NULL, 0};

static const struct {
    const char *what;
    const struct pst_access_user *me;
    uid_t owner;
    gid_t group;
    mode_t mode;
    int directory, file, secret; /* who else can get at it, as each kind */
} table[] = {
    {"fsGroup volume, ext4", &pod, 0, 65532, 02775, NOBODY, NOBODY, ALL},
    {"fsGroup volume", &pod, 0, 65532, 02770, NOBODY, NOBODY, NOBODY},
    {"emptyDir with fsGroup", &pod, 0, 65532, 02777, ALL, ALL, ALL},
    {"a supplementary group's volume", &pod, 0, 2000, 02770, NOBODY, NOBODY, NOBODY},
    {"another pod's fsGroup", &pod, 0, 3000, 02770, GROUP, GROUP, GROUP},
    {"root's own group, and we are not in it", &pod, 0, 0, 0664, GROUP, GROUP, ALL},
    {"OpenShift: gid 0", &openshift, 0, 0, 02770, NOBODY, NOBODY, NOBODY},
    {"OpenShift: fsGroup", &openshift, 0, 1000700000, 02770, NOBODY, NOBODY, NOBODY},
    {"OpenShift: an image's directory", &openshift, 0, 0, 0775, NOBODY, NOBODY, ALL},
    {"secret, defaultMode 0440", &pod, 0, 65532, 0440, NOBODY, NOBODY, NOBODY},
    {"secret, defaultMode 0400 and fsGroup", &pod, 0, 65532, 0440, NOBODY, NOBODY, NOBODY},
    {"secret, the default mode", &pod, 0, 65532, 0644, NOBODY, NOBODY, ALL},
    {"secret, the default mode, without fsGroup", &pod, 0, 0, 0644, NOBODY, NOBODY, ALL},
    {"secret of a group that is not ours", &pod, 0, 3000, 0640, NOBODY, NOBODY, GROUP},
    {"secret that a group may write only", &pod, 0, 3000, 0620, GROUP, GROUP, GROUP},
    {"root's alone", &pod, 0, 0, 0600, NOBODY, NOBODY, NOBODY},
    {"ours alone", &pod, 65532, 65532, 0600, NOBODY, NOBODY, NOBODY},
    {"ours, after a mount", &pod, 65532, 65532, 0660, NOBODY, NOBODY, NOBODY},
    {"ours, for everybody to read", &pod, 65532, 65532, 0644, NOBODY, NOBODY, ALL},
    {"ours, for another group", &pod, 65532, 3000, 0660, GROUP, GROUP, GROUP},
    {"ours, of everybody", &pod, 65532, 65532, 0666, ALL, ALL, ALL},
    {"another user's, closed", &pod, 1000, 1000, 0700, OWNER, OWNER, OWNER},
    {"another user's, of our group", &pod, 1000, 65532, 0660, OWNER, OWNER, OWNER},
    {"another user's, read-only", &pod, 1000, 1000, 0444, OWNER, OWNER, OWNER},
    {"root takes another's directory as it is", &root, 65532, 65532, 0700, NOBODY, NOBODY, OWNER},
    {"root, another's with a group of others", &root, 65532, 65532, 02770, GROUP, GROUP, OWNER},
    {"root's own", &root, 0, 0, 0600, NOBODY, NOBODY, NOBODY},
    {"root's own group", &root, 0, 0, 0660, NOBODY, NOBODY, NOBODY},
    {"/tmp", &root, 0, 0, 01777, ALL, ALL, ALL},
    {"nobody's, over NFS", &pod, 65534, 65534, 0777, OWNER, OWNER, OWNER},
};

static void expect(const char *what, enum pst_access_kind kind, int got, int wanted)
{
    if (got != wanted)
        fail_msg("%s, as kind %d: %d, not %d", what, (int)kind, got, wanted);
}

static void test_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const int wanted[] = {table[i].directory, table[i].file, table[i].secret};
        for (int kind = PST_ACCESS_DIRECTORY; kind <= PST_ACCESS_SECRET; kind++)
            expect(table[i].what, (enum pst_access_kind)kind,
                   (int)pst_access_of_others(table[i].me, table[i].owner, table[i].group, table[i].mode,
                                             (enum pst_access_kind)kind),
                   wanted[kind]);
    }
}

/* What the rule lets pass must be what is left when it is put right. */
static void test_right_modes(void **state)
{
    (void)state;
    static const struct {
        mode_t is;
        mode_t directory, file, secret;
    } modes[] = {
        {02770, 0700, 02750, 02700}, {0700, 0700, 0700, 0700}, {0755, 0755, 0755, 0700},
        {0775, 0755, 0755, 0700},    {0777, 0755, 0755, 0700}, {0660, 0700, 0640, 0600},
        {0600, 0600, 0600, 0600},    {0644, 0644, 0644, 0600}, {0440, 0440, 0440, 0400},
        {0770, 0700, 0750, 0700},    {0750, 0750, 0750, 0700}, {0702, 0700, 0700, 0700},
    };
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(pst_access_right_mode(modes[i].is, PST_ACCESS_FILE), modes[i].file);
        assert_int_equal(pst_access_right_mode(modes[i].is, PST_ACCESS_SECRET), modes[i].secret);
        assert_int_equal(pst_access_right_mode(modes[i].is, PST_ACCESS_DIRECTORY), modes[i].directory);
    }
    for (mode_t mode = 0; mode < 010000; mode++) {
        for (int kind = PST_ACCESS_DIRECTORY; kind <= PST_ACCESS_SECRET; kind++) {
            mode_t right = pst_access_right_mode(mode, (enum pst_access_kind)kind);
            expect("put right", (enum pst_access_kind)kind,
                   (int)pst_access_of_others(&pod, 65532, 3000, right, (enum pst_access_kind)kind), NOBODY);
            if (kind != PST_ACCESS_DIRECTORY)
                assert_int_equal(right & ~mode, 0);
        }
    }
}

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/postern-access-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir);
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void test_me(void **state)
{
    (void)state;
    const struct pst_access_user me = pst_access_me();
    gid_t groups[256];
    int n = getgroups(256, groups);
    assert_int_equal(me.uid, geteuid());
    assert_int_equal(me.gid, getegid());
    assert_int_equal((int)me.n_groups, n);
    if (n > 0)
        assert_memory_equal(me.groups, groups, (size_t)n * sizeof(groups[0]));
}

/* What is ours is put right, whatever its mode was; links are followed. */
static void test_settle(void **state)
{
    (void)state;
    struct pst_access_why why;
    struct stat st;
    char target[128], link[128];
    snprintf(target, sizeof(target), "%s", in_dir("secret"));
    snprintf(link, sizeof(link), "%s", in_dir("link"));
    assert_int_equal(pst_file_write_atomic(target, "x", 1, 0666), 0);
    assert_int_equal(symlink("secret", link), 0);
    assert_int_equal(pst_access_settle(link, PST_ACCESS_FILE, &why), 0);
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(pst_access_settle(link, PST_ACCESS_SECRET, &why), 0);
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(unlink(target), 0);
    assert_int_equal(pst_access_settle(link, PST_ACCESS_SECRET, &why), -PST_ENOENT);
    assert_non_null(strstr(why.seen, link));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(chmod(dir, 02770), 0);
    assert_int_equal(pst_access_settle(dir, PST_ACCESS_DIRECTORY, &why), 0);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

/* One directory that is closed, anywhere on the way, will do; links are followed. */
static void test_closed_off(void **state)
{
    (void)state;
    char below[128], file[160], link[128];
    snprintf(below, sizeof(below), "%s", in_dir("below"));
    snprintf(file, sizeof(file), "%s/file", below);
    snprintf(link, sizeof(link), "%s", in_dir("link"));
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(chmod(below, 0755), 0);
    assert_int_equal(pst_file_write_atomic(file, "x", 1, 0644), 0);
    assert_int_equal(symlink("below/file", link), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_false(pst_access_is_closed_off(file));
    assert_false(pst_access_is_closed_off(link));
    assert_int_equal(chmod(below, 0700), 0);
    assert_true(pst_access_is_closed_off(file));
    assert_true(pst_access_is_closed_off(link));
    assert_int_equal(chmod(below, 0750), 0); /* of a group of ours */
    assert_true(pst_access_is_closed_off(file));
    assert_int_equal(chmod(below, 0711), 0);
    assert_false(pst_access_is_closed_off(file));
    assert_int_equal(chmod(dir, 0700), 0);
    assert_true(pst_access_is_closed_off(file));
    assert_false(pst_access_is_closed_off(in_dir("nowhere")));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(below), 0);
}

static void expect_words(uid_t owner, gid_t group, mode_t mode, enum pst_access_kind kind, const char *seen,
                         const char *todo)
{
    struct pst_access_why why;
    const struct stat st = {.st_uid = owner, .st_gid = group, .st_mode = mode};
    assert_int_equal(pst_access_judge("/the/file", &st, kind, &why), -PST_EACCES);
    if (strstr(why.seen, seen) == NULL || strstr(why.todo, todo) == NULL)
        fail_msg("%s -> %s", why.seen, why.todo);
}

/* Each says what can be done there. */
static void test_words(void **state)
{
    (void)state;
    const uid_t other = 4242;
    const gid_t no_group = 4243; /* hopefully nobody's here */
    expect_words(other, no_group, 0600, PST_ACCESS_SECRET,
                 "/the/file belongs to user 4242, and this is user ", "run as user 4242");
    expect_words(0, no_group, 0640, PST_ACCESS_SECRET, "can be read by group 4243",
                 "supplementalGroups: [4243]");
    expect_words(0, no_group, 0660, PST_ACCESS_SECRET, "can be read and written by group 4243", "fsGroup");
    expect_words(0, no_group, 0775, PST_ACCESS_DIRECTORY, "can be written by group 4243", "chmod g-w");
    expect_words(0, 0, 0644, PST_ACCESS_SECRET, "can be read by every user (mode 0644)", "defaultMode: 0440");
    expect_words(0, 0, 0666, PST_ACCESS_FILE, "can be written by every user (mode 0666)",
                 "chmod o-w, as root");
}

static void test_denied(void **state)
{
    (void)state;
    struct pst_access_why why;
    pst_access_denied(dir, EROFS, PST_ACCESS_DIRECTORY, &why);
    assert_non_null(strstr(why.seen, "read-only file system"));
    assert_non_null(strstr(why.todo, "writable"));
    pst_access_denied(dir, EACCES, PST_ACCESS_DIRECTORY, &why); /* our own, of a mode that keeps us out */
    assert_non_null(strstr(why.seen, "may not write in"));
    assert_non_null(strstr(why.todo, "chmod u+rwx"));
    pst_access_denied("/nowhere/at/all", EACCES, PST_ACCESS_SECRET, &why);
    assert_non_null(strstr(why.todo, "on the way there"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule),       cmocka_unit_test(test_right_modes), cmocka_unit_test(test_me),
        cmocka_unit_test(test_settle),     cmocka_unit_test(test_words),       cmocka_unit_test(test_denied),
        cmocka_unit_test(test_closed_off),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
