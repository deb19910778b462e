/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/access.h"

#include "postern/base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODE_BITS 07777u

static bool is_in(const struct pst_access_user *me, gid_t group)
{
    bool found = group == me->gid;
    for (size_t i = 0; !found && i < me->n_groups; i++)
        found = me->groups[i] == group;
    return found;
}

enum pst_access_by pst_access_of_others(const struct pst_access_user *me, uid_t owner, gid_t group,
                                        mode_t mode, enum pst_access_kind kind)
{
    bool secret = kind == PST_ACCESS_SECRET;
    mode_t of_group = secret ? S_IRGRP | S_IWGRP : S_IWGRP;
    mode_t of_all = secret ? S_IROTH | S_IWOTH : S_IWOTH;
    bool acts_for_owner = me->uid == 0 && !secret;
    if (owner != 0 && owner != me->uid && !acts_for_owner)
        return PST_ACCESS_OWNER;
    if ((mode & of_all) != 0)
        return PST_ACCESS_EVERYBODY;
    return (mode & of_group) != 0 && !is_in(me, group) ? PST_ACCESS_GROUP : PST_ACCESS_NOBODY;
}

/* This process */

static pthread_once_t groups_once = PTHREAD_ONCE_INIT;
static gid_t *own_groups; /* for as long as the process lives */
static size_t n_own_groups;

static void learn_groups(void)
{
    int n = getgroups(0, NULL);
    own_groups = n > 0 ? calloc((size_t)n, sizeof(*own_groups)) : NULL;
    n = own_groups != NULL ? getgroups(n, own_groups) : 0;
    n_own_groups = n > 0 ? (size_t)n : 0;
}

struct pst_access_user pst_access_me(void)
{
    pthread_once(&groups_once, learn_groups);
    return (struct pst_access_user){
        .uid = geteuid(), .gid = getegid(), .groups = own_groups, .n_groups = n_own_groups};
}

/* Words */

static void PST_PRINTF(3, 4) say(char *text, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, size, fmt, args);
    va_end(args);
}

#define SEEN(why, ...)   say((why)->seen, sizeof((why)->seen), __VA_ARGS__)
#define ADVISE(why, ...) say((why)->todo, sizeof((why)->todo), __VA_ARGS__)

void pst_access_text(const struct pst_access_why *why, char ret_text[static PST_ACCESS_TEXT_SIZE])
{
    say(ret_text, PST_ACCESS_TEXT_SIZE, "%s%s%s", why->seen, why->todo[0] != '\0' ? ": " : "", why->todo);
}

static const char *verb(enum pst_access_kind kind, mode_t mode, mode_t write_bit)
{
    if (kind != PST_ACCESS_SECRET)
        return "written";
    return (mode & write_bit) != 0 ? "read and written" : "read";
}

static void say_owner(const char *path, const struct stat *st, enum pst_access_kind kind,
                      struct pst_access_why *why)
{
    unsigned owner = (unsigned)st->st_uid, self = (unsigned)geteuid();
    SEEN(why, "%s belongs to user %u, and this is user %u", path, owner, self);
    if (kind == PST_ACCESS_DIRECTORY)
        ADVISE(why, "run as user %u (runAsUser in Kubernetes), or use another directory", owner);
    else
        ADVISE(why,
               "run as user %u (runAsUser in Kubernetes), or use a copy that belongs to user %u or to root",
               owner, self);
}

/* What Kubernetes does about it is not what the owner of a file does. */
static void say_group(const char *path, const struct stat *st, enum pst_access_kind kind,
                      struct pst_access_why *why)
{
    SEEN(why, "%s can be %s by group %u, which this process is not in (mode %04o)", path,
         verb(kind, st->st_mode, S_IWGRP), (unsigned)st->st_gid, (unsigned)(st->st_mode & MODE_BITS));
    ADVISE(why,
           "in Kubernetes set fsGroup (or supplementalGroups: [%u]) in the pod's securityContext; elsewhere "
           "take "
           "the right off the group: chmod g%s",
           (unsigned)st->st_gid, kind == PST_ACCESS_SECRET ? "-rw" : "-w");
}

static void say_everybody(const char *path, const struct stat *st, enum pst_access_kind kind,
                          struct pst_access_why *why)
{
    SEEN(why, "%s can be %s by every user (mode %04o)", path, verb(kind, st->st_mode, S_IWOTH),
         (unsigned)(st->st_mode & MODE_BITS));
    if (kind == PST_ACCESS_SECRET)
        ADVISE(why,
               "in Kubernetes set defaultMode: 0440 on its volume and fsGroup in the pod's securityContext; "
               "elsewhere chmod o-rwx");
    else
        ADVISE(why, "chmod o-w, as %s", st->st_uid == 0 ? "root" : "its owner");
}

int pst_access_judge(const char *path, const struct stat *st, enum pst_access_kind kind,
                     struct pst_access_why *ret_why)
{
    const struct pst_access_user me = pst_access_me();
    switch (pst_access_of_others(&me, st->st_uid, st->st_gid, st->st_mode, kind)) {
    case PST_ACCESS_NOBODY:
        return 0;
    case PST_ACCESS_OWNER:
        say_owner(path, st, kind, ret_why);
        break;
    case PST_ACCESS_GROUP:
        say_group(path, st, kind, ret_why);
        break;
    case PST_ACCESS_EVERYBODY:
        say_everybody(path, st, kind, ret_why);
        break;
    }
    return -PST_EACCES;
}

/* Putting right */

mode_t pst_access_right_mode(mode_t mode, enum pst_access_kind kind)
{
    mode &= MODE_BITS;
    if (kind == PST_ACCESS_SECRET)
        return mode & ~(mode_t)(S_IRWXG | S_IRWXO);
    if ((mode & (S_IWGRP | S_IWOTH)) == 0)
        return mode;
    /* One that nobody but the group could look into was the user's alone, until its volume was mounted. */
    if (kind == PST_ACCESS_DIRECTORY && (mode & S_IRWXO) == 0)
        return S_IRWXU;
    return mode & ~(mode_t)(S_IWGRP | S_IWOTH);
}

static int put_right(const char *path, struct stat *st, enum pst_access_kind kind)
{
    mode_t right = pst_access_right_mode(st->st_mode, kind), is = st->st_mode & MODE_BITS;
    if (right == is)
        return 0;
    const struct pst_access_user me = pst_access_me();
    enum pst_access_by by = pst_access_of_others(&me, st->st_uid, st->st_gid, is, kind);
    if (chmod(path, right) < 0)
        return -1; /* a read-only file system, say: then the rule decides */
    if (by != PST_ACCESS_NOBODY)
        pst_warn("files", "%s could be %s by other users (mode %04o); its mode is %04o now", path,
                 verb(kind, is, S_IWGRP | S_IWOTH), (unsigned)is, (unsigned)right);
    else
        pst_debug("files", "the mode of %s was %04o and is %04o now", path, (unsigned)is, (unsigned)right);
    st->st_mode = (st->st_mode & ~(mode_t)MODE_BITS) | right;
    return 0;
}

int pst_access_settle(const char *path, enum pst_access_kind kind, struct pst_access_why *ret_why)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        int err = pst_err_from_errno(errno);
        SEEN(ret_why, "%s: %s", path, strerror(errno));
        ret_why->todo[0] = '\0';
        return err;
    }
    if (st.st_uid == geteuid())
        (void)put_right(path, &st, kind);
    return pst_access_judge(path, &st, kind, ret_why);
}

/* The way there */

static bool lets_others_in(const char *dir)
{
    struct stat st;
    const struct pst_access_user me = pst_access_me();
    if (stat(dir, &st) < 0 || (st.st_uid != 0 && st.st_uid != me.uid))
        return true;
    return (st.st_mode & S_IXOTH) != 0 || ((st.st_mode & S_IXGRP) != 0 && !is_in(&me, st.st_gid));
}

bool pst_access_is_closed_off(const char *path)
{
    char real[PATH_MAX];
    if (realpath(path, real) == NULL)
        return false;
    for (char *slash = strrchr(real, '/'); slash != NULL && slash != real; slash = strrchr(real, '/')) {
        *slash = '\0';
        if (!lets_others_in(real))
            return true;
    }
    return false;
}

/* Denied */

static void say_denied(const struct stat *st, enum pst_access_kind kind, struct pst_access_why *why)
{
    unsigned owner = (unsigned)st->st_uid, self = (unsigned)geteuid();
    bool directory = kind == PST_ACCESS_DIRECTORY;
    if (owner == self)
        ADVISE(why, "chmod u+%s it", directory ? "rwx" : "r");
    else if (owner != 0)
        ADVISE(why, "run as user %u (runAsUser in Kubernetes), or use %s of user %u", owner,
               directory ? "another directory" : "a copy", self);
    else if (directory)
        ADVISE(
            why,
            "in Kubernetes set fsGroup in the pod's securityContext; elsewhere give user %u a directory, as "
            "root: "
            "install -d -o %u -m 0700",
            self, self);
    else
        ADVISE(why,
               "in Kubernetes set defaultMode: 0440 on its volume and fsGroup in the pod's securityContext; "
               "elsewhere give a group of this process the right to read it");
}

void pst_access_denied(const char *path, int errno_value, enum pst_access_kind kind,
                       struct pst_access_why *ret_why)
{
    struct stat st;
    const char *what = kind == PST_ACCESS_DIRECTORY ? "write" : "read";
    ret_why->todo[0] = '\0';
    if (errno_value == EROFS) {
        SEEN(ret_why, "%s is on a read-only file system", path);
        ADVISE(ret_why, "mount it writable, or mount a volume there");
    } else if (stat(path, &st) < 0) {
        SEEN(ret_why, "user %u may not %s %s (%s)", (unsigned)geteuid(), what, path, strerror(errno_value));
        ADVISE(ret_why, "look at the rights of the directories on the way there");
    } else {
        SEEN(ret_why, "user %u may not %s%s %s (user %u, group %u, mode %04o)", (unsigned)geteuid(), what,
             kind == PST_ACCESS_DIRECTORY ? " in" : "", path, (unsigned)st.st_uid, (unsigned)st.st_gid,
             (unsigned)(st.st_mode & MODE_BITS));
        say_denied(&st, kind, ret_why);
    }
}
