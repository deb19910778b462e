/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists in a PEM file. One that cannot be read is never left out: what it revokes would be let in.
 */
#include "bundle.h"
#include "pem.h"

#include <mbedtls/error.h>
#include <stdio.h>

static int add_crl(const char *path, const struct tls_pem_block *block, mbedtls_x509_crl *crls,
                   struct pst_tls_why *ret_why)
{
    struct pst_buf der;
    char text[128];
    int err = tls_pem_decode(block, &der);
    if (err == -PST_ENOMEM) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s: out of memory", path);
        return err;
    }
    if (err < 0) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s: the revocation list in line %zu %s", path,
                 block->line, block->whole ? "is not valid base64" : "has no END line: the file is cut off");
        return err;
    }
    int ret = mbedtls_x509_crl_parse_der(crls, (const unsigned char *)pst_buf_front(&der), pst_buf_len(&der));
    pst_buf_done(&der);
    if (ret == 0)
        return 0;
    mbedtls_strerror(ret, text, sizeof(text));
    snprintf(ret_why->text, sizeof(ret_why->text), "%s: the revocation list in line %zu cannot be used (%s)",
             path, block->line, text);
    return -PST_EPARSE;
}

int tls_crls_read(const char *path, struct pst_str text, mbedtls_x509_crl *ret_crls,
                  struct pst_tls_why *ret_why)
{
    struct tls_pem_reader reader = {.rest = text};
    struct tls_pem_block block;
    char what[256];
    size_t n = 0;
    int err = 0;
    while (err == 0 && tls_pem_next(&reader, &block)) {
        if (!tls_pem_is_crl(&block))
            continue;
        err = add_crl(path, &block, ret_crls, ret_why);
        n++;
    }
    if (err < 0 || n > 0)
        return err;
    tls_pem_describe(text, "certificate revocation list", what, sizeof(what));
    snprintf(ret_why->text, sizeof(ret_why->text), "%s %s", path, what);
    return -PST_EPARSE;
}
