/* SPDX-License-Identifier: Apache-2.0 */
/* Where the data lies. data_dir names a directory, most often a volume. When that is not the gateway user's
 * own (Kubernetes mounts volumes owned by root, with write permission for the group of fsGroup), or is shared
 * with others, the data lies in a directory of its own below it, data_dir/private, mode 0700: what happens to
 * the volume's own permissions at each mount does not matter then. Data that lies directly in data_dir stays
 * there.
 *
 * Every sub-command finds it by pst_data_dir_find(), so all agree. Any thread. */
#ifndef POSTERN_DB_DATA_DIR_H
#define POSTERN_DB_DATA_DIR_H

#include "postern/base/access.h"
#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PST_DATA_DIR_OWN "private"

/* The directory that the data of `data_dir` lies in, or will lie in; changes nothing. In this order: data_dir
 * when there is data in it; data_dir/private when there is data in that; data_dir when it is missing, is this
 * user's and nobody else can write in it, or is another user's than root's (which is an error, found later);
 * else data_dir/private. -PST_ELIMIT: the path is too long. */
int pst_data_dir_find(const char *data_dir, char *ret_dir, size_t size) PST_MUSTCHECK;

/* Makes `dir` (as found), mode 0700, when it is missing, but not its parents. Puts right the modes of it and
 * of the files in it that are this user's: a mount may have changed them. Then checks that this process can,
 * and others cannot, write in it. 0, -PST_ENOENT (no parent), -PST_EACCES, -PST_EIO, ... with `ret_why`. */
int pst_data_dir_ensure(const char *dir, struct pst_access_why *ret_why) PST_MUSTCHECK;
/* The same, except that it does not make it: -PST_ENOENT without words when it is missing. */
int pst_data_dir_settle(const char *dir, struct pst_access_why *ret_why) PST_MUSTCHECK;

/* What pst_data_dir_ensure() would come to; changes nothing. 0, and `ret_why->seen` tells of the directory:
 * its owner and mode, and whether it is to be made or put right; or as pst_data_dir_ensure(). */
int pst_data_dir_look(const char *dir, struct pst_access_why *ret_why) PST_MUSTCHECK;

/* The path of a file that can be mounted into data_dir (the pepper, the first admin token): in `dir`; or,
 * when it is not there and `dir` is the one below data_dir, in data_dir itself, if it is there. -PST_ELIMIT:
 * too long. */
int pst_data_dir_file(const char *dir, const char *name, char *ret_path, size_t size) PST_MUSTCHECK;

#endif
