/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of how lenient servers read a path, for what must hold in front of each of them: what is cut
 * off, decoded twice, turned, merged, resolved and folded, in every combination of LENIENT_ALL. */
#ifndef POSTERN_TESTS_LENIENT_H
#define POSTERN_TESTS_LENIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    LENIENT_PARAMS_FIRST = 1, /* ";a=b" is cut off each segment before decoding (Tomcat) */
    LENIENT_PARAMS = 2,       /* or after it */
    LENIENT_TWICE = 4,        /* decodes twice (a proxy that passes on what it decoded) */
    LENIENT_DELIMITERS = 8,   /* '?' and '#' end what was decoded */
    LENIENT_BACKSLASH = 16,   /* '\' is '/' */
    LENIENT_OVERLONG = 32,    /* two-byte UTF-8 of ASCII is taken */
    LENIENT_CONTROLS = 64,    /* control characters are left out (URL parsers of browsers) */
    LENIENT_SLASHES = 128,    /* "//" is "/" */
    LENIENT_DOTS = 256,       /* dot segments are resolved */
    LENIENT_ALL = 512,
};

#define LENIENT_MAX 1024

struct lenient {
    char text[LENIENT_MAX];
    size_t len;
};

static int lenient_hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;
    return at != NULL && (c >= 'A' || c <= '9') ? (int)(at - digits) : -1;
}

static void lenient_decode(struct lenient *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        int high = i + 2 < s->len ? lenient_hex(s->text[i + 1]) : -1;
        int low = i + 2 < s->len ? lenient_hex(s->text[i + 2]) : -1;
        bool escape = s->text[i] == '%' && high >= 0 && low >= 0;
        s->text[n++] = escape ? (char)(high * 16 + low) : s->text[i];
        i += escape ? 2 : 0;
    }
    s->len = n;
}

static void lenient_cut_params(struct lenient *s)
{
    size_t n = 0;
    bool cut = false;
    for (size_t i = 0; i < s->len; i++) {
        cut = s->text[i] != '/' && (cut || s->text[i] == ';');
        if (!cut)
            s->text[n++] = s->text[i];
    }
    s->len = n;
}

static void lenient_replace(struct lenient *s, unsigned how)
{
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        unsigned char c = (unsigned char)s->text[i];
        unsigned char next = i + 1 < s->len ? (unsigned char)s->text[i + 1] : 0;
        if ((how & LENIENT_OVERLONG) != 0 && (c == 0xc0 || c == 0xc1) && (next & 0xc0) == 0x80) {
            c = (unsigned char)((c & 3) << 6 | (next & 0x3f));
            i++;
        }
        if ((how & LENIENT_CONTROLS) != 0 && (c < ' ' || c == 0x7f))
            continue;
        if ((how & LENIENT_BACKSLASH) != 0 && c == '\\')
            c = '/';
        if ((how & LENIENT_DELIMITERS) != 0 && (c == '?' || c == '#'))
            break;
        if ((how & LENIENT_SLASHES) != 0 && c == '/' && n > 0 && s->text[n - 1] == '/')
            continue;
        s->text[n++] = (char)c;
    }
    s->len = n;
}

/* RFC 3986 section 5.2.4, for a path that begins with '/'. */
static void lenient_resolve_dots(struct lenient *s)
{
    struct lenient out = {.len = 0};
    for (size_t i = 0; i < s->len;) {
        size_t end = i + 1;
        while (end < s->len && s->text[end] != '/')
            end++;
        size_t dots = end - i - 1;
        bool only_dots = dots >= 1 && dots <= 2 && s->text[i + 1] == '.' && s->text[end - 1] == '.';
        while (only_dots && dots == 2 && out.len > 0 && out.text[--out.len] != '/')
            ;
        if (!only_dots) {
            memcpy(out.text + out.len, s->text + i, end - i);
            out.len += end - i;
        }
        i = end;
    }
    *s = out;
}

/* ASCII, and the four others whose other case is in ASCII. */
static void lenient_fold(struct lenient *s)
{
    static const struct {
        const char *from;
        char to;
    } others[] = {{"\xc5\xbf", 's'}, {"\xe2\x84\xaa", 'k'}, {"\xc4\xb0", 'i'}, {"\xc4\xb1", 'i'}};
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->text[i];
        for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
            size_t len = strlen(others[j].from);
            if (s->len - i >= len && memcmp(s->text + i, others[j].from, len) == 0) {
                c = others[j].to;
                i += len - 1;
                break;
            }
        }
        s->text[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    s->len = n;
}

/* How such a server reads the path, letters folded. `how` 0: as RFC 3986 has it, decoded once. */
static struct lenient lenient_read(const char *path, size_t len, unsigned how)
{
    struct lenient s = {.len = len < LENIENT_MAX ? len : LENIENT_MAX};
    memcpy(s.text, path, s.len);
    if ((how & LENIENT_PARAMS_FIRST) != 0)
        lenient_cut_params(&s);
    lenient_decode(&s);
    if ((how & LENIENT_TWICE) != 0)
        lenient_decode(&s);
    lenient_replace(&s, how);
    if ((how & LENIENT_PARAMS) != 0)
        lenient_cut_params(&s);
    if ((how & LENIENT_DOTS) != 0)
        lenient_resolve_dots(&s);
    lenient_fold(&s);
    return s;
}

static bool lenient_is_below(const struct lenient *s, const char *prefix)
{
    size_t len = strlen(prefix);
    return s->len >= len && memcmp(s->text, prefix, len) == 0 && (s->len == len || s->text[len] == '/');
}

#endif
