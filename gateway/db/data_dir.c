/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/db/data_dir.h"

#include "postern/base/fd.h"
#include "postern/db/keys_store.h"
#include "postern/db/usage_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Files that are looked at when their modes are put right: far more than there are. */
#define TIDY_MAX 4096
/* data_dir, and in it journal and tls. */
#define TIDY_DEPTH 2

static int join(const char *dir, const char *name, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s%s%s", dir, pst_str_ends(pst_str_of(dir), PST_STR("/")) ? "" : "/", name);
    return n > 0 && (size_t)n < size ? 0 : -PST_ELIMIT;
}

static bool is_there(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    errno = 0;
    return join(dir, name, path, sizeof(path)) == 0 && lstat(path, &st) == 0;
}

/* A directory that this user may not look into was made by another one, and whether that is a mistake is
 * found out when it is opened: to begin a second one beside it would hide it. */
static bool has_data(const char *dir)
{
    return is_there(dir, PST_KEYS_FILE) || errno == EACCES || is_there(dir, PST_USAGE_FILE);
}

/* A new volume has lost+found, and whoever runs the gateway may have mounted single files into it. */
static bool is_fresh(const char *dir)
{
    static const char *const harmless[] = {".", "..", "lost+found", "pepper", "admin.token"};
    DIR *stream = opendir(dir);
    bool fresh = stream != NULL;
    for (struct dirent *entry = fresh ? readdir(stream) : NULL; fresh && entry != NULL;
         entry = readdir(stream)) {
        fresh = false;
        for (size_t i = 0; !fresh && i < sizeof(harmless) / sizeof(harmless[0]); i++)
            fresh = strcmp(entry->d_name, harmless[i]) == 0;
    }
    if (stream != NULL)
        closedir(stream);
    return fresh;
}

/* Whether a directory without data will have it directly in it. One of ours that others can write in is made
 * private when it is fresh; what others share (/tmp, for root) is left alone. */
static bool is_to_hold(const char *dir, const struct stat *st)
{
    const struct pst_access_user me = pst_access_me();
    if (st->st_uid != me.uid)
        return st->st_uid != 0 && me.uid != 0;
    if (pst_access_of_others(&me, st->st_uid, st->st_gid, st->st_mode, PST_ACCESS_DIRECTORY) ==
        PST_ACCESS_NOBODY)
        return true;
    return (st->st_mode & S_ISVTX) == 0 && is_fresh(dir);
}

int pst_data_dir_find(const char *data_dir, char *ret_dir, size_t size)
{
    char own[PATH_MAX];
    struct stat st;
    if (join(data_dir, PST_DATA_DIR_OWN, own, sizeof(own)) < 0)
        return -PST_ELIMIT;
    bool below =
        !has_data(data_dir) &&
        (has_data(own) || (stat(data_dir, &st) == 0 && S_ISDIR(st.st_mode) && !is_to_hold(data_dir, &st)));
    return pst_str_copy(pst_str_of(below ? own : data_dir), ret_dir, size) < 0 ? -PST_ELIMIT : 0;
}

/* The directory above, when `dir` is the one of our own below data_dir. */
static bool parent_of_own(const char *dir, char parent[static PATH_MAX])
{
    struct pst_str path = pst_str_of(dir);
    if (!pst_str_ends(path, PST_STR("/" PST_DATA_DIR_OWN)))
        return false;
    path.len -= sizeof("/" PST_DATA_DIR_OWN) - 1;
    return path.len > 0 && pst_str_copy(path, parent, PATH_MAX) >= 0;
}

int pst_data_dir_file(const char *dir, const char *name, char *ret_path, size_t size)
{
    char parent[PATH_MAX];
    bool above = !is_there(dir, name) && parent_of_own(dir, parent) && is_there(parent, name);
    return join(above ? parent : dir, name, ret_path, size);
}

/* Putting right */

static void tidy(int fd, const char *path, int depth, size_t *left);

static void tidy_entry(int fd, const char *dir, const char *name, int depth, size_t *left)
{
    char path[PATH_MAX];
    struct stat st;
    struct pst_access_why why;
    if (join(dir, name, path, sizeof(path)) < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        st.st_uid != geteuid())
        return;
    bool is_public = pst_str_ends(pst_str_of(name), PST_STR(".crt"));
    if (S_ISREG(st.st_mode)) /* what others can still do with it, its reader says */
        (void)!pst_access_settle(path, is_public ? PST_ACCESS_FILE : PST_ACCESS_SECRET, &why);
    if (!S_ISDIR(st.st_mode) || depth == 1)
        return;
    (void)!pst_access_settle(path, PST_ACCESS_DIRECTORY, &why);
    PST_FD below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below >= 0)
        tidy(below, path, depth - 1, left);
}

static void tidy(int fd, const char *path, int depth, size_t *left)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (stream == NULL) {
        pst_fd_close(copy);
        return;
    }
    for (struct dirent *entry = readdir(stream); entry != NULL && *left > 0;
         entry = readdir(stream), --*left) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            tidy_entry(fd, path, entry->d_name, depth, left);
    }
    closedir(stream);
}

static bool is_planted(const char *dir, struct pst_access_why *why)
{
    char parent[PATH_MAX];
    struct stat st;
    if (!parent_of_own(dir, parent) || lstat(dir, &st) < 0 || !S_ISLNK(st.st_mode))
        return false;
    snprintf(why->seen, sizeof(why->seen), "%s is a symbolic link", dir);
    snprintf(why->todo, sizeof(why->todo), "remove it, and let data_dir name the directory it leads to");
    return true;
}

static int check_entry(const char *dir, struct pst_access_why *why)
{
    struct stat st;
    if (stat(dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
        snprintf(why->seen, sizeof(why->seen), "%s is not a directory", dir);
        snprintf(why->todo, sizeof(why->todo), "let data_dir name a directory");
        return -PST_EACCES;
    }
    if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    int saved = errno;
    int err = pst_err_from_errno(saved);
    if (err == -PST_ENOENT)
        return err;
    /* Whose it is comes first: another user may be the whole mistake. */
    if (stat(dir, &st) < 0 || pst_access_judge(dir, &st, PST_ACCESS_DIRECTORY, why) == 0 || saved == EROFS)
        pst_access_denied(dir, saved, PST_ACCESS_DIRECTORY, why);
    return -PST_EACCES;
}

int pst_data_dir_settle(const char *dir, struct pst_access_why *ret_why)
{
    size_t left = TIDY_MAX;
    if (is_planted(dir, ret_why))
        return -PST_EACCES;
    int err = check_entry(dir, ret_why);
    if (err == 0)
        err = pst_access_settle(dir, PST_ACCESS_DIRECTORY, ret_why);
    PST_FD fd = err == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0)
        tidy(fd, dir, TIDY_DEPTH, &left);
    return err;
}

/* Making */

static int say_cannot_make(const char *dir, int errno_value, struct pst_access_why *why)
{
    char copy[PATH_MAX];
    pst_str_clip(pst_str_of(dir), copy, sizeof(copy));
    const char *parent = dirname(copy);
    int err = pst_err_from_errno(errno_value);
    if (err == -PST_ENOENT) {
        snprintf(why->seen, sizeof(why->seen), "%s cannot be made: its parent directory does not exist", dir);
        snprintf(why->todo, sizeof(why->todo),
                 "mount the volume there, or let data_dir name a directory that exists");
    } else if (err == -PST_EACCES) {
        struct pst_access_why of_parent;
        pst_access_denied(parent, errno_value, PST_ACCESS_DIRECTORY, &of_parent);
        snprintf(why->seen, sizeof(why->seen), "%.200s cannot be made: %.260s", dir, of_parent.seen);
        memcpy(why->todo, of_parent.todo, sizeof(why->todo));
    } else {
        snprintf(why->seen, sizeof(why->seen), "%s cannot be made: %s", dir, strerror(errno_value));
        why->todo[0] = '\0';
    }
    return err;
}

int pst_data_dir_ensure(const char *dir, struct pst_access_why *ret_why)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return say_cannot_make(dir, errno, ret_why);
    return pst_data_dir_settle(dir, ret_why);
}

/* Looking */

static int look_at_missing(const char *dir, struct pst_access_why *why)
{
    char copy[PATH_MAX];
    pst_str_clip(pst_str_of(dir), copy, sizeof(copy));
    if (faccessat(AT_FDCWD, dirname(copy), W_OK | X_OK, AT_EACCESS) < 0)
        return say_cannot_make(dir, errno, why);
    snprintf(why->seen, sizeof(why->seen), "%s is not there yet; the first start makes it", dir);
    return 0;
}

int pst_data_dir_look(const char *dir, struct pst_access_why *ret_why)
{
    struct stat st;
    ret_why->todo[0] = '\0';
    if (is_planted(dir, ret_why))
        return -PST_EACCES;
    int err = check_entry(dir, ret_why);
    if (err == -PST_ENOENT)
        return look_at_missing(dir, ret_why);
    if (err < 0 || stat(dir, &st) < 0)
        return err < 0 ? err : -PST_EIO;
    mode_t is = st.st_mode & 07777, right = is;
    if (st.st_uid == geteuid())
        right = pst_access_right_mode(is, PST_ACCESS_DIRECTORY);
    st.st_mode = right;
    err = pst_access_judge(dir, &st, PST_ACCESS_DIRECTORY, ret_why);
    if (err == 0 && right != is)
        snprintf(ret_why->seen, sizeof(ret_why->seen),
                 "%s, user %u, mode %04o; the next start makes that %04o", dir, (unsigned)st.st_uid,
                 (unsigned)is, (unsigned)right);
    else if (err == 0)
        snprintf(ret_why->seen, sizeof(ret_why->seen), "%s, user %u, mode %04o", dir, (unsigned)st.st_uid,
                 (unsigned)is);
    return err;
}
