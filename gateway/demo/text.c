/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

uint32_t demo_utf8_next(const char **p, const char *end)
{
    const unsigned char *s = (const unsigned char *)*p;
    size_t left = (size_t)(end - *p);
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
    if (n == 0 || n > left || s[0] > 0xF4) {
        *p += 1;
        return 0xFFFD;
    }
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            *p += 1;
            return 0xFFFD;
        }
        c = c << 6 | (s[i] & 0x3Fu);
    }
    *p += n;
    return c;
}

size_t demo_utf8_count(struct pst_str text)
{
    size_t n = 0;
    const char *end = text.p + text.len;
    for (const char *p = text.p; p < end; n++)
        demo_utf8_next(&p, end);
    return n;
}

/* Lower case for ASCII, Latin-1 and Latin Extended-A: what the lexicon's languages are written in. */
static uint32_t lower(uint32_t c)
{
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7))
        return c + 32;
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177))
        return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
        return c + (c & 1);
    return c;
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'' ||
           (c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7) || (c >= 0x370 && c <= 0x1FFF);
}

static size_t utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
}

size_t demo_word_next(const char **p, const char *end, char word[static DEMO_WORD_MAX])
{
    size_t len = 0;
    while (*p < end) {
        uint32_t c = demo_utf8_next(p, end);
        if (c == 0x2019) /* the typographic apostrophe */
            c = '\'';
        if (is_letter(c)) {
            if (len + 3 <= DEMO_WORD_MAX)
                len += utf8_put(lower(c), word + len);
        } else if (len) {
            break;
        }
    }
    return len;
}
