/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/access.h"
#include "postern/base/str.h"
#include "postern/conf/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Entries of a directory of certificates that are looked at. */
#define ENTRIES_MAX 1024

struct looking {
    const char *setting;
    pst_setting_file_cb *say;
    void *arg;
};

static void look_at(const struct looking *l, const char *path, enum pst_access_kind kind)
{
    struct pst_access_why why;
    struct stat st;
    if (stat(path, &st) < 0 && errno != EACCES)
        return;
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
        pst_access_denied(path, errno, kind, &why);
        l->say(l->arg, l->setting, &why);
    } else if (pst_access_judge(path, &st, kind, &why) < 0 && !pst_access_is_closed_off(path)) {
        l->say(l->arg, l->setting, &why);
    }
}

/* NAME.key, or SUBDIR/tls.key. */
static void look_at_entry(const struct looking *l, const char *dir, const char *name)
{
    char path[PATH_MAX], below[PATH_MAX + 16];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (name[0] == '.' || n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) < 0)
        return;
    snprintf(below, sizeof(below), "%s/tls.key", path);
    if (S_ISDIR(st.st_mode))
        look_at(l, below, PST_ACCESS_SECRET);
    else if (pst_str_ends(pst_str_of(name), PST_STR(".key")))
        look_at(l, path, PST_ACCESS_SECRET);
}

static void look_into(const struct looking *l, const char *dir)
{
    DIR *stream = opendir(dir);
    if (stream == NULL)
        return;
    struct dirent *entry = readdir(stream);
    for (int n = 0; entry != NULL && n < ENTRIES_MAX; n++, entry = readdir(stream))
        look_at_entry(l, dir, entry->d_name);
    closedir(stream);
}

void pst_settings_check_files(const struct pst_settings *settings, pst_setting_file_cb *say, void *arg)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        const struct looking l = {defs[i].name, say, arg};
        if (defs[i].file == PST_SETTING_NO_FILE)
            continue;
        const char *path = *(char *const *)(const void *)((const char *)settings + defs[i].offset);
        if (path == NULL || path[0] == '\0')
            continue;
        if (defs[i].file == PST_SETTING_KEYS_DIRECTORY)
            look_into(&l, path);
        else
            look_at(&l, path, defs[i].file == PST_SETTING_SECRET ? PST_ACCESS_SECRET : PST_ACCESS_FILE);
    }
}
