/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates of PEM files: bundles of CAs, and servers' chains with their keys. Files that people
 * collected hold what nobody here can use; that is left out and said, as long as the rest will do. Private to
 * tls. Any thread. Texts name the file. */
#ifndef POSTERN_TLS_BUNDLE_H
#define POSTERN_TLS_BUNDLE_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/tls/client.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>

/* What was left out of a file. */
struct tls_left_out {
    size_t n;
    size_t n_told;
    char text[384]; /* the first of them: "line 12 (Old Root) is of an unsupported key type (Ed25519); line
                       40…" */
};

/* Adds a file's certificates to `chain`, which may have some. With `cas` only those of CAs are taken. 0, with
 * what was left out; -PST_EPARSE when there is no certificate that can be used, or the file is cut off;
 * -PST_ENOMEM. */
int tls_bundle_add(const char *path, struct pst_str text, bool cas, mbedtls_x509_crt *chain,
                   struct tls_left_out *ret_left_out, struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* A sentence about it, "" when nothing was. */
void tls_left_out_describe(const char *path, const struct tls_left_out *left_out, char *ret_text,
                           size_t size);

/* The chain of a server as it is to be sent (RFC 8446 section 4.4.2): its own certificate, which is the one
 * `key` belongs to, then those that certify it, then others that certify one of these (cross-signed). The
 * file may have them in any order. `key` may be NULL: then the server's is the first that certifies no other
 * and, where there is one, is no CA's. Certificates above the server's that mbedTLS cannot read are sent all
 * the same: in those only the DER and the two names are set, and the version is 0. Certificates that do not
 * belong there are left out. 0; -PST_EPARSE, -PST_EINVAL (none belongs to the key), -PST_ELIMIT, -PST_ENOMEM.
 */
int tls_chain_read(const char *path, struct pst_str text, const mbedtls_pk_context *key,
                   mbedtls_x509_crt *ret_chain, struct tls_left_out *ret_left_out,
                   struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* Whether mbedTLS read it. */
static inline bool tls_chain_is_read(const mbedtls_x509_crt *crt)
{
    return crt->version != 0;
}

/* All revocation lists of a file: 0, or -PST_EPARSE when there is none or one of them cannot be read;
 * -PST_ENOMEM. */
int tls_crls_read(const char *path, struct pst_str text, mbedtls_x509_crl *ret_crls,
                  struct pst_tls_why *ret_why) PST_MUSTCHECK;

/* A private key in a PEM file, into an initialized context: 0, -PST_EPARSE, -PST_ENOMEM. */
int tls_key_read(const char *path, struct pst_str text, mbedtls_pk_context *ret_key,
                 struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* Random bytes for blinding while a key is read or checked; PSA's generator is up before any key is. */
int tls_key_random(void *arg, unsigned char *data, size_t len);

#endif
