/* SPDX-License-Identifier: Apache-2.0 */
/* Approved and revoked client certificates, in keys.db. By the rules of keys_store.h for threads, times,
 * errors and transactions; every change takes a change_seq, so that the keyring sees it. */
#ifndef POSTERN_DB_CLIENT_CERTIFICATES_H
#define POSTERN_DB_CLIENT_CERTIFICATES_H

#include "postern/db/keys_store.h"

#define PST_CLIENT_CERTIFICATES_MAX        100000
#define PST_CLIENT_CERTIFICATE_SUBJECT_MAX 255 /* bytes; what is longer is cut */

struct pst_client_certificate_row {
    uint8_t digest[PST_KEYS_DIGEST_BYTES]; /* SHA-256 of the certificate ... */
    bool of_key;                           /* ... or of its public key */
    char key_id[PST_KEYS_ID_MAX + 1];      /* empty: revoked, and never approved */
    char subject[PST_CLIENT_CERTIFICATE_SUBJECT_MAX + 1];
    int64_t not_after_us; /* 0: not known */
    int64_t created_us;
    int64_t revoked_us; /* 0: approved */
};

typedef int pst_client_certificate_fn(const struct pst_client_certificate_row *row, void *arg);

/* Adds it, or takes the place of the one with this digest. -PST_ELIMIT: there are too many. */
int pst_client_certificates_put(struct pst_keys_store *store,
                                const struct pst_client_certificate_row *row) PST_MUSTCHECK;
/* In the order of their digests. fn: 0 goes on, a negative result is passed on. */
int pst_client_certificates_list(struct pst_keys_store *store, pst_client_certificate_fn *fn,
                                 void *arg) PST_MUSTCHECK;
/* Whether a certificate was revoked: what is said of it by itself stands before what is said of its public
 * key. What nothing is said of was not. */
int pst_client_certificates_is_revoked(struct pst_keys_store *store,
                                       const uint8_t sha256[static PST_KEYS_DIGEST_BYTES],
                                       const uint8_t key_sha256[static PST_KEYS_DIGEST_BYTES],
                                       bool *ret) PST_MUSTCHECK;
/* The change_seq of the last change of any of them; 0: there are none. */
int pst_client_certificates_seq(struct pst_keys_store *store, int64_t *ret) PST_MUSTCHECK;

#endif
