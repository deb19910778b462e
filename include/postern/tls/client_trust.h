/* SPDX-License-Identifier: Apache-2.0 */
/* Whom clients' certificates are trusted from: a bundle of CAs, and lists of what they revoked. The texts are
 * read once and shared; every worker parses its own copy (mbedTLS's objects are no two threads' to use).
 *
 * Immutable and counted; any thread. A new one takes the place of the old one when the files change
 * (pst_tls_context_trust()). */
#ifndef POSTERN_TLS_CLIENT_TRUST_H
#define POSTERN_TLS_CLIENT_TRUST_H

#include "postern/base/err.h"
#include "postern/tls/client.h"

#include <stdbool.h>

struct pst_client_trust;

struct pst_client_trust_options {
    const char *ca;           /* PEM bundle; must live as long as the trust */
    const char *crl;          /* PEM, one list or several; empty: none */
    bool expired_crl_will_do; /* else certificates of its CA are refused when a list is out of date */
    unsigned max_depth;       /* certificates above the client's, the CA's own included */
};

/* Certificates of the bundle that cannot be used here, or are not a CA's, are left out as long as there are
 * others; a revocation list that cannot be read never is. 0; or why not, in a sentence: -PST_ENOENT,
 * -PST_EACCES, -PST_EIO, -PST_ELIMIT, -PST_EPARSE, -PST_ENOMEM. */
int pst_client_trust_load(const struct pst_client_trust_options *options, struct pst_client_trust **ret,
                          struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* A sentence about what was left out of the bundle; "" when nothing was. */
const char *pst_client_trust_left_out(const struct pst_client_trust *trust);
struct pst_client_trust *pst_client_trust_ref(struct pst_client_trust *trust);
/* NULL is fine. */
void pst_client_trust_unref(struct pst_client_trust *trust);
/* False when a file is another than was read, also behind a link that was turned (Kubernetes). */
bool pst_client_trust_is_current(const struct pst_client_trust *trust);

#endif
