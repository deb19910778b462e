/* SPDX-License-Identifier: Apache-2.0 */
/* A private key in a PEM file. */
#include "bundle.h"
#include "outline.h"
#include "pem.h"

#include <mbedtls/error.h>
#include <psa/crypto.h>
#include <stdio.h>

int tls_key_random(void *arg, unsigned char *data, size_t len)
{
    (void)arg;
    return psa_generate_random(data, len) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_PK_BAD_INPUT_DATA;
}

static int fail(struct pst_tls_why *why, int err, const char *path, const char *what)
{
    snprintf(why->text, sizeof(why->text), "%s: %s", path, what);
    return err;
}

static int fail_kind(struct pst_tls_why *why, const char *path, const char *kind)
{
    snprintf(why->text, sizeof(why->text),
             "%s: the private key is of an unsupported key type (%s); use " TLS_KEYS_SUPPORTED, path, kind);
    return -PST_EPARSE;
}

/* What the label tells, before the key itself is looked at. */
static int check_label(const char *path, const struct tls_pem_block *block, struct pst_tls_why *why)
{
    if (block->encrypted || pst_str_eq(block->label, PST_STR("ENCRYPTED PRIVATE KEY")))
        return fail(
            why, -PST_EPARSE, path,
            "the private key is encrypted, and there is no password here; decrypt it with openssl pkey");
    if (pst_str_eq(block->label, PST_STR("OPENSSH PRIVATE KEY")))
        return fail(why, -PST_EPARSE, path,
                    "the private key is in OpenSSH's own form; convert it with ssh-keygen -p -m PEM");
    if (pst_str_eq(block->label, PST_STR("DSA PRIVATE KEY")))
        return fail_kind(why, path, "DSA");
    return 0;
}

static int read_der(const char *path, struct pst_str der, mbedtls_pk_context *ret_key,
                    struct pst_tls_why *why)
{
    char kind[96], text[128], what[192];
    if (tls_private_key_is_unsupported(der, kind, sizeof(kind)))
        return fail_kind(why, path, kind);
    int ret =
        mbedtls_pk_parse_key(ret_key, (const unsigned char *)der.p, der.len, NULL, 0, tls_key_random, NULL);
    if (ret == 0)
        return 0;
    mbedtls_strerror(ret, text, sizeof(text));
    snprintf(what, sizeof(what), "the private key cannot be read (%s)", text);
    return fail(why, -PST_EPARSE, path, what);
}

static bool find_key(struct pst_str text, struct tls_pem_block *ret_block)
{
    struct tls_pem_reader reader = {.rest = text};
    while (tls_pem_next(&reader, ret_block)) {
        if (tls_pem_is_private_key(ret_block))
            return true;
    }
    return false;
}

int tls_key_read(const char *path, struct pst_str text, mbedtls_pk_context *ret_key,
                 struct pst_tls_why *ret_why)
{
    struct tls_pem_block block;
    struct pst_buf der;
    char what[256];
    if (!find_key(text, &block)) {
        tls_pem_describe(text, "private key", what, sizeof(what));
        snprintf(ret_why->text, sizeof(ret_why->text), "%s %s", path, what);
        return -PST_EPARSE;
    }
    int err = check_label(path, &block, ret_why);
    if (err < 0)
        return err;
    err = tls_pem_decode(&block, &der);
    if (err < 0)
        return fail(ret_why, err, path,
                    err == -PST_ENOMEM ? "out of memory"
                    : block.whole      ? "the private key is not valid base64"
                                       : "the private key has no END line: the file is cut off");
    err = read_der(path, pst_buf_str(&der), ret_key, ret_why);
    pst_buf_wipe(&der);
    return err;
}
