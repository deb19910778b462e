/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include "bundle.h"
#include "outline.h"

#include <arpa/inet.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t tls_time_us(const mbedtls_x509_time *t)
{
    struct tm tm = {.tm_year = t->year - 1900,
                    .tm_mon = t->mon - 1,
                    .tm_mday = t->day,
                    .tm_hour = t->hour,
                    .tm_min = t->min,
                    .tm_sec = t->sec};
    return (int64_t)timegm(&tm) * 1000000;
}

/* mbedtls_x509_dn_gets() escapes what is not printable. A name that does not fit is told by its end, where
 * the common name is in most. */
static void name_text(const mbedtls_x509_name *name, char *text, size_t size)
{
    char whole[2048];
    int len = mbedtls_x509_dn_gets(whole, sizeof(whole), name);
    if (len <= 0) {
        pst_str_clip(PST_STR("(a name that cannot be read)"), text, size);
        return;
    }
    size_t skip = (size_t)len >= size ? (size_t)len - size + 1 : 0;
    pst_str_clip((struct pst_str){whole + skip, (size_t)len - skip}, text, size);
}

static void san_text(const mbedtls_x509_subject_alternative_name *san, char *text, size_t size)
{
    const mbedtls_x509_buf *raw = &san->san.unstructured_name;
    text[0] = '\0';
    if (san->type == MBEDTLS_X509_SAN_IP_ADDRESS && (raw->len == 4 || raw->len == 16))
        inet_ntop(raw->len == 4 ? AF_INET : AF_INET6, raw->p, text, (socklen_t)size);
    else if (san->type == MBEDTLS_X509_SAN_DNS_NAME)
        pst_str_clip((struct pst_str){(const char *)raw->p, raw->len}, text, size);
    for (char *p = text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~')
            *p = '?';
    }
}

static void names_text(const mbedtls_x509_crt *crt, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    const mbedtls_x509_sequence *it = &crt->subject_alt_names;
    for (; it != NULL && it->buf.p != NULL; it = it->next) {
        char one[256];
        mbedtls_x509_subject_alternative_name san;
        if (mbedtls_x509_parse_subject_alt_name(&it->buf, &san) != 0)
            continue;
        san_text(&san, one, sizeof(one));
        mbedtls_x509_free_subject_alt_name(&san);
        if (one[0] == '\0' || used + strlen(one) + 3 > size)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", one);
    }
}

bool tls_is_self_issued(const mbedtls_x509_crt *crt)
{
    return crt->subject_raw.len == crt->issuer_raw.len &&
           memcmp(crt->subject_raw.p, crt->issuer_raw.p, crt->subject_raw.len) == 0;
}

/* Of one that mbedTLS could not read: what can be told without it. */
static void fill_unread(const mbedtls_x509_crt *crt, struct pst_tls_certificate *ret)
{
    struct tls_outline outline;
    const struct pst_str der = {(const char *)crt->raw.p, crt->raw.len};
    if (tls_outline_read(der, &outline) < 0)
        return;
    tls_outline_name(&outline, ret->subject, sizeof(ret->subject));
    outline.subject = outline.issuer;
    tls_outline_name(&outline, ret->issuer, sizeof(ret->issuer));
    (void)mbedtls_sha256(crt->raw.p, crt->raw.len, ret->sha256, 0);
}

void tls_certificate_fill(const mbedtls_x509_crt *crt, struct pst_tls_certificate *ret)
{
    *ret = (struct pst_tls_certificate){
        .key_bits = (unsigned)mbedtls_pk_get_bitlen(&crt->pk),
        .not_before_us = tls_time_us(&crt->valid_from),
        .not_after_us = tls_time_us(&crt->valid_to),
        .self_issued = tls_is_self_issued(crt),
        .is_ca = mbedtls_x509_crt_get_ca_istrue(crt) == 1,
    };
    if (!tls_chain_is_read(crt)) {
        fill_unread(crt, ret);
        return;
    }
    name_text(&crt->subject, ret->subject, sizeof(ret->subject));
    name_text(&crt->issuer, ret->issuer, sizeof(ret->issuer));
    names_text(crt, ret->names, sizeof(ret->names));
    const char *kind = mbedtls_pk_can_do(&crt->pk, MBEDTLS_PK_RSA) ? "RSA" : mbedtls_pk_get_name(&crt->pk);
    pst_str_clip(pst_str_of(kind), ret->key_kind, sizeof(ret->key_kind));
    (void)mbedtls_sha256(crt->raw.p, crt->raw.len, ret->sha256, 0);
    (void)mbedtls_sha256(crt->pk_raw.p, crt->pk_raw.len, ret->key_sha256, 0);
}
