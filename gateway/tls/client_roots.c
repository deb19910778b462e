/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"
#include "client_private.h"
#include "postern/base/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Some 220 KiB on Debian. */
#define BUNDLE_MAX_BYTES (4 * 1024 * 1024)

/* Where distributions keep the bundle: Debian, Ubuntu, Alpine, distroless; Fedora, Azure Linux, RHEL; SUSE;
 * the BSDs' and OpenSSL's own. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/lib/ssl/cert.pem",
};

static int add_file(struct pst_tls_roots *roots, const char *path, struct tls_left_out *ret_left_out,
                    struct pst_tls_why *ret_why)
{
    struct pst_buf content;
    int err = pst_file_read(path, BUNDLE_MAX_BYTES, &content);
    if (err < 0) {
        snprintf(ret_why->text, sizeof(ret_why->text), "%s cannot be read: %s", path, pst_strerror(err));
        return err;
    }
    err = tls_bundle_add(path, pst_buf_str(&content), false, &roots->chain, ret_left_out, ret_why);
    pst_buf_done(&content);
    roots->n = 0;
    for (const mbedtls_x509_crt *it = &roots->chain; it != NULL && it->raw.p != NULL; it = it->next)
        roots->n++;
    return err;
}

/* What nobody chose for this gateway and cannot be used in it is nobody's mistake. */
static void add_system(struct pst_tls_roots *roots)
{
    struct tls_left_out left_out;
    struct pst_tls_why ignored;
    char named[PATH_MAX];
    if (pst_str_clip(pst_str_strip(pst_str_of(getenv("SSL_CERT_FILE"))), named, sizeof(named)) > 0) {
        (void)!add_file(roots, named, &left_out, &ignored);
        return;
    }
    for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
        if (add_file(roots, bundles[i], &left_out, &ignored) == 0)
            return;
    }
}

int pst_tls_roots_add(struct pst_tls_roots *roots, const char *file, struct pst_tls_why *ret_why)
{
    struct tls_left_out left_out;
    int err = add_file(roots, file, &left_out, ret_why);
    if (err < 0)
        return err == -PST_ENOMEM ? err : -PST_EINVAL;
    tls_left_out_describe(file, &left_out, roots->left_out, sizeof(roots->left_out));
    return 0;
}

int pst_tls_roots_load(const char *extra_file, struct pst_tls_roots **ret_roots, struct pst_tls_why *ret_why)
{
    struct pst_tls_roots *roots = calloc(1, sizeof(*roots));
    if (roots == NULL) {
        snprintf(ret_why->text, sizeof(ret_why->text), "out of memory");
        return -PST_ENOMEM;
    }
    mbedtls_x509_crt_init(&roots->chain);
    add_system(roots);
    int err = 0;
    if (extra_file != NULL && extra_file[0] != '\0') {
        err = pst_tls_roots_add(roots, extra_file, ret_why);
    } else if (roots->n == 0) {
        snprintf(ret_why->text, sizeof(ret_why->text),
                 "this system has no bundle of root certificates (looked for %s and others); install "
                 "ca-certificates, or name a file",
                 bundles[0]);
        err = -PST_ENOENT;
    }
    if (err < 0) {
        pst_tls_roots_free(roots);
        return err;
    }
    *ret_roots = roots;
    return 0;
}

void pst_tls_roots_free(struct pst_tls_roots *roots)
{
    if (roots == NULL)
        return;
    mbedtls_x509_crt_free(&roots->chain);
    free(roots);
}

const char *pst_tls_roots_left_out(const struct pst_tls_roots *roots)
{
    return roots->left_out;
}
