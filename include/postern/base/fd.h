/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors and whole small files. Every descriptor made here is close-on-exec. Any thread. */
#ifndef POSTERN_BASE_FD_H
#define POSTERN_BASE_FD_H

#include "postern/base/buf.h"
#include "postern/base/err.h"

#include <stdint.h>
#include <sys/types.h>

/* Closes when >= 0 and returns -1: `fd = pst_fd_close(fd)`. errno is kept. */
int pst_fd_close(int fd);
void pst_fd_cleanup(int *fd);
/* A descriptor that is closed when its scope ends. */
#define PST_FD __attribute__((cleanup(pst_fd_cleanup))) int

int pst_fd_nonblocking(int fd) PST_MUSTCHECK;
/* Writes to a file that blocks, to the last byte: 0, -PST_EFULL (part of it may be there), -PST_EIO. */
int pst_fd_write_all(int fd, const void *bytes, size_t len) PST_MUSTCHECK;
/* Reads a regular file whole, at most `max_bytes`: 0, -PST_ENOENT, -PST_EACCES, -PST_ELIMIT, -PST_EIO, or
 * -PST_ENOTFILE. */
int pst_file_read(const char *path, size_t max_bytes, struct pst_buf *ret_content) PST_MUSTCHECK;
/* Writes a new version beside the file and renames it over the old one, synced to disk: a reader sees
 * the old or the new content, never half. */
int pst_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode) PST_MUSTCHECK;
/* Like it, but fails with -PST_EEXIST when the file is there (made once by whoever comes first). */
int pst_file_create_once(const char *path, const void *data, size_t len, mode_t mode) PST_MUSTCHECK;
/* Makes the directory (mode 0700) when it is missing, not its parents:
 * 0, -PST_ENOENT, -PST_EACCES, -PST_EIO. */
int pst_dir_ensure(const char *path) PST_MUSTCHECK;

#endif
