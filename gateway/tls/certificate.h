/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed certificate told in plain fields. Private to tls. */
#ifndef POSTERN_TLS_CERTIFICATE_H
#define POSTERN_TLS_CERTIFICATE_H

#include "postern/tls/client.h"

#include <mbedtls/x509_crt.h>

void tls_certificate_fill(const mbedtls_x509_crt *crt, struct pst_tls_certificate *ret);
/* Whether subject and issuer are the same name. */
bool tls_is_self_issued(const mbedtls_x509_crt *crt);
int64_t tls_time_us(const mbedtls_x509_time *t);

#endif
