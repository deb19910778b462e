/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/keys_made.h"

#include "scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct pst_access_why why;

static void put(void **state, const char *name, const char *text)
{
    char path[256];
    scratch_path(path, sizeof(path), state, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void drop(void **state, const char *name)
{
    char path[256];
    scratch_path(path, sizeof(path), state, name);
    assert_int_equal(unlink(path), 0);
}

static void test_states(void **state)
{
    const char *dir = *state;
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_NEW);
    assert_false(pst_keys_were_made(dir, &why));
    put(state, "pepper", "x");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_ANEW);
    assert_non_null(strstr(why.seen, "keys.db is missing while there is a pepper"));
    assert_non_null(strstr(why.todo, "restore keys.db from a backup"));
    put(state, "keys.db", "");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_ANEW);
    assert_non_null(strstr(why.seen, "keys.db is empty"));
    pst_keys_note_made(dir);
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_MISSED);
    assert_non_null(strstr(why.seen, "keys.db is empty, but there were keys"));
    assert_non_null(strstr(why.todo, "remove "));
    assert_non_null(strstr(why.todo, "/keys.made"));
    put(state, "keys.db-wal", "");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_MISSED);
    put(state, "keys.db-wal", "all of it is in the log as yet");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_THERE);
    drop(state, "keys.db");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_MISSED); /* a log alone is of no use */
    assert_non_null(strstr(why.seen, "keys.db is missing, but there were keys"));
    put(state, "keys.db", "something");
    assert_int_equal(pst_keys_look(dir, &why), PST_KEYS_THERE);
    assert_true(pst_keys_were_made(dir, &why));
    assert_non_null(strstr(why.seen, "keys.db is a new one"));
}

static void test_noted_once(void **state)
{
    char path[256];
    struct stat first, again;
    scratch_path(path, sizeof(path), state, PST_KEYS_MADE_FILE);
    pst_keys_note_made(*state);
    assert_int_equal(stat(path, &first), 0);
    assert_int_equal(first.st_mode & 07777, 0600);
    assert_true(first.st_size > 0);
    pst_keys_note_made(*state);
    assert_int_equal(stat(path, &again), 0);
    assert_int_equal(first.st_ino, again.st_ino);
    pst_keys_note_made("/nowhere/at/all"); /* logged, and nothing else */
}

int main(void)
{
    const struct CMUnitTest tests[] = {scratch_test(test_states), scratch_test(test_noted_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
