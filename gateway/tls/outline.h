/* SPDX-License-Identifier: Apache-2.0 */
/* What DER says on its face, for certificates and keys that mbedTLS does not take: why it does not, and how
 * to name them. Private to tls. Pure functions, any thread; results point into the DER. */
#ifndef POSTERN_TLS_OUTLINE_H
#define POSTERN_TLS_OUTLINE_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* RFC 5280 section 4.1. */
struct tls_outline {
    struct pst_str issuer;    /* whole DER, to compare */
    struct pst_str subject;   /* likewise */
    struct pst_str signature; /* object identifier of the algorithm it is signed with */
    struct pst_str key;       /* of its public key's */
    struct pst_str curve;     /* of the key's parameters, where they are one; else empty */
};

/* 0, or -PST_EPARSE: this is no certificate. */
int tls_outline_read(struct pst_str der, struct tls_outline *ret_outline) PST_MUSTCHECK;
/* The subject's common name, or its last part; "?" for what is not printable. */
void tls_outline_name(const struct tls_outline *outline, char *ret_text, size_t size);
/* Why mbedTLS refused it with that error: "is of an unsupported key type (Ed25519)". */
void tls_outline_problem(const struct tls_outline *outline, int mbedtls_error, char *ret_text, size_t size);

/* The kind of an unencrypted private key (PKCS#8, RFC 5958; SEC 1; PKCS#1) when it is one that is not
 * supported: "Ed25519". False: it is supported, or this is no such key. */
bool tls_private_key_is_unsupported(struct pst_str der, char *ret_kind, size_t size);

/* What a file in DER is. */
enum tls_der {
    TLS_DER_NONE, /* it is not DER */
    TLS_DER_CERTIFICATE,
    TLS_DER_PRIVATE_KEY,
    TLS_DER_PKCS12, /* RFC 7292 section 4 */
    TLS_DER_PKCS7,  /* RFC 5652 section 3 */
    TLS_DER_OTHER,
};

enum tls_der tls_der_kind(struct pst_str file);

/* "RSA, or EC with P-256 or P-384": what is. */
#define TLS_KEYS_SUPPORTED "RSA, or EC with P-256 or P-384"

#endif
