/* SPDX-License-Identifier: Apache-2.0 */
/* Request ids: the client's X-Request-Id when it is harmless, else a new one. They tell requests apart in
 * logs and are no secret. One generator per worker, not shared. */
#ifndef POSTERN_HTTP_REQUEST_ID_H
#define POSTERN_HTTP_REQUEST_ID_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_REQUEST_ID_MAX  64 /* bytes accepted of a client */
#define PST_REQUEST_ID_SIZE (PST_REQUEST_ID_MAX + 1)

/* xoshiro256++ (Blackman and Vigna): 128 bits cost some nanoseconds, no system call. */
struct pst_request_ids {
    uint64_t state[4];
};

/* Seeds from getrandom(2). 0, or -PST_EIO. */
int pst_request_ids_init(struct pst_request_ids *ids) PST_MUSTCHECK;
/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool pst_request_id_is_valid(struct pst_str s);
/* The request's own id when it has exactly one and that is valid, else 32 hex digits. Terminated;
 * returns the slice of `id`. */
struct pst_str pst_request_id_take(struct pst_request_ids *ids, const struct pst_fields *fields,
                                   char id[static PST_REQUEST_ID_SIZE]);

#endif
