/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

void rig_init(struct rig *rig)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(rig->dir, sizeof(rig->dir), "%.200s/postern-auth-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void rig_done(struct rig *rig)
{
    assert_int_equal(nftw(rig->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *rig_path(const struct rig *rig, const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    return path;
}

void rig_write(const struct rig *rig, const char *name, const void *data, size_t len, unsigned mode)
{
    int fd = open(rig_path(rig, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

void rig_sql(const struct rig *rig, const char *file, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(sqlite3_open_v2(rig_path(rig, file), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

struct pst_keys *rig_keys(const struct rig *rig)
{
    struct pst_keys *keys = NULL;
    struct pst_why why = {0};
    if (pst_keys_service_open(rig->dir, true, &keys, &why) < 0)
        fail_msg("%s", why.text);
    return keys;
}

static struct pst_key_made make(struct pst_keys *keys, const struct pst_key_new *request)
{
    struct pst_key_made made = {0};
    struct pst_why why = {0};
    if (pst_keys_make(keys, request, &made, &why) < 0)
        fail_msg("%s", why.text);
    return made;
}

struct pst_key_made rig_make(struct pst_keys *keys, const char *name)
{
    const struct pst_key_new request = {.name = pst_str_of(name)};
    return make(keys, &request);
}

struct pst_key_made rig_import(struct pst_keys *keys, const char *name, const char *first, const char *second)
{
    const struct pst_key_new request = {
        .name = pst_str_of(name),
        .imports = {pst_str_of(first), pst_str_of(second)},
    };
    return make(keys, &request);
}

struct pst_secret rig_rotate(struct pst_keys *keys, const char *id, int slot, int64_t grace_us)
{
    struct pst_secret secret = {0};
    struct pst_why why = {0};
    if (pst_keys_rotate(keys, pst_str_of(id), slot, grace_us, &secret, &why) < 0)
        fail_msg("%s", why.text);
    return secret;
}
