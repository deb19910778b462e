/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int pst_fd_close(int fd)
{
    int saved_errno = errno;
    if (fd >= 0)
        close(fd);
    errno = saved_errno;
    return -1;
}

void pst_fd_cleanup(int *fd)
{
    *fd = pst_fd_close(*fd);
}

int pst_fd_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return pst_err_from_errno(errno);
    return 0;
}

int pst_file_read(const char *path, size_t max_bytes, struct pst_buf *ret_content)
{
    PST_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return pst_err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return -PST_ENOTFILE;
    struct pst_buf content;
    pst_buf_init(&content, max_bytes);
    char piece[4096];
    int err = 0;
    for (;;) {
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        err = n < 0 ? pst_err_from_errno(errno) : pst_buf_add(&content, piece, (size_t)n);
        if (err < 0)
            break;
    }
    explicit_bzero(piece, sizeof(piece)); /* the file may hold a secret */
    if (err < 0) {
        pst_buf_wipe(&content);
        return err;
    }
    *ret_content = content;
    return 0;
}

int pst_fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *data = bytes;
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pst_err_from_errno(errno);
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Writes a file beside `path`; its name is left in `temp`. */
static int write_beside(const char *path, const void *data, size_t len, mode_t mode, char temp[PATH_MAX])
{
    int n = snprintf(temp, PATH_MAX, "%s.XXXXXX", path);
    if (n < 0 || n >= PATH_MAX)
        return -PST_ELIMIT;
    PST_FD fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return pst_err_from_errno(errno);
    int err = fchmod(fd, mode) < 0 ? pst_err_from_errno(errno) : pst_fd_write_all(fd, data, len);
    if (err == 0 && fsync(fd) < 0)
        err = pst_err_from_errno(errno);
    if (err < 0)
        unlink(temp);
    return err;
}

/* A new name is on disk only when its directory is. Best effort: the content has arrived, and some file
 * systems cannot do it. */
static void sync_parent(const char *path)
{
    char dir[PATH_MAX];
    ptrdiff_t slash = -1;
    for (ptrdiff_t i = 0; path[i] != '\0'; i++)
        slash = path[i] == '/' ? i : slash;
    struct pst_str parent = slash < 0 ? PST_STR(".") : (struct pst_str){path, (size_t)slash + 1};
    if (pst_str_copy(parent, dir, sizeof(dir)) < 0)
        return;
    PST_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}

int pst_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
    char temp[PATH_MAX];
    int err = write_beside(path, data, len, mode, temp);
    if (err < 0)
        return err;
    if (rename(temp, path) < 0) {
        err = pst_err_from_errno(errno);
        unlink(temp);
        return err;
    }
    sync_parent(path);
    return 0;
}

int pst_file_create_once(const char *path, const void *data, size_t len, mode_t mode)
{
    char temp[PATH_MAX];
    int err = write_beside(path, data, len, mode, temp);
    if (err < 0)
        return err;
    if (link(temp, path) < 0)
        err = pst_err_from_errno(errno);
    unlink(temp);
    if (err == 0)
        sync_parent(path);
    return err;
}

int pst_dir_ensure(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return pst_err_from_errno(errno);
    struct stat st;
    if (stat(path, &st) < 0)
        return pst_err_from_errno(errno);
    return S_ISDIR(st.st_mode) ? 0 : -PST_EACCES;
}
