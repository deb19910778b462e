/* SPDX-License-Identifier: Apache-2.0 */
#include "pem.h"

#include <mbedtls/base64.h>
#include <stdint.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static struct pst_str trim(struct pst_str s)
{
    while (s.len > 0 && is_blank(s.p[0]))
        s = pst_str_skip(s, 1);
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* Takes a line off the front, without its end (LF, CR LF or CR) and the blanks around it. */
static bool next_line(struct tls_pem_reader *reader, struct pst_str *ret_line)
{
    struct pst_str rest = reader->rest;
    size_t len = 0;
    if (rest.len == 0)
        return false;
    if (reader->line == 0 && pst_str_starts(rest, PST_STR("\xEF\xBB\xBF")))
        rest = pst_str_skip(rest, 3);
    while (len < rest.len && rest.p[len] != '\n' && rest.p[len] != '\r')
        len++;
    *ret_line = trim((struct pst_str){rest.p, len});
    bool crlf = len + 1 < rest.len && rest.p[len] == '\r' && rest.p[len + 1] == '\n';
    reader->rest = pst_str_skip(rest, len + (crlf ? 2 : 1));
    reader->line++;
    return true;
}

/* The label of "-----BEGIN LABEL-----" or its END. */
static bool is_boundary(struct pst_str line, struct pst_str word, struct pst_str *ret_label)
{
    static const struct pst_str dashes = {"-----", 5};
    if (!pst_str_starts(line, dashes) || !pst_str_ends(line, dashes))
        return false;
    struct pst_str inside = pst_str_skip(line, 5);
    if (inside.len < 5 + word.len + 1 || !pst_str_starts(inside, word))
        return false;
    inside = pst_str_skip(inside, word.len);
    inside.len -= 5;
    *ret_label = trim(inside);
    return is_blank(inside.p[0]) && pst_str_find(*ret_label, '-') < 0;
}

/* A header of RFC 1421, "Name: value", of which base64 has no sign. */
static bool take_header(struct pst_str line, struct tls_pem_block *block)
{
    if (pst_str_find(line, ':') < 0)
        return false;
    if (pst_str_istarts(line, PST_STR("Proc-Type:")) && pst_str_iends(line, PST_STR("ENCRYPTED")))
        block->encrypted = true;
    return true;
}

/* What stands between BEGIN and END. A block that another begins in has no end. */
static void take_body(struct tls_pem_reader *reader, struct tls_pem_block *block)
{
    const char *begin = reader->rest.p;
    struct tls_pem_reader before = *reader;
    struct pst_str line, label;
    while (next_line(reader, &line)) {
        if (is_boundary(line, PST_STR("END"), &label)) {
            block->whole = true;
            break;
        }
        if (is_boundary(line, PST_STR("BEGIN"), &label)) {
            *reader = before;
            break;
        }
        if (take_header(line, block))
            begin = reader->rest.p;
        before = *reader;
    }
    if (begin != NULL && before.rest.p != NULL)
        block->body = (struct pst_str){begin, (size_t)(before.rest.p - begin)};
}

bool tls_pem_next(struct tls_pem_reader *reader, struct tls_pem_block *ret_block)
{
    struct pst_str line, label;
    while (next_line(reader, &line)) {
        if (!is_boundary(line, PST_STR("BEGIN"), &label))
            continue;
        *ret_block = (struct tls_pem_block){.label = label, .line = reader->line};
        take_body(reader, ret_block);
        return true;
    }
    return false;
}

int tls_pem_decode(const struct tls_pem_block *block, struct pst_buf *ret_der)
{
    struct pst_buf text, der;
    size_t len = 0;
    if (!block->whole)
        return -PST_EPARSE;
    pst_buf_init(&text, block->body.len + 1);
    pst_buf_init(&der, block->body.len + 1);
    int err = pst_buf_reserve(&text, block->body.len + 1);
    if (err == 0)
        err = pst_buf_reserve(&der, block->body.len + 1);
    for (size_t i = 0; err == 0 && i < block->body.len; i++) {
        char c = block->body.p[i];
        if (!is_blank(c) && c != '\n' && c != '\r')
            err = pst_buf_add_char(&text, c);
    }
    if (err == 0 && mbedtls_base64_decode((unsigned char *)der.data, der.cap, &len,
                                          (const unsigned char *)text.data, pst_buf_len(&text)) != 0)
        err = -PST_EPARSE;
    pst_buf_wipe(&text); /* it may be of a key */
    der.end = len;
    if (err == 0 && len == 0)
        err = -PST_EPARSE;
    if (err < 0)
        pst_buf_wipe(&der);
    else
        *ret_der = der;
    return err;
}

bool tls_pem_is_certificate(const struct tls_pem_block *block)
{
    /* RFC 7468 section 5.1: the second is the label of old; the third has OpenSSL's remarks behind the
     * certificate. */
    return pst_str_eq(block->label, PST_STR("CERTIFICATE")) ||
           pst_str_eq(block->label, PST_STR("X509 CERTIFICATE")) ||
           pst_str_eq(block->label, PST_STR("TRUSTED CERTIFICATE"));
}

bool tls_pem_is_private_key(const struct tls_pem_block *block)
{
    return pst_str_ends(block->label, PST_STR("PRIVATE KEY"));
}

bool tls_pem_is_crl(const struct tls_pem_block *block)
{
    return pst_str_eq(block->label, PST_STR("X509 CRL")) || pst_str_eq(block->label, PST_STR("CRL"));
}
