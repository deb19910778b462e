/* SPDX-License-Identifier: Apache-2.0 */
/* What all TLS sessions of one worker share: the mbedTLS configuration, its random generator, its copy of
 * the certificates, its ticket keys and its scratch buffers. Made and used by one thread; psa_crypto_init()
 * must have run before (pst_tls_init()). */
#ifndef POSTERN_TLS_CONTEXT_H
#define POSTERN_TLS_CONTEXT_H

#include "postern/base/err.h"
#include "postern/tls/client_trust.h"
#include "postern/tls/material.h"

#include <stdint.h>

enum pst_tls_profile {
    PST_TLS_INTERMEDIATE, /* TLS 1.2 and 1.3 */
    PST_TLS_MODERN,       /* TLS 1.3 only */
};

/* The largest plaintext of a record that mbedTLS makes: 2^14 with the byte that says its type in TLS 1.3 (RFC
 * 8446 section 5.2 would allow one more). A byte above it is a record and a system call of its own. */
#define PST_TLS_RECORD_BYTES 16383

#define PST_TICKET_KEY_BYTES  32
#define PST_TICKET_NAME_BYTES 4

/* The key that session tickets are sealed with, the same in every worker, so that a client may come back to
 * any of them. Rotation makes a new one; the previous one still opens tickets for another period. */
struct pst_ticket_key {
    uint8_t name[PST_TICKET_NAME_BYTES];
    uint8_t key[PST_TICKET_KEY_BYTES];
    uint32_t lifetime_s; /* of tickets; mbedTLS puts a random key of its own in the place of one older */
};

struct pst_tls_context;

/* Once, first, before any thread uses TLS. 0 or -PST_ETLS. */
int pst_tls_init(void) PST_MUSTCHECK;

/* Keeps a reference to `material`. */
int pst_tls_context_new(enum pst_tls_profile profile, struct pst_tls_material *material,
                        struct pst_tls_context **ret_context) PST_MUSTCHECK;
/* No session may be alive. NULL is fine. */
void pst_tls_context_free(struct pst_tls_context *context);

/* A random key for the next `period_s` seconds and, for what was sealed in them, as many again; at most 7
 * days in all, which is the most that TLS 1.3 has (RFC 8446 section 4.6.1). 0 or -PST_EIO. */
int pst_ticket_key_make(struct pst_ticket_key *ret_key, uint32_t period_s) PST_MUSTCHECK;
/* Makes `key` the one new tickets are sealed with. */
int pst_tls_context_rotate(struct pst_tls_context *context, const struct pst_ticket_key *key) PST_MUSTCHECK;

/* Asks clients for certificates from now on (`required`: the handshake fails without a valid one), and holds
 * them against `trust`, which may be exchanged while sessions are open. Sessions are not resumed any more:
 * each connection proves its certificate. Keeps a reference. 0, -PST_EPARSE, -PST_ENOMEM; then the last one
 * stays. */
int pst_tls_context_trust(struct pst_tls_context *context, struct pst_client_trust *trust,
                          bool required) PST_MUSTCHECK;

#endif
