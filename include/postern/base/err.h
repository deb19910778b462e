/* SPDX-License-Identifier: Apache-2.0 */
/* Errors. Every fallible function returns 0 (or something positive) on success and a negative
 * value of this enum on failure; `ret_` parameters are written on success only. Text for people is
 * made, and logged once, where an error stops travelling (worker, proxy, admin, cmd). Any thread. */
#ifndef POSTERN_BASE_ERR_H
#define POSTERN_BASE_ERR_H

enum pst_err {
    PST_OK = 0,
    PST_ENOMEM,   /* no memory */
    PST_EINVAL,   /* an argument or a value is not valid */
    PST_EPARSE,   /* text or bytes that do not follow their grammar */
    PST_EAGAIN,   /* nothing to be had now; the caller is told when to try again */
    PST_EBUSY,    /* a bound is reached: a full pool, queue or table */
    PST_ESHARE,   /* the asker's share of something bounded is used up, though others may have more */
    PST_ELIMIT,   /* larger than a limit in the settings allows */
    PST_ENOENT,   /* no such key, file, row */
    PST_EEXIST,   /* it is there already */
    PST_EACCES,   /* not permitted */
    PST_ENOTFILE, /* a directory, pipe or device where a regular file is needed */
    PST_EIO,      /* the operating system said no; errno says why */
    PST_EFULL,    /* no room for more in a file: the disk, a quota or a limit of file sizes (EFBIG) */
    PST_ECLOSED,  /* the peer closed the connection in order */
    PST_ERESET,   /* the peer broke the connection */
    PST_EREFUSED, /* nobody listens there, or no route to it */
    PST_ETIMEOUT, /* a time limit passed */
    PST_EPROTO,   /* the peer broke the protocol */
    PST_ETLS,     /* TLS failed; the session says why */
    PST_EDB,      /* SQLite failed; the store has logged what it said */
    PST_EVERSION, /* written by a newer version */
    PST_ERR_MAX
};

#define PST_MUSTCHECK         __attribute__((warn_unused_result))
#define PST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A short English text for an error of this enum, given as returned (negative) or positive. Static. */
const char *pst_strerror(int err);

/* Translates an errno to the nearest error, returned negative. */
int pst_err_from_errno(int errno_value);

#endif
