/* SPDX-License-Identifier: Apache-2.0 */
/* Which key a client's certificate stands for: rules of the setting client_certificate_keys, each a key's id
 * and what the certificate must be:
 *
 * - ID dns=robot.example: a DNS name among its subject alternative names; "*.example": one more label
 * - ID uri=spiffe://example/a: a URI among them; with "*" at its end, what begins so
 * - ID cn=robot: its common name
 * - ID subject=O=Example, CN=r: its whole subject (in a file: a list cuts texts at commas)
 * - ID sha256=HEX: it and no other (colons may stand between the bytes)
 * - ID key-sha256=HEX: its public key (SubjectPublicKeyInfo), whatever certificate holds it
 * - ID *: any certificate of the CAs
 *
 * The first that fits decides. Read-only after parsing, any thread. */
#ifndef POSTERN_AUTH_CERTIFICATE_RULES_H
#define POSTERN_AUTH_CERTIFICATE_RULES_H

#include "postern/auth/why.h"
#include "postern/base/err.h"
#include "postern/tls/client_identity.h"

#include <stddef.h>

#define PST_CERTIFICATE_RULES_SETTING "client_certificate_keys"

struct pst_certificate_rules;

/* `items` must outlive the rules. 0; -PST_EPARSE and -PST_ENOMEM with a sentence. */
int pst_certificate_rules_parse(char *const *items, size_t n, struct pst_certificate_rules **ret,
                                struct pst_why *why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_certificate_rules_free(struct pst_certificate_rules *rules);
/* The key's id, empty when no rule fits. */
struct pst_str pst_certificate_rules_find(const struct pst_certificate_rules *rules,
                                          const struct pst_client_identity *identity);

#endif
