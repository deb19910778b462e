/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/buf.h"

#include "postern/base/num.h"

#include <stdio.h>
#include <stdlib.h>

/* The first allocation: holds a small request head or error body without growing. */
#define FIRST_CAP 256

void pst_buf_init(struct pst_buf *buf, size_t max_bytes)
{
    *buf = (struct pst_buf){.max = max_bytes};
}

void pst_buf_done(struct pst_buf *buf)
{
    free(buf->data);
    pst_buf_init(buf, buf->max);
}

void pst_buf_reset(struct pst_buf *buf)
{
    buf->start = buf->end = 0;
    buf->failed = false;
}

void pst_buf_wipe(struct pst_buf *buf)
{
    if (buf->data != NULL)
        explicit_bzero(buf->data, buf->cap);
    pst_buf_done(buf);
}

/* Moves the content to the front of its memory. */
static void compact(struct pst_buf *buf)
{
    size_t len = pst_buf_len(buf);
    if (buf->start == 0)
        return;
    if (len > 0)
        memmove(buf->data, buf->data + buf->start, len);
    buf->start = 0;
    buf->end = len;
}

static int grow(struct pst_buf *buf, size_t need)
{
    size_t cap = buf->cap > 0 ? buf->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *data = realloc(buf->data, cap);
    if (data == NULL)
        return -PST_ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int pst_buf_reserve(struct pst_buf *buf, size_t n)
{
    size_t len = pst_buf_len(buf);
    if (n > buf->max || len > buf->max - n) {
        buf->failed = true;
        return -PST_ELIMIT;
    }
    /* One byte more than asked for, so that pst_buf_cstr() always has room for its NUL. */
    if (buf->end + n < buf->cap)
        return 0;
    if (buf->start > 0)
        compact(buf);
    if (buf->end + n < buf->cap)
        return 0;
    int err = grow(buf, len + n + 1);
    if (err < 0)
        buf->failed = true;
    return err;
}

int pst_buf_add(struct pst_buf *buf, const void *data, size_t len)
{
    int err = pst_buf_reserve(buf, len);
    if (err < 0)
        return err;
    if (len > 0)
        memcpy(buf->data + buf->end, data, len);
    buf->end += len;
    return 0;
}

int pst_buf_add_str(struct pst_buf *buf, struct pst_str s)
{
    return pst_buf_add(buf, s.p, s.len);
}

int pst_buf_add_cstr(struct pst_buf *buf, const char *s)
{
    return pst_buf_add(buf, s, strlen(s));
}

int pst_buf_add_char(struct pst_buf *buf, char c)
{
    return pst_buf_add(buf, &c, 1);
}

int pst_buf_add_u64(struct pst_buf *buf, uint64_t value)
{
    char text[PST_U64_TEXT_MAX];
    return pst_buf_add(buf, text, pst_u64_format(value, text));
}

int pst_buf_vprintf(struct pst_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0) {
        buf->failed = true;
        return -PST_EINVAL;
    }
    int err = pst_buf_reserve(buf, (size_t)len);
    if (err < 0)
        return err;
    vsnprintf(buf->data + buf->end, (size_t)len + 1, fmt, args);
    buf->end += (size_t)len;
    return 0;
}

int pst_buf_printf(struct pst_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int err = pst_buf_vprintf(buf, fmt, args);
    va_end(args);
    return err;
}

/* Length of the valid UTF-8 sequence at `s` (RFC 3629 section 4), 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0];
    if (lead < 0x80)
        return 1;
    size_t n = lead >= 0xC2 && lead <= 0xDF   ? 2
               : lead >= 0xE0 && lead <= 0xEF ? 3
               : lead >= 0xF0 && lead <= 0xF4 ? 4
                                              : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    bool overlong = (lead == 0xE0 && s[1] < 0xA0) || (lead == 0xF0 && s[1] < 0x90);
    bool surrogate = lead == 0xED && s[1] > 0x9F;
    bool beyond = lead == 0xF4 && s[1] > 0x8F;
    return overlong || surrogate || beyond ? 0 : n;
}

static void add_json_char(struct pst_buf *buf, unsigned c)
{
    switch (c) {
    case '"':
        pst_buf_add_cstr(buf, "\\\"");
        break;
    case '\\':
        pst_buf_add_cstr(buf, "\\\\");
        break;
    case '\n':
        pst_buf_add_cstr(buf, "\\n");
        break;
    case '\r':
        pst_buf_add_cstr(buf, "\\r");
        break;
    case '\t':
        pst_buf_add_cstr(buf, "\\t");
        break;
    default:
        pst_buf_printf(buf, "\\u%04x", c);
    }
}

/* The character of `n` bytes at `s` as far as escaping it matters: ASCII and C1 by their number, all else
 * as a letter. */
static unsigned json_char(const unsigned char *s, size_t n)
{
    if (n == 1)
        return s[0];
    return n == 2 && s[0] == 0xC2 ? s[1] : 'x';
}

static bool is_plain(unsigned c, bool quotes_stay)
{
    return c >= 0x20 && (c != '"' || quotes_stay) && c != '\\' && (c < 0x7F || c > 0x9F);
}

static void add_escaped(struct pst_buf *buf, struct pst_str s, bool quotes_stay)
{
    size_t plain = 0; /* start of the run of bytes that need no escape */
    for (size_t i = 0; i < s.len;) {
        const unsigned char *at = (const unsigned char *)s.p + i;
        size_t n = utf8_length(at, s.len - i);
        unsigned c = json_char(at, n);
        if (n > 0 && is_plain(c, quotes_stay)) {
            i += n;
            continue;
        }
        pst_buf_add(buf, s.p + plain, i - plain);
        if (n > 0)
            add_json_char(buf, c);
        else
            pst_buf_add_cstr(buf, "\xEF\xBF\xBD");
        i += n > 0 ? n : 1;
        plain = i;
    }
    if (s.len > plain)
        pst_buf_add(buf, s.p + plain, s.len - plain);
}

static int add_all_or_nothing(struct pst_buf *buf, struct pst_str s, bool quotes_stay)
{
    size_t before = pst_buf_len(buf);
    bool failed_before = buf->failed;
    buf->failed = false;
    add_escaped(buf, s, quotes_stay);
    bool failed = buf->failed;
    buf->failed = failed || failed_before;
    if (!failed)
        return 0;
    buf->end = buf->start + before; /* all or nothing */
    return -PST_ELIMIT;
}

int pst_buf_add_json(struct pst_buf *buf, struct pst_str s)
{
    return add_all_or_nothing(buf, s, false);
}

int pst_buf_add_line(struct pst_buf *buf, struct pst_str s)
{
    return add_all_or_nothing(buf, s, true);
}

char *pst_buf_cstr(struct pst_buf *buf)
{
    if (buf->failed || (buf->end >= buf->cap && grow(buf, buf->end + 1) < 0))
        return NULL;
    buf->data[buf->end] = '\0';
    return buf->data + buf->start;
}

void pst_buf_consume(struct pst_buf *buf, size_t n)
{
    size_t len = pst_buf_len(buf);
    buf->start += n < len ? n : len;
    if (buf->start == buf->end)
        buf->start = buf->end = 0;
}
