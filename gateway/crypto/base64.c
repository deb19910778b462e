/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/crypto/base64.h"

#include <limits.h>
#include <nettle/base64.h>

size_t pst_base64_encode(enum pst_base64 kind, const void *in, size_t len, char *out)
{
    struct base64_encode_ctx ctx;
    if (kind == PST_BASE64URL)
        base64url_encode_init(&ctx);
    else
        base64_encode_init(&ctx);
    size_t n = base64_encode_update(&ctx, out, len, in);
    n += base64_encode_final(&ctx, out + n);
    while (kind == PST_BASE64URL && n > 0 && out[n - 1] == '=')
        n--;
    out[n] = '\0';
    return n;
}

/* Bytes that a text of this length stands for, or -1 when no text is that long. */
static int64_t bytes_of(enum pst_base64 kind, struct pst_str text)
{
    size_t digits = text.len;
    if (kind == PST_BASE64) {
        if (text.len % 4 != 0)
            return -1;
        for (int i = 0; i < 2 && digits > 0 && text.p[digits - 1] == '='; i++)
            digits--;
    }
    return digits % 4 == 1 ? -1 : (int64_t)(digits / 4 * 3 + (digits % 4 > 0 ? digits % 4 - 1 : 0));
}

/* nettle skips white space, and wants padding before it looks at the bits behind the last byte: so the first
 * is refused here, and the second is added here. */
int pst_base64_decode(enum pst_base64 kind, struct pst_str text, uint8_t *out, size_t size)
{
    int64_t expected = bytes_of(kind, text);
    if (expected < 0)
        return -PST_EPARSE;
    if (expected > INT_MAX || (size_t)expected > size)
        return -PST_ELIMIT;
    struct base64_decode_ctx ctx;
    if (kind == PST_BASE64URL)
        base64url_decode_init(&ctx);
    else
        base64_decode_init(&ctx);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte;
        int got = base64_decode_single(&ctx, &byte, text.p[i]);
        bool skipped = text.p[i] <= ' ' || (kind == PST_BASE64URL && text.p[i] == '=');
        if (got < 0 || skipped || (got > 0 && n == (size_t)expected))
            return -PST_EPARSE;
        if (got > 0)
            out[n++] = byte;
    }
    for (size_t i = text.len; kind == PST_BASE64URL && i % 4 != 0; i++) {
        uint8_t ignored;
        if (base64_decode_single(&ctx, &ignored, '=') != 0)
            return -PST_EPARSE;
    }
    return base64_decode_final(&ctx) && n == (size_t)expected ? (int)n : -PST_EPARSE;
}
