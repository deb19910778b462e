/* SPDX-License-Identifier: Apache-2.0 */
/* Where an issuer's keys are: reads a file, or asks the issuer over HTTPS. Blocking: not on a worker. Any
 * thread; calls share nothing. */
#ifndef POSTERN_AUTH_ISSUER_KEYS_H
#define POSTERN_AUTH_ISSUER_KEYS_H

#include "postern/auth/issuers.h"
#include "postern/auth/why.h"
#include "postern/base/buf.h"
#include "postern/base/err.h"

#include <stdint.h>

struct pst_issuer_keys_options {
    const char *ca_file; /* for issuers without one of their own; "" or NULL: the system's roots */
    const char *proxy;   /* as in fetch.h; "" or NULL: direct */
    uint64_t timeout_ms; /* of one document; there are two where the issuer's configuration is asked first */
};

/* The set's text, not parsed yet, into `text` (initialized, with a bound of at least PST_JWKS_BYTES_MAX).
 * `ret_max_age_s`: how long the issuer says it is good for; -1: it does not say. The errors of
 * pst_file_read() and pst_fetch_get(); -PST_EPROTO, -PST_EPARSE for what is no answer to the question; `why`
 * says which. */
int pst_issuer_keys_read(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options,
                         struct pst_buf *text, int64_t *ret_max_age_s, struct pst_why *why) PST_MUSTCHECK;
/* The same, parsed: whether they can be had, for one who wants to know it. And the errors of
 * pst_jwks_parse(); on success `why` says what was left out, if anything. */
int pst_issuer_keys_get(const struct pst_issuer *issuer, const struct pst_issuer_keys_options *options,
                        struct pst_jwks **ret, struct pst_why *why) PST_MUSTCHECK;

#endif
