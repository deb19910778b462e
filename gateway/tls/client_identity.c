/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/client_identity.h"

#include "certificate.h"
#include "internal.h"
#include "postern/base/fd.h"
#include "session_private.h"

#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (256 * 1024)
/* mbedTLS judges by time(), which may be behind our clock: by as long as the kernel takes from tick to tick,
 * 10 ms at the most. What ended within the last second is judged again, so that nothing is taken to have been
 * found good at its end and never looked at any more. */
#define BEHIND_US 1000000

/* The first that fits is what is said. */
static const struct {
    uint32_t flags;
    const char *text;
} problems[] = {
    {MBEDTLS_X509_BADCERT_MISSING, "the client showed no certificate"},
    {MBEDTLS_X509_BADCERT_REVOKED, "the client's certificate was revoked"},
    {MBEDTLS_X509_BADCERT_EXPIRED, "the client's certificate, or one above it, has expired"},
    {MBEDTLS_X509_BADCERT_FUTURE, "the client's certificate, or one above it, is not valid yet"},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "the client's certificate is of no CA that is trusted"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     "the client's certificate is not one for clients (extended key usage)"},
    {MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
     "a key or a signature of the client's certificates is too weak"},
    {MBEDTLS_X509_BADCRL_EXPIRED, "the revocation list of the client's CA has expired"},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_FUTURE | MBEDTLS_X509_BADCRL_BAD_MD |
         MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY,
     "the revocation list of the client's CA is not valid"},
    {MBEDTLS_X509_BADCERT_OTHER, "the client's chain is longer than client_certificate_depth"},
};

void tls_identity_problem(uint32_t flags, char *text, size_t size)
{
    const char *found = "the client's certificate is not valid";
    for (size_t i = sizeof(problems) / sizeof(problems[0]); i-- > 0;) {
        if ((flags & problems[i].flags) != 0)
            found = problems[i].text;
    }
    pst_str_clip(pst_str_of(found), text, size);
}

static bool is_printable(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] < ' ' || p[i] > '~')
            return false;
    }
    return len > 0;
}

/* Keeps a text; empty when it has no room or is not printable. */
static struct pst_str keep(struct pst_client_identity *id, const void *text, size_t len)
{
    if (!is_printable(text, len) || len > sizeof(id->text) - id->text_len)
        return PST_STR("");
    char *at = id->text + id->text_len;
    memcpy(at, text, len);
    id->text_len += len;
    return (struct pst_str){at, len};
}

static void take_names(struct pst_client_identity *id, const mbedtls_x509_crt *crt)
{
    const mbedtls_x509_sequence *it = &crt->subject_alt_names;
    for (; it != NULL && it->buf.p != NULL && id->n_names < PST_CLIENT_NAMES_MAX; it = it->next) {
        mbedtls_x509_subject_alternative_name san;
        if (mbedtls_x509_parse_subject_alt_name(&it->buf, &san) != 0)
            continue;
        bool is_uri = san.type == MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER;
        struct pst_str text = PST_STR("");
        if (is_uri || san.type == MBEDTLS_X509_SAN_DNS_NAME)
            text = keep(id, san.san.unstructured_name.p, san.san.unstructured_name.len);
        mbedtls_x509_free_subject_alt_name(&san);
        if (text.len > 0)
            id->names[id->n_names++] = (struct pst_client_name){is_uri, text};
    }
}

static void take_subject(struct pst_client_identity *id, const mbedtls_x509_crt *crt)
{
    char text[1024];
    int len = mbedtls_x509_dn_gets(text, sizeof(text), &crt->subject);
    if (len > 0)
        id->subject = keep(id, text, (size_t)len);
    for (const mbedtls_x509_name *it = &crt->subject; it != NULL; it = it->next) {
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &it->oid) == 0)
            id->common_name = keep(id, it->val.p, it->val.len);
    }
}

/* What it says itself. */
static void take_certificate(struct pst_client_identity *id, const mbedtls_x509_crt *crt)
{
    (void)mbedtls_sha256(crt->raw.p, crt->raw.len, id->sha256, 0);
    (void)mbedtls_sha256(crt->pk_raw.p, crt->pk_raw.len, id->key_sha256, 0);
    id->not_after_us = tls_time_us(&crt->valid_to);
    take_subject(id, crt);
    take_names(id, crt);
}

static void judge(struct pst_client_identity *id, uint32_t flags)
{
    id->valid = flags == 0;
    if (!id->valid)
        tls_identity_problem(flags, id->problem, sizeof(id->problem));
}

/* What was found is good until the trust changes, or something that it rests on runs out. */
static void note_trust(struct pst_client_identity *id, const struct pst_tls_context *context,
                       const mbedtls_x509_crt *crt, int64_t now_us)
{
    id->generation = context->trust_generation;
    id->look_again_us = tls_trust_next_end(context, crt, now_us - BEHIND_US);
}

int tls_identity_new(const struct pst_tls_context *context, const mbedtls_ssl_context *ssl, int64_t now_us,
                     struct pst_client_identity **ret)
{
    const mbedtls_x509_crt *crt = context->trust != NULL ? mbedtls_ssl_get_peer_cert(ssl) : NULL;
    *ret = NULL;
    if (crt == NULL)
        return 0;
    struct pst_client_identity *id = calloc(1, sizeof(*id));
    if (id == NULL)
        return -PST_ENOMEM;
    take_certificate(id, crt);
    judge(id, mbedtls_ssl_get_verify_result(ssl));
    note_trust(id, context, crt, now_us);
    *ret = id;
    return 0;
}

bool tls_identity_holds(struct pst_tls_context *context, const mbedtls_ssl_context *ssl,
                        struct pst_client_identity *id, int64_t now_us)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(ssl);
    bool is_old = id->generation != context->trust_generation || now_us >= id->look_again_us;
    if (is_old && id->valid && crt != NULL) {
        judge(id, tls_trust_verify(context, crt));
        note_trust(id, context, crt, now_us);
    }
    if (id->valid && id->not_after_us < now_us)
        judge(id, MBEDTLS_X509_BADCERT_EXPIRED);
    return id->valid;
}

int pst_session_client_identity(const struct pst_session *s, int64_t now_us, struct pst_client_identity **ret)
{
    return tls_identity_new(s->context, &s->ssl, now_us, ret);
}

bool pst_session_identity_holds(const struct pst_session *s, struct pst_client_identity *id, int64_t now_us)
{
    return tls_identity_holds(s->context, &s->ssl, id, now_us);
}

static int fail(struct pst_tls_why *why, int err, const char *path, const char *reason)
{
    snprintf(why->text, sizeof(why->text), "%s: %s", path, reason);
    return err;
}

int pst_client_identity_read(const char *path, struct pst_client_identity **ret, struct pst_tls_why *why)
{
    struct tls_left_out left_out; /* what is above the client's own is not looked at */
    struct pst_buf content;
    mbedtls_x509_crt crt;
    int err = pst_file_read(path, FILE_MAX_BYTES, &content);
    if (err < 0)
        return fail(why, err, path, pst_strerror(err));
    struct pst_client_identity *id = calloc(1, sizeof(*id));
    mbedtls_x509_crt_init(&crt);
    err = id != NULL ? tls_chain_read(path, pst_buf_str(&content), NULL, &crt, &left_out, why)
                     : fail(why, -PST_ENOMEM, path, "does not fit into memory");
    if (err == 0)
        take_certificate(id, &crt);
    mbedtls_x509_crt_free(&crt);
    pst_buf_done(&content);
    if (err < 0)
        free(id);
    else
        *ret = id;
    return err;
}
