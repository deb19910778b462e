/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/tls/client_trust.h"

#include "certificate.h"
#include "internal.h"
#include "postern/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (8 * 1024 * 1024)

static int fail(struct pst_tls_why *why, int err, const char *path, const char *what)
{
    snprintf(why->text, sizeof(why->text), "%s %s", path, what);
    return err;
}

static int cannot_read(struct pst_tls_why *why, int err, const char *path)
{
    snprintf(why->text, sizeof(why->text), "%s cannot be read: %s", path, pst_strerror(err));
    return err;
}

static int read_text(const char *path, struct trust_text *ret, struct pst_tls_why *why)
{
    struct pst_buf content;
    if (stat(path, &ret->file) < 0)
        return cannot_read(why, pst_err_from_errno(errno), path);
    int err = pst_file_read(path, FILE_MAX_BYTES, &content);
    if (err < 0)
        return cannot_read(why, err, path);
    ret->pem = content;
    ret->is_given = true;
    return 0;
}

int tls_trust_parse(const struct pst_client_trust *trust, struct tls_trust *ret,
                    struct tls_left_out *ret_left_out, struct pst_tls_why *why)
{
    const struct pst_client_trust_options *options = &trust->options;
    mbedtls_x509_crt_init(&ret->ca);
    mbedtls_x509_crl_init(&ret->crl);
    int err = tls_bundle_add(options->ca, pst_buf_str(&trust->ca.pem), true, &ret->ca, ret_left_out, why);
    if (err == 0 && trust->crl.is_given)
        err = tls_crls_read(options->crl, pst_buf_str(&trust->crl.pem), &ret->crl, why);
    if (err < 0)
        tls_trust_done(ret);
    return err;
}

void tls_trust_done(struct tls_trust *trust)
{
    mbedtls_x509_crt_free(&trust->ca);
    mbedtls_x509_crl_free(&trust->crl);
}

int pst_client_trust_load(const struct pst_client_trust_options *options, struct pst_client_trust **ret,
                          struct pst_tls_why *ret_why)
{
    struct pst_client_trust *trust = calloc(1, sizeof(*trust));
    struct tls_left_out left_out;
    struct tls_trust parsed;
    if (trust == NULL)
        return fail(ret_why, -PST_ENOMEM, options->ca, "does not fit into memory");
    trust->refs = 1;
    trust->options = *options;
    int err = read_text(options->ca, &trust->ca, ret_why);
    if (err == 0 && options->crl[0] != '\0')
        err = read_text(options->crl, &trust->crl, ret_why);
    if (err == 0)
        err = tls_trust_parse(trust, &parsed, &left_out, ret_why);
    if (err < 0) {
        pst_client_trust_unref(trust);
        return err;
    }
    tls_trust_done(&parsed);
    tls_left_out_describe(options->ca, &left_out, trust->left_out, sizeof(trust->left_out));
    *ret = trust;
    return 0;
}

const char *pst_client_trust_left_out(const struct pst_client_trust *trust)
{
    return trust->left_out;
}

struct pst_client_trust *pst_client_trust_ref(struct pst_client_trust *trust)
{
    if (trust != NULL)
        __atomic_add_fetch(&trust->refs, 1, __ATOMIC_RELAXED);
    return trust;
}

void pst_client_trust_unref(struct pst_client_trust *trust)
{
    if (trust == NULL || __atomic_sub_fetch(&trust->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pst_buf_done(&trust->ca.pem);
    pst_buf_done(&trust->crl.pem);
    free(trust);
}

static bool is_as_read(const char *path, const struct trust_text *text)
{
    struct stat now;
    if (!text->is_given)
        return true;
    if (stat(path, &now) < 0)
        return false;
    return now.st_mtim.tv_sec == text->file.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == text->file.st_mtim.tv_nsec && now.st_ino == text->file.st_ino &&
           now.st_dev == text->file.st_dev && now.st_size == text->file.st_size;
}

bool pst_client_trust_is_current(const struct pst_client_trust *trust)
{
    return is_as_read(trust->options.ca, &trust->ca) && is_as_read(trust->options.crl, &trust->crl);
}

/* In a context */

/* Called for each certificate of the way that was found, the highest first. */
static int on_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    const struct pst_tls_context *context = arg;
    const struct pst_client_trust_options *options = &context->client_trust->options;
    (void)crt;
    if (options->expired_crl_will_do)
        *flags &= ~(uint32_t)MBEDTLS_X509_BADCRL_EXPIRED;
    if (depth > (int)options->max_depth)
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}

/* mbedTLS looks at the chain only inside a call, on this thread: between calls it can be another. */
int pst_tls_context_trust(struct pst_tls_context *context, struct pst_client_trust *trust, bool required)
{
    struct pst_tls_why why = {.text = ""};
    struct tls_left_out left_out; /* said when the trust was loaded */
    struct tls_trust *parsed = malloc(sizeof(*parsed));
    int err = parsed != NULL ? tls_trust_parse(trust, parsed, &left_out, &why) : -PST_ENOMEM;
    if (err < 0) {
        free(parsed);
        return err;
    }
    struct tls_trust *old = context->trust;
    bool has_crl = trust->crl.is_given;
    mbedtls_ssl_config *config = &context->config;
    mbedtls_ssl_conf_ca_chain(config, &parsed->ca, has_crl ? &parsed->crl : NULL);
    mbedtls_ssl_conf_authmode(config, required ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_verify(config, on_verify, context);
    /* A session that is resumed shows no certificate: so none is, and each connection proves its own. */
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_session_tickets_cb(config, NULL, NULL, NULL);
    mbedtls_ssl_conf_new_session_tickets(config, 0);
    context->trust = parsed;
    pst_client_trust_unref(context->client_trust);
    context->client_trust = pst_client_trust_ref(trust);
    context->trust_generation++;
    if (old != NULL)
        tls_trust_done(old);
    free(old);
    return 0;
}

/* mbedTLS lets the last second count. */
static int64_t earlier_end(int64_t found_us, const mbedtls_x509_time *last, int64_t now_us)
{
    int64_t end_us = tls_time_us(last) + 1000000;
    return end_us > now_us && end_us < found_us ? end_us : found_us;
}

int64_t tls_trust_next_end(const struct pst_tls_context *context, const mbedtls_x509_crt *chain,
                           int64_t now_us)
{
    int64_t end_us = INT64_MAX;
    for (const mbedtls_x509_crt *it = chain; it != NULL; it = it->next)
        end_us = earlier_end(end_us, &it->valid_to, now_us);
    for (const mbedtls_x509_crt *it = &context->trust->ca; it != NULL; it = it->next)
        end_us = earlier_end(end_us, &it->valid_to, now_us);
    for (const mbedtls_x509_crl *it = &context->trust->crl; it != NULL; it = it->next) {
        if (it->version != 0 && it->next_update.year != 0)
            end_us = earlier_end(end_us, &it->next_update, now_us);
    }
    return end_us;
}

uint32_t tls_trust_verify(struct pst_tls_context *context, const mbedtls_x509_crt *chain)
{
    uint32_t flags = 0;
    bool has_crl = context->client_trust->crl.is_given;
    /* It does not change the chain; its parameter is not const for the sake of the callback. */
    mbedtls_x509_crt *it = (mbedtls_x509_crt *)(uintptr_t)chain;
    int ret = mbedtls_x509_crt_verify(it, &context->trust->ca, has_crl ? &context->trust->crl : NULL, NULL,
                                      &flags, on_verify, context);
    return ret != 0 && flags == 0 ? MBEDTLS_X509_BADCERT_OTHER : flags;
}
