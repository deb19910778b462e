/* SPDX-License-Identifier: Apache-2.0 */
/* Files that hold something other than the PEM blocks that are looked for. */
#include "outline.h"
#include "pem.h"

#include <stdio.h>

static const char *const of_der[] = {
    [TLS_DER_CERTIFICATE] = "is a certificate in DER form, not PEM; convert it with openssl x509 -inform der",
    [TLS_DER_PRIVATE_KEY] = "is a private key in DER form, not PEM; convert it with openssl pkey -inform der",
    [TLS_DER_PKCS12] = "is a PKCS#12 archive (.pfx, .p12), not PEM; convert it with openssl pkcs12 -nodes",
    [TLS_DER_PKCS7] = "is a PKCS#7 bundle (.p7b) in DER form, not PEM; convert it with openssl pkcs7 -inform "
                      "der -print_certs",
    [TLS_DER_OTHER] = "is in DER form, not PEM",
};

/* By what a file begins with. */
static const struct {
    struct pst_str magic;
    const char *text;
} of_bytes[] = {
    {{"\xFF\xFE", 2}, "is UTF-16 text, not PEM; save it as UTF-8"},
    {{"\xFE\xFF", 2}, "is UTF-16 text, not PEM; save it as UTF-8"},
    {{"\xFE\xED\xFE\xED", 4},
     "is a Java key store, not PEM; convert it with keytool -importkeystore -deststoretype pkcs12 and "
     "openssl pkcs12 -nodes"},
};

/* By a block's label. */
static const struct {
    const char *label, *text;
} of_blocks[] = {
    {"CERTIFICATE REQUEST", "a certificate request"},
    {"NEW CERTIFICATE REQUEST", "a certificate request"},
    {"PKCS7", "a PKCS#7 bundle (convert it with openssl pkcs7 -print_certs)"},
    {"PUBLIC KEY", "a public key"},
    {"EC PARAMETERS", "EC parameters"},
    {"DH PARAMETERS", "DH parameters"},
};

static const char *block_text(const struct tls_pem_block *block)
{
    if (tls_pem_is_certificate(block))
        return "a certificate";
    if (tls_pem_is_private_key(block))
        return "a private key";
    if (tls_pem_is_crl(block))
        return "a certificate revocation list";
    for (size_t i = 0; i < sizeof(of_blocks) / sizeof(of_blocks[0]); i++) {
        if (pst_str_eq(block->label, pst_str_of(of_blocks[i].label)))
            return of_blocks[i].text;
    }
    return NULL;
}

/* Whether a shell or a template wrote "\n" where a line should end. */
static bool has_written_out_lines(struct pst_str text)
{
    for (; text.len > 1; text = pst_str_skip(text, 1)) {
        if (text.p[0] == '\\' && text.p[1] == 'n')
            return true;
    }
    return false;
}

static void describe_text(struct pst_str text, const char *wanted, char *ret_text, size_t size)
{
    struct tls_pem_reader reader = {.rest = text};
    struct tls_pem_block block;
    if (tls_pem_next(&reader, &block)) {
        const char *what = block_text(&block);
        if (what != NULL)
            snprintf(ret_text, size, "holds %s, but no %s", what, wanted);
        else
            snprintf(ret_text, size, "holds a PEM block \"%.*s\", but no %s",
                     block.label.len < 40 ? (int)block.label.len : 40, block.label.p, wanted);
    } else if (pst_str_starts(text, PST_STR("-----BEGIN ")) && has_written_out_lines(text)) {
        snprintf(ret_text, size, "is not PEM: it has \"\\n\" written out where lines should end");
    } else {
        snprintf(ret_text, size, "is not PEM: it has no -----BEGIN line");
    }
}

void tls_pem_describe(struct pst_str text, const char *wanted, char *ret_text, size_t size)
{
    const char *found = text.len == 0 ? "is empty" : of_der[tls_der_kind(text)];
    for (size_t i = 0; i < sizeof(of_bytes) / sizeof(of_bytes[0]); i++) {
        if (pst_str_starts(text, of_bytes[i].magic))
            found = of_bytes[i].text;
    }
    if (found != NULL)
        pst_str_clip(pst_str_of(found), ret_text, size);
    else
        describe_text(text, wanted, ret_text, size);
}
