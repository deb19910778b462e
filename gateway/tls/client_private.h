/* SPDX-License-Identifier: Apache-2.0 */
/* What the client's files share. */
#ifndef POSTERN_TLS_CLIENT_PRIVATE_H
#define POSTERN_TLS_CLIENT_PRIVATE_H

#include "postern/tls/client.h"

#include <limits.h>
#include <mbedtls/x509_crt.h>

struct pst_tls_roots {
    mbedtls_x509_crt chain;
    size_t n;
    char left_out[PST_TLS_LEFT_OUT_TEXT];
};

/* mbedTLS's verification callback; `arg` is a struct pst_tls_peer, which it fills. */
int tls_peer_note(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags);
/* Our faults of mbedTLS's flags. */
unsigned tls_peer_faults(uint32_t flags);

#endif
