/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's certificate stands for: rules of the settings client_certificate_keys (a key) and
 * admin_client_certificates (a role on the admin side), each a word, which is the key's id or the role, and
 * what the certificate must be:
 *
 * - WORD dns=robot.example: a DNS name among its subject alternative names; "*.example": one more label
 * - WORD uri=spiffe://example/a: a URI among them; with "*" at its end, what begins so
 * - WORD cn=robot: its common name
 * - WORD subject=O=Example, CN=r: its whole subject (in a file: a list cuts texts at commas)
 * - WORD sha256=HEX: it and no other (colons may stand between the bytes)
 * - WORD key-sha256=HEX: its public key (SubjectPublicKeyInfo), whatever certificate holds it
 * - WORD *: any certificate of the CAs
 *
 * The first that fits decides. Read-only after parsing, any thread. */
#ifndef POSTERN_AUTH_CERTIFICATE_RULES_H
#define POSTERN_AUTH_CERTIFICATE_RULES_H

#include "postern/auth/why.h"
#include "postern/base/err.h"
#include "postern/tls/client_identity.h"

#include <stddef.h>

#define PST_CERTIFICATE_RULES_SETTING "client_certificate_keys"
#define PST_CERTIFICATE_ROLES_SETTING "admin_client_certificates"

/* What the words of the rules are. */
enum pst_certificate_rules_of {
    PST_CERTIFICATE_RULES_OF_KEYS,  /* ids of keys */
    PST_CERTIFICATE_RULES_OF_ROLES, /* admin, viewer */
};

struct pst_certificate_rules;

/* `items` must outlive the rules. 0; -PST_EPARSE and -PST_ENOMEM with a sentence. */
int pst_certificate_rules_parse(enum pst_certificate_rules_of of, char *const *items, size_t n,
                                struct pst_certificate_rules **ret, struct pst_why *why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_certificate_rules_free(struct pst_certificate_rules *rules);
/* The word of the first rule that fits; empty: none does. */
struct pst_str pst_certificate_rules_find(const struct pst_certificate_rules *rules,
                                          const struct pst_client_identity *identity);

#endif
