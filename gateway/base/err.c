/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/err.h"

#include <errno.h>
#include <stddef.h>

static const char *const texts[PST_ERR_MAX] = {
    [PST_OK] = "success",
    [PST_ENOMEM] = "out of memory",
    [PST_EINVAL] = "not a valid value",
    [PST_EPARSE] = "does not follow its grammar",
    [PST_EAGAIN] = "nothing available now",
    [PST_EBUSY] = "a bound is reached",
    [PST_ESHARE] = "share used up",
    [PST_ELIMIT] = "larger than allowed",
    [PST_ENOENT] = "not found",
    [PST_EEXIST] = "exists already",
    [PST_EACCES] = "permission denied",
    [PST_ENOTFILE] = "not a regular file",
    [PST_EIO] = "input/output error",
    [PST_EFULL] = "no space left",
    [PST_ECLOSED] = "connection closed by the peer",
    [PST_ERESET] = "connection broken by the peer",
    [PST_EREFUSED] = "connection refused",
    [PST_ETIMEOUT] = "time limit passed",
    [PST_EPROTO] = "protocol violation by the peer",
    [PST_ETLS] = "TLS failure",
    [PST_EDB] = "database failure",
    [PST_EVERSION] = "written by a newer version",
};

const char *pst_strerror(int err)
{
    int positive = err < 0 ? -err : err;
    if (positive >= PST_ERR_MAX || texts[positive] == NULL)
        return "unknown error";
    return texts[positive];
}

int pst_err_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return PST_OK;
    case ENOMEM:
        return -PST_ENOMEM;
    case EINVAL:
        return -PST_EINVAL;
    case EAGAIN:
    case EINTR:
        return -PST_EAGAIN;
    case ENOENT:
    case ENOTDIR:
        return -PST_ENOENT;
    case EEXIST:
        return -PST_EEXIST;
    case EACCES:
    case EPERM:
    case EROFS:
        return -PST_EACCES;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* a limit of file sizes (ulimit -f): for the one who writes, a full disk */
        return -PST_EFULL;
    case EMFILE:
    case ENFILE:
    case EADDRINUSE:
        return -PST_EBUSY;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        return -PST_EREFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return -PST_ERESET;
    case ETIMEDOUT:
        return -PST_ETIMEOUT;
    case EMSGSIZE:
        return -PST_ELIMIT;
    default:
        return -PST_EIO;
    }
}
