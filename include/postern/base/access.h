/* SPDX-License-Identifier: Apache-2.0 */
/* Who else can get at what the gateway keeps or is given: one rule for its directories, its databases, the
 * pepper, TLS keys, credentials, CA files and lists.
 *
 *   - Root is nobody else, and neither is this process's user.
 *   - The owner of a file can always get at it, whatever its mode.
 *   - Its group can get at it when the mode says so, and is nobody else when it is one of this process's
 * groups (effective or supplementary): so Kubernetes hands out volumes (owned by root, group fsGroup).
 *   - Everybody can when the mode says so.
 *   - A process of root takes directories and lists of another user as they are: it acts for them.
 *
 * What this process's user owns is put right and not complained about. Any thread. */
#ifndef POSTERN_BASE_ACCESS_H
#define POSTERN_BASE_ACCESS_H

#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What it is, and hence what others must not be able to do. */
enum pst_access_kind {
    PST_ACCESS_DIRECTORY, /* write */
    PST_ACCESS_FILE,      /* write */
    PST_ACCESS_SECRET,    /* read or write */
};

enum pst_access_by { PST_ACCESS_NOBODY, PST_ACCESS_OWNER, PST_ACCESS_GROUP, PST_ACCESS_EVERYBODY };

struct pst_access_user {
    uid_t uid;           /* effective */
    gid_t gid;           /* effective */
    const gid_t *groups; /* supplementary */
    size_t n_groups;
};

/* The rule. */
enum pst_access_by pst_access_of_others(const struct pst_access_user *me, uid_t owner, gid_t group,
                                        mode_t mode, enum pst_access_kind kind);
/* This process; its supplementary groups as they were when first asked. */
struct pst_access_user pst_access_me(void);

/* What was found and what to do about it, each a sentence without its full stop. */
struct pst_access_why {
    char seen[512]; /* a longer path is cut */
    char todo[384];
};

/* Both in one: "seen: todo". */
#define PST_ACCESS_TEXT_SIZE 900
void pst_access_text(const struct pst_access_why *why, char ret_text[static PST_ACCESS_TEXT_SIZE]);

/* Applies the rule to what stat() found at `path`: 0, or -PST_EACCES with `ret_why`. */
int pst_access_judge(const char *path, const struct stat *st, enum pst_access_kind kind,
                     struct pst_access_why *ret_why) PST_MUSTCHECK;
/* The mode that a file or directory of this user's is to have: as it is, or without what lets others in. */
mode_t pst_access_right_mode(mode_t mode, enum pst_access_kind kind);
/* Puts right what this user owns (chmod), then judges. Links are followed. 0, -PST_EACCES with `ret_why`;
 * -PST_ENOENT and other errors of stat() with `ret_why->seen`. */
int pst_access_settle(const char *path, enum pst_access_kind kind,
                      struct pst_access_why *ret_why) PST_MUSTCHECK;
/* Whether other users cannot get to the file anyway: a directory on the way there (links followed) lets in
 * neither everybody nor a group that this process is not in, and is root's or this user's. */
bool pst_access_is_closed_off(const char *path) PST_MUSTCHECK;
/* Why this process may not read (or, of a directory, write) there, and what to do: after an EACCES, EPERM or
 * EROFS, which `errno_value` is. */
void pst_access_denied(const char *path, int errno_value, enum pst_access_kind kind,
                       struct pst_access_why *ret_why);

#endif
