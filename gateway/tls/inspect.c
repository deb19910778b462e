/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/inspect.h"

#include "certificate.h"
#include "client_private.h"
#include "postern/base/fd.h"

#include <stdio.h>
#include <string.h>

#define PEM_MAX_BYTES (256 * 1024)

/* What mbedTLS has against `child` when `parent` (may be NULL) is the only one trusted. */
static uint32_t flags_of(const mbedtls_x509_crt *child, const mbedtls_x509_crt *parent)
{
    uint32_t flags = 0;
    mbedtls_x509_crt one = *child, root; /* without those that follow them */
    one.next = NULL;
    if (parent != NULL) {
        root = *parent;
        root.next = NULL;
    }
    (void)mbedtls_x509_crt_verify(&one, parent != NULL ? &root : NULL, NULL, NULL, &flags, NULL, NULL);
    return flags;
}

static bool signed_by(const mbedtls_x509_crt *child, const mbedtls_x509_crt *parent)
{
    return child->issuer_raw.len == parent->subject_raw.len &&
           memcmp(child->issuer_raw.p, parent->subject_raw.p, child->issuer_raw.len) == 0 &&
           (flags_of(child, parent) & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0;
}

static bool reaches_root(const mbedtls_x509_crt *last, const struct pst_tls_roots *roots)
{
    if (tls_is_self_issued(last))
        return true;
    for (const mbedtls_x509_crt *it = roots != NULL ? &roots->chain : NULL; it != NULL; it = it->next) {
        if (it->raw.p != NULL && signed_by(last, it))
            return true;
    }
    return false;
}

/* What a root signed itself with does not matter. */
static bool is_weak(const mbedtls_x509_crt *crt)
{
    uint32_t flags = flags_of(crt, NULL);
    return (flags & MBEDTLS_X509_BADCERT_BAD_KEY) != 0 ||
           (!tls_is_self_issued(crt) &&
            (flags & (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK)) != 0);
}

static void look(const mbedtls_x509_crt *chain, const struct pst_tls_roots *roots,
                 struct pst_tls_inspection *ret)
{
    const mbedtls_x509_crt *last = chain;
    *ret = (struct pst_tls_inspection){.in_order = true};
    for (const mbedtls_x509_crt *it = chain; it != NULL && ret->n < PST_TLS_CHAIN_MAX; it = it->next) {
        if (ret->in_order && it != chain && !signed_by(last, it)) {
            ret->in_order = false;
            ret->strange = ret->n;
        }
        ret->weak |= is_weak(it);
        tls_certificate_fill(it, &ret->chain[ret->n++]);
        last = it;
    }
    ret->reaches = reaches_root(last, roots);
}

int pst_tls_inspect_file(const char *path, struct pst_tls_roots *roots, struct pst_tls_inspection *ret,
                         struct pst_tls_why *ret_why)
{
    struct pst_buf content;
    int err = pst_file_read(path, PEM_MAX_BYTES, &content);
    if (err < 0) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s cannot be read: %s", path, pst_strerror(err));
        return err;
    }
    mbedtls_x509_crt chain;
    mbedtls_x509_crt_init(&chain);
    const char *text = pst_buf_cstr(&content);
    if (text == NULL || mbedtls_x509_crt_parse(&chain, (const unsigned char *)text, strlen(text) + 1) != 0) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s is not a PEM certificate chain", path);
        err = -PST_EPARSE;
    } else {
        look(&chain, roots, ret);
    }
    mbedtls_x509_crt_free(&chain);
    pst_buf_done(&content);
    return err;
}
