/* SPDX-License-Identifier: Apache-2.0 */
/* The client certificates that were approved or revoked, as the keyring's snapshots hold them: one block,
 * sorted by digest, never written to once it is published. */
#ifndef POSTERN_AUTH_APPROVALS_H
#define POSTERN_AUTH_APPROVALS_H

#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_keys_store;

struct pst_approval {
    uint8_t digest[32];
    uint64_t key; /* pst_key_id_number(); UINT64_MAX: of no key */
    bool of_key;  /* the digest is of the public key */
    bool revoked;
};

struct pst_approvals {
    int64_t seq; /* of the last change in it */
    size_t n;
    struct pst_approval at[];
};

/* All there are, in a block that free() frees; NULL in *ret when there are none. -PST_ENOMEM, errors of the
 * store. */
int pst_approvals_load(struct pst_keys_store *store, struct pst_approvals **ret) PST_MUSTCHECK;
/* NULL when there is none; `approvals` may be NULL. */
const struct pst_approval *pst_approvals_find(const struct pst_approvals *approvals,
                                              const uint8_t digest[static 32], bool of_key);

#endif
