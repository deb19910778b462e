/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate chain with its key: parsing, matching, and choosing one by server name. */
#include "internal.h"
#include "pem.h"

#include <mbedtls/ssl_ciphersuites.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pair_free(struct tls_pair *pair)
{
    if (pair == NULL)
        return;
    mbedtls_x509_crt_free(&pair->chain);
    mbedtls_pk_free(&pair->key);
    free(pair);
}

void tls_pairs_free(struct tls_pair *pairs)
{
    while (pairs != NULL) {
        struct tls_pair *next = pairs->next;
        pair_free(pairs);
        pairs = next;
    }
}

static bool holds(const struct pst_buf *file, bool (*is_kind)(const struct tls_pem_block *))
{
    struct tls_pem_reader reader = {.rest = pst_buf_str(file)};
    struct tls_pem_block block;
    while (tls_pem_next(&reader, &block)) {
        if (is_kind(&block))
            return true;
    }
    return false;
}

static bool are_swapped(const struct tls_pem_pair *pem)
{
    return holds(&pem->certificate, tls_pem_is_private_key) && holds(&pem->key, tls_pem_is_certificate) &&
           !holds(&pem->certificate, tls_pem_is_certificate) && !holds(&pem->key, tls_pem_is_private_key);
}

/* When the key cannot be read, the certificates are looked at all the same: both may need replacing. */
static int parse(const struct tls_pem_pair *pem, struct tls_pair *pair, struct tls_left_out *ret_left_out,
                 struct tls_pair_why *ret_why)
{
    if (are_swapped(pem)) {
        snprintf(ret_why->certificate.text, sizeof(ret_why->certificate.text),
                 "%s holds the private key and %s the certificate: the two are swapped",
                 pem->certificate_path, pem->key_path);
        return -PST_EINVAL;
    }
    int key_err = tls_key_read(pem->key_path, pst_buf_str(&pem->key), &pair->key, &ret_why->key);
    int err =
        tls_chain_read(pem->certificate_path, pst_buf_str(&pem->certificate),
                       key_err == 0 ? &pair->key : NULL, &pair->chain, ret_left_out, &ret_why->certificate);
    return key_err < 0 ? key_err : err;
}

int tls_pair_parse(const struct tls_pem_pair *pem, struct tls_pair **ret_pair,
                   struct tls_left_out *ret_left_out, struct tls_pair_why *ret_why)
{
    struct tls_left_out left_out;
    struct tls_pair *pair = calloc(1, sizeof(*pair));
    ret_why->certificate.text[0] = ret_why->key.text[0] = '\0';
    if (pair == NULL) {
        snprintf(ret_why->certificate.text, sizeof(ret_why->certificate.text), "%s: out of memory",
                 pem->certificate_path);
        return -PST_ENOMEM;
    }
    mbedtls_x509_crt_init(&pair->chain);
    mbedtls_pk_init(&pair->key);
    int err = parse(pem, pair, ret_left_out != NULL ? ret_left_out : &left_out, ret_why);
    if (err < 0) {
        pair_free(pair);
        return err;
    }
    *ret_pair = pair;
    return 0;
}

enum match { NO_MATCH, WILDCARD, EXACT };

/* RFC 6125 section 6.4.3: "*" stands for exactly one whole label, the leftmost. */
static enum match match_name(struct pst_str pattern, struct pst_str name)
{
    if (pst_str_ieq(pattern, name))
        return EXACT;
    if (!pst_str_starts(pattern, PST_STR("*.")))
        return NO_MATCH;
    ptrdiff_t dot = pst_str_find(name, '.');
    if (dot <= 0)
        return NO_MATCH;
    return pst_str_ieq(pst_str_skip(pattern, 1), pst_str_skip(name, (size_t)dot)) ? WILDCARD : NO_MATCH;
}

static enum match match_pair(const struct tls_pair *pair, struct pst_str name)
{
    enum match best = NO_MATCH;
    const mbedtls_x509_sequence *san = &pair->chain.subject_alt_names;
    for (; san != NULL && san->buf.p != NULL; san = san->next) {
        mbedtls_x509_subject_alternative_name parsed;
        if (mbedtls_x509_parse_subject_alt_name(&san->buf, &parsed) != 0)
            continue;
        if (parsed.type == MBEDTLS_X509_SAN_DNS_NAME) {
            const mbedtls_x509_buf *dns = &parsed.san.unstructured_name;
            enum match m = match_name((struct pst_str){(const char *)dns->p, dns->len}, name);
            best = m > best ? m : best;
        }
        mbedtls_x509_free_subject_alt_name(&parsed);
    }
    return best;
}

static enum match best_match(const struct tls_pair *pairs, struct pst_str name)
{
    enum match best = NO_MATCH;
    for (const struct tls_pair *pair = pairs; pair != NULL; pair = pair->next) {
        enum match m = match_pair(pair, name);
        best = m > best ? m : best;
    }
    return best;
}

/* Called by mbedTLS once the ClientHello is read. All pairs that match equally well are offered, so that a
 * name may have both an EC and an RSA certificate and the client's abilities decide. */
int tls_choose_certificate(mbedtls_ssl_context *ssl)
{
    struct pst_tls_context *context = mbedtls_ssl_get_user_data_p(ssl);
    size_t len = 0;
    const unsigned char *sni = mbedtls_ssl_get_hs_sni(ssl, &len);
    struct pst_str name = {(const char *)sni, sni != NULL ? len : 0};
    if (pst_str_ends(name, PST_STR(".")))
        name.len--;
    enum match wanted =
        context->pairs->next != NULL && name.len > 0 ? best_match(context->pairs, name) : NO_MATCH;
    if (wanted == NO_MATCH)
        return mbedtls_ssl_set_hs_own_cert(ssl, &context->pairs->chain, &context->pairs->key);
    for (struct tls_pair *pair = context->pairs; pair != NULL; pair = pair->next) {
        int ret =
            match_pair(pair, name) == wanted ? mbedtls_ssl_set_hs_own_cert(ssl, &pair->chain, &pair->key) : 0;
        if (ret != 0)
            return ret;
    }
    return 0;
}
