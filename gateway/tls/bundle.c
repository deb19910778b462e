/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle_private.h"

#include <stdio.h>

/* How many of them are named. */
#define TOLD_MAX 3

int tls_certificate_decode(const char *path, const struct tls_pem_block *block, struct pst_buf *ret_der,
                           struct pst_tls_why *ret_why)
{
    int err = tls_pem_decode(block, ret_der);
    if (err == -PST_ENOMEM)
        snprintf(ret_why->text, sizeof(ret_why->text), "%s: out of memory", path);
    else if (err < 0 && !block->whole)
        snprintf(ret_why->text, sizeof(ret_why->text),
                 "%s: the certificate that begins in line %zu has no END line: the file is cut off", path,
                 block->line);
    else if (err < 0)
        snprintf(ret_why->text, sizeof(ret_why->text), "%s: the certificate in line %zu is not valid base64",
                 path, block->line);
    return err;
}

void tls_certificate_problem(struct pst_str der, int mbedtls_error, char *ret_text, size_t size)
{
    struct tls_outline outline;
    if (tls_outline_read(der, &outline) < 0)
        pst_str_clip(PST_STR("is no certificate"), ret_text, size);
    else
        tls_outline_problem(&outline, mbedtls_error, ret_text, size);
}

void tls_leave_out(struct tls_left_out *left_out, size_t line, struct pst_str der, const char *problem)
{
    struct tls_outline outline;
    char name[80] = "";
    size_t used = strlen(left_out->text), room = sizeof(left_out->text) - used;
    left_out->n++;
    if (left_out->n > TOLD_MAX)
        return;
    if (tls_outline_read(der, &outline) == 0)
        tls_outline_name(&outline, name, sizeof(name));
    int len = snprintf(left_out->text + used, room, "%sline %zu%s%s%s %s", used > 0 ? "; " : "", line,
                       name[0] != '\0' ? " (" : "", name, name[0] != '\0' ? ")" : "", problem);
    if (len < 0 || (size_t)len >= room)
        left_out->text[used] = '\0';
    else
        left_out->n_told++;
}

static void describe(const char *path, const struct tls_left_out *left_out, const char *lead, char *ret_text,
                     size_t size)
{
    size_t more = left_out->n - left_out->n_told;
    int len = snprintf(ret_text, size, "%s: %s: %s", path, lead, left_out->text);
    if (more > 0 && len > 0 && (size_t)len < size)
        snprintf(ret_text + len, size - (size_t)len, "%s%zu more", left_out->n_told > 0 ? "; and " : "",
                 more);
}

void tls_left_out_describe(const char *path, const struct tls_left_out *left_out, char *ret_text, size_t size)
{
    char lead[64];
    snprintf(lead, sizeof(lead), "%zu certificate%s left out", left_out->n,
             left_out->n == 1 ? " is" : "s are");
    if (left_out->n > 0)
        describe(path, left_out, lead, ret_text, size);
    else
        ret_text[0] = '\0';
}

/* Whether it can be a CA's; what cannot be read is told when it is added. */
static bool is_ca(struct pst_str der)
{
    mbedtls_x509_crt crt;
    mbedtls_x509_crt_init(&crt);
    bool is = mbedtls_x509_crt_parse_der(&crt, (const unsigned char *)der.p, der.len) != 0 ||
              mbedtls_x509_crt_get_ca_istrue(&crt) == 1;
    mbedtls_x509_crt_free(&crt);
    return is;
}

/* 1 when it was added, 0 when it was left out. */
static int add_one(mbedtls_x509_crt *chain, const struct tls_pem_block *block, struct pst_str der, bool cas,
                   struct tls_left_out *left_out)
{
    char problem[192];
    if (cas && !is_ca(der)) {
        tls_leave_out(left_out, block->line, der, "is not a CA's");
        return 0;
    }
    int ret = mbedtls_x509_crt_parse_der(chain, (const unsigned char *)der.p, der.len);
    if (ret == 0)
        return 1;
    if (ret == MBEDTLS_ERR_X509_ALLOC_FAILED)
        return -PST_ENOMEM;
    tls_certificate_problem(der, ret, problem, sizeof(problem));
    tls_leave_out(left_out, block->line, der, problem);
    return 0;
}

/* Why a file gave no certificate. */
static int tell_none(const char *path, struct pst_str text, const struct tls_left_out *left_out,
                     struct pst_tls_why *ret_why)
{
    char what[256];
    if (left_out->n > 0) {
        describe(path, left_out, "no certificate in it can be used", ret_why->text, sizeof(ret_why->text));
    } else {
        tls_pem_describe(text, "certificate", what, sizeof(what));
        snprintf(ret_why->text, sizeof(ret_why->text), "%s %s", path, what);
    }
    return -PST_EPARSE;
}

int tls_bundle_add(const char *path, struct pst_str text, bool cas, mbedtls_x509_crt *chain,
                   struct tls_left_out *ret_left_out, struct pst_tls_why *ret_why)
{
    struct tls_pem_reader reader = {.rest = text};
    struct tls_pem_block block;
    struct tls_left_out left_out = {.n = 0};
    size_t n = 0;
    while (tls_pem_next(&reader, &block)) {
        struct pst_buf der;
        if (!tls_pem_is_certificate(&block))
            continue;
        int err = tls_certificate_decode(path, &block, &der, ret_why);
        if (err == -PST_EPARSE && block.whole) {
            tls_leave_out(&left_out, block.line, PST_STR(""), "is not valid base64");
            continue;
        }
        if (err < 0)
            return err;
        int added = add_one(chain, &block, pst_buf_str(&der), cas, &left_out);
        pst_buf_done(&der);
        if (added < 0) {
            snprintf(ret_why->text, sizeof(ret_why->text), "%s: out of memory", path);
            return added;
        }
        n += (size_t)added;
    }
    if (n == 0)
        return tell_none(path, text, &left_out, ret_why);
    *ret_left_out = left_out;
    return 0;
}
