/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/keys_made.h"

#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/db/data_dir.h"
#include "postern/db/keys_store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PEPPER_FILE "pepper" /* auth's */

static bool path_of(const char *data_dir, const char *name, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", data_dir, name);
    return n > 0 && n < PATH_MAX;
}

/* -1 when there is none. */
static off_t size_of(const char *data_dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return path_of(data_dir, name, path) && stat(path, &st) == 0 ? st.st_size : -1;
}

static bool has_pepper(const char *data_dir)
{
    char path[PATH_MAX];
    struct stat st;
    return pst_data_dir_file(data_dir, PEPPER_FILE, path, sizeof(path)) == 0 && stat(path, &st) == 0;
}

static void say_missed(const char *data_dir, const char *what, struct pst_access_why *why)
{
    snprintf(why->seen, sizeof(why->seen),
             "%.300s/" PST_KEYS_FILE " %s, but there were keys in this directory", data_dir, what);
    snprintf(why->todo, sizeof(why->todo),
             "restore " PST_KEYS_FILE " and pepper from one backup; to start over without those keys, remove "
             "%.250s/" PST_KEYS_MADE_FILE,
             data_dir);
}

enum pst_keys_found pst_keys_look(const char *data_dir, struct pst_access_why *ret_why)
{
    off_t size = size_of(data_dir, PST_KEYS_FILE);
    /* All of it may still be in the log. */
    if (size > 0 || (size == 0 && size_of(data_dir, PST_KEYS_FILE "-wal") > 0))
        return PST_KEYS_THERE;
    const char *what = size < 0 ? "is missing" : "is empty";
    if (size_of(data_dir, PST_KEYS_MADE_FILE) >= 0) {
        say_missed(data_dir, what, ret_why);
        return PST_KEYS_MISSED;
    }
    if (!has_pepper(data_dir))
        return PST_KEYS_NEW;
    snprintf(ret_why->seen, sizeof(ret_why->seen),
             "%.300s/" PST_KEYS_FILE
             " %s while there is a pepper: keys that were made with it before get 401",
             data_dir, what);
    snprintf(ret_why->todo, sizeof(ret_why->todo),
             "with a pepper from a secret store and a fresh volume this is as it should be; otherwise stop "
             "the gateway and "
             "restore " PST_KEYS_FILE " from a backup");
    return PST_KEYS_ANEW;
}

bool pst_keys_were_made(const char *data_dir, struct pst_access_why *ret_why)
{
    if (size_of(data_dir, PST_KEYS_MADE_FILE) < 0)
        return false;
    say_missed(data_dir, "is a new one", ret_why);
    return true;
}

void pst_keys_note_made(const char *data_dir)
{
    static const char text[] =
        "There are keys in keys.db. As long as this file is here, a keys.db that is missing or empty is\n"
        "taken for lost, and Postern does not start with a new one. Remove it to start over without those "
        "keys.\n";
    char path[PATH_MAX];
    struct stat st;
    if (!path_of(data_dir, PST_KEYS_MADE_FILE, path) || lstat(path, &st) == 0)
        return;
    int err = pst_file_create_once(path, text, sizeof(text) - 1, 0600);
    if (err < 0 && err != -PST_EEXIST)
        pst_warn("db", "%s cannot be written (%s): a loss of keys.db would go unnoticed", path,
                 pst_strerror(err));
}
