/* SPDX-License-Identifier: Apache-2.0 */
/* What bundle.c and chain.c share. */
#ifndef POSTERN_TLS_BUNDLE_PRIVATE_H
#define POSTERN_TLS_BUNDLE_PRIVATE_H

#include "bundle.h"
#include "outline.h"
#include "pem.h"

/* The DER of a certificate's block, for pst_buf_done(). A sentence when that fails. */
int tls_certificate_decode(const char *path, const struct tls_pem_block *block, struct pst_buf *ret_der,
                           struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* Notes one that is left out: "line 12 (NAME) PROBLEM". */
void tls_leave_out(struct tls_left_out *left_out, size_t line, struct pst_str der, const char *problem);
/* Why mbedTLS does not take it. */
void tls_certificate_problem(struct pst_str der, int mbedtls_error, char *ret_text, size_t size);

#endif
