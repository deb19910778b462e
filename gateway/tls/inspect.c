/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/inspect.h"

#include "bundle.h"
#include "certificate.h"
#include "client_private.h"
#include "outline.h"
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

/* Where mbedTLS could not read one of the two, the names have to do. */
static bool signed_by(const mbedtls_x509_crt *child, const mbedtls_x509_crt *parent)
{
    if (child->issuer_raw.len != parent->subject_raw.len ||
        memcmp(child->issuer_raw.p, parent->subject_raw.p, child->issuer_raw.len) != 0)
        return false;
    return !tls_chain_is_read(child) || !tls_chain_is_read(parent) ||
           (flags_of(child, parent) & MBEDTLS_X509_BADCERT_NOT_TRUSTED) == 0;
}

/* Whether it signed one of those that stand in front of it in the chain. */
static bool signed_any(const mbedtls_x509_crt *chain, const mbedtls_x509_crt *parent)
{
    for (const mbedtls_x509_crt *it = chain; it != parent; it = it->next) {
        if (signed_by(it, parent))
            return true;
    }
    return false;
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
    uint32_t flags = tls_chain_is_read(crt) ? flags_of(crt, NULL) : 0;
    return (flags & MBEDTLS_X509_BADCERT_BAD_KEY) != 0 ||
           (!tls_is_self_issued(crt) &&
            (flags & (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK)) != 0);
}

/* The chain is in order; behind the way up there may be others that lead elsewhere. */
static void look(const mbedtls_x509_crt *chain, const struct pst_tls_roots *roots,
                 struct pst_tls_inspection *ret)
{
    const mbedtls_x509_crt *last = chain;
    bool on_way = true;
    *ret = (struct pst_tls_inspection){.all_signed = true};
    for (const mbedtls_x509_crt *it = chain; it != NULL && ret->n < PST_TLS_CHAIN_MAX; it = it->next) {
        if (ret->all_signed && it != chain && !signed_any(chain, it)) {
            ret->all_signed = false;
            ret->strange = ret->n;
        }
        on_way = on_way && (it == chain || signed_by(last, it));
        if (on_way) {
            last = it;
            ret->last = ret->n;
        }
        ret->weak |= is_weak(it);
        ret->reaches |= reaches_root(it, roots);
        tls_certificate_fill(it, &ret->chain[ret->n++]);
    }
}

static void fill_all(const mbedtls_x509_crt *chain, struct pst_tls_inspection *ret)
{
    *ret = (struct pst_tls_inspection){.all_signed = true};
    for (const mbedtls_x509_crt *it = chain; it != NULL && ret->n < PST_TLS_CHAIN_MAX; it = it->next)
        tls_certificate_fill(it, &ret->chain[ret->n++]);
}

static int read_file(const char *path, struct pst_buf *ret_content, struct pst_tls_why *ret_why)
{
    int err = pst_file_read(path, PEM_MAX_BYTES, ret_content);
    if (err < 0)
        snprintf(ret_why->text, sizeof(ret_why->text), "%s cannot be read: %s", path, pst_strerror(err));
    return err;
}

int pst_tls_inspect_file(const char *path, struct pst_tls_roots *roots, struct pst_tls_inspection *ret,
                         struct pst_tls_why *ret_why)
{
    struct tls_left_out left_out;
    struct pst_buf content;
    mbedtls_x509_crt chain;
    int err = read_file(path, &content, ret_why);
    if (err < 0)
        return err;
    mbedtls_x509_crt_init(&chain);
    err = tls_chain_read(path, pst_buf_str(&content), NULL, &chain, &left_out, ret_why);
    if (err == 0)
        look(&chain, roots, ret);
    mbedtls_x509_crt_free(&chain);
    pst_buf_done(&content);
    return err;
}

int pst_tls_inspect_bundle(const char *path, struct pst_tls_inspection *ret, struct pst_tls_why *ret_why)
{
    struct tls_left_out left_out;
    struct pst_buf content;
    mbedtls_x509_crt chain;
    int err = read_file(path, &content, ret_why);
    if (err < 0)
        return err;
    mbedtls_x509_crt_init(&chain);
    err = tls_bundle_add(path, pst_buf_str(&content), false, &chain, &left_out, ret_why);
    if (err == 0)
        fill_all(&chain, ret);
    mbedtls_x509_crt_free(&chain);
    pst_buf_done(&content);
    return err;
}
