/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking with a deadline on a non-blocking socket. Private to fetch. */
#ifndef POSTERN_FETCH_PRIVATE_H
#define POSTERN_FETCH_PRIVATE_H

#include "postern/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Until one of poll(2)'s events is there: 0, -PST_ETIMEOUT, -PST_EIO. */
int fetch_wait(int fd, short events, uint64_t deadline_us) PST_MUSTCHECK;
/* All of it: 0, -PST_ERESET, -PST_ETIMEOUT. */
int fetch_send(int fd, const void *data, size_t len, uint64_t deadline_us) PST_MUSTCHECK;
/* Some: the count, 0 at the end, -PST_ERESET, -PST_ETIMEOUT. */
ssize_t fetch_receive(int fd, void *data, size_t len, uint64_t deadline_us) PST_MUSTCHECK;

#endif
