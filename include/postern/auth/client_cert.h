/* SPDX-License-Identifier: Apache-2.0 */
/* Approving client certificates, and revoking them. On the same service, and by the same rules for threads
 * and `why`, as keys.h; each change is in the audit trail, and in force in a running gateway within a second.
 *
 * An approval stands before the rules of client_certificate_keys; a revoked certificate is refused whatever
 * rule it fits. Chain, dates and lists of the CAs are judged besides, as for every certificate. */
#ifndef POSTERN_AUTH_CLIENT_CERT_H
#define POSTERN_AUTH_CLIENT_CERT_H

#include "postern/auth/keys.h"
#include "postern/db/client_certificates.h"

/* Approves row->digest for the key row->key_id; empty: for a new key called `new_name`, which has no secrets,
 * so that only certificates open it. Whatever was said of the digest before is replaced. row->created_us and
 * revoked_us are not read; row->key_id is filled. -PST_ENOENT (no such key), -PST_EINVAL (the name),
 * -PST_ELIMIT, errors of the store. */
int pst_client_cert_approve(struct pst_keys *keys, struct pst_client_certificate_row *row,
                            struct pst_str new_name, struct pst_why *why) PST_MUSTCHECK;
/* Revokes row->digest, which need not have been approved. */
int pst_client_cert_revoke(struct pst_keys *keys, const struct pst_client_certificate_row *row,
                           struct pst_why *why) PST_MUSTCHECK;

#endif
