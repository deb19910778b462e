/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a PEM file of certificates, as `postern doctor` takes it: nothing is kept. */
#ifndef POSTERN_TLS_INSPECT_H
#define POSTERN_TLS_INSPECT_H

#include "postern/tls/client.h"

/* What a server's certificate file amounts to, in the order in which it is sent: the server's own certificate
 * first, then the way up from it, then others that certify one of these (cross-signed). */
struct pst_tls_inspection {
    struct pst_tls_certificate chain[PST_TLS_CHAIN_MAX];
    size_t n;
    bool all_signed; /* each certificate but the first signed one in front of it */
    bool reaches;    /* one of them is self-issued, or signed by one of the roots */
    bool weak;       /* RSA below 2048 bits, or signed with a broken hash */
    size_t last;     /* where the way up from the server's own ends */
    size_t strange;  /* when not all signed: which one (from 0) did not */
};

/* `roots` may be NULL: none are known. 0, or the error of reading it; *ret_why says what. */
int pst_tls_inspect_file(const char *path, struct pst_tls_roots *roots, struct pst_tls_inspection *ret,
                         struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* The certificates of a bundle, in the file's order: only `chain` and `n` are filled. 0, or the error of
 * reading it. */
int pst_tls_inspect_bundle(const char *path, struct pst_tls_inspection *ret,
                           struct pst_tls_why *ret_why) PST_MUSTCHECK;

#endif
