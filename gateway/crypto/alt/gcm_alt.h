/* SPDX-License-Identifier: Apache-2.0 */
/* The context of MBEDTLS_GCM_ALT (gateway/crypto/hooks/gcm.c). Its size must not depend on the engine, which
 * is chosen when the process runs: the key, expanded, is apart. */
#ifndef POSTERN_GCM_ALT_H
#define POSTERN_GCM_ALT_H

struct pst_gcm_key;

typedef struct mbedtls_gcm_context {
    struct pst_gcm_key *key; /* NULL before setkey; wiped and freed by mbedtls_gcm_free() */
} mbedtls_gcm_context;

#endif
