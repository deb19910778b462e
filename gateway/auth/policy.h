/* SPDX-License-Identifier: Apache-2.0 */
/* What a key may be used for: methods and path prefixes (scopes), and client networks. Kept as JSON in the
 * database, compiled into one flat block for the keyring, so that a request is judged without parsing and
 * without memory.
 *
 * Paths are compared byte for byte, up to a segment's end. A path that another reader could take for a
 * different one (pst_path_is_plain()) is refused for every key with scopes, so that nothing slips past a
 * prefix in another spelling. Pure functions, any thread. */
#ifndef POSTERN_AUTH_POLICY_H
#define POSTERN_AUTH_POLICY_H

#include "postern/auth/keyring.h"
#include "postern/auth/why.h"
#include "postern/base/buf.h"

#define PST_POLICY_SCOPES_MAX   64
#define PST_POLICY_NETWORKS_MAX 64
#define PST_POLICY_PREFIX_MAX   512
/* All of it at its longest: counts, networks of 17 bytes, scopes of 3 bytes and a prefix. */
#define PST_POLICY_BYTES_MAX                                                                                 \
    (8 + PST_POLICY_NETWORKS_MAX * 17 + PST_POLICY_SCOPES_MAX * (3 + PST_POLICY_PREFIX_MAX))

/* Appends the block for both JSON texts (each may be empty) to `out`; nothing for a key without either.
 * -PST_EINVAL: `why` (may be NULL) names field, value and rule; -PST_ENOMEM. */
int pst_policy_compile(struct pst_str scopes, struct pst_str networks, struct pst_buf *out,
                       struct pst_why *why) PST_MUSTCHECK;
/* The block that refuses everything: for rules that cannot be read (a newer version's, say). */
int pst_policy_compile_closed(struct pst_buf *out) PST_MUSTCHECK;

/* PST_KEY_OK, PST_KEY_NETWORK, PST_KEY_SPELLING or PST_KEY_SCOPE. `address`: IPv4 as ::ffff:a.b.c.d. */
enum pst_key_verdict pst_policy_judge(const uint8_t *block, size_t len, struct pst_str method,
                                      struct pst_str path, const uint8_t address[static 16]) PST_MUSTCHECK;

#endif
