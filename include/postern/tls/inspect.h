/* SPDX-License-Identifier: Apache-2.0 */
/* A look at a PEM file of certificates, as `postern doctor` takes it: nothing is kept. */
#ifndef POSTERN_TLS_INSPECT_H
#define POSTERN_TLS_INSPECT_H

#include "postern/tls/client.h"

/* What a server's certificate file amounts to, its first certificate being the server's own. */
struct pst_tls_inspection {
    struct pst_tls_certificate chain[PST_TLS_CHAIN_MAX];
    size_t n;
    bool in_order;  /* each certificate signed the one before it */
    bool reaches;   /* the last one is self-issued, or signed by one of the roots */
    bool weak;      /* RSA below 2048 bits, or signed with a broken hash */
    size_t strange; /* when not in order: which one (from 0) did not sign the one before it */
};

/* `roots` may be NULL: none are known. 0, or the error of reading it; *ret_why says what. */
int pst_tls_inspect_file(const char *path, struct pst_tls_roots *roots, struct pst_tls_inspection *ret,
                         struct pst_tls_why *ret_why) PST_MUSTCHECK;

#endif
