/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/base/str.h"

#include "postern/base/err.h"

struct pst_str pst_str_of(const char *cstr)
{
    return (struct pst_str){cstr, cstr != NULL ? strlen(cstr) : 0};
}

char pst_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool pst_str_eq(struct pst_str a, struct pst_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool pst_str_ieq(struct pst_str a, struct pst_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (pst_ascii_lower(a.p[i]) != pst_ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

bool pst_str_starts(struct pst_str s, struct pst_str prefix)
{
    return s.len >= prefix.len && pst_str_eq((struct pst_str){s.p, prefix.len}, prefix);
}

bool pst_str_istarts(struct pst_str s, struct pst_str prefix)
{
    return s.len >= prefix.len && pst_str_ieq((struct pst_str){s.p, prefix.len}, prefix);
}

bool pst_str_ends(struct pst_str s, struct pst_str suffix)
{
    return s.len >= suffix.len && pst_str_eq(pst_str_skip(s, s.len - suffix.len), suffix);
}

bool pst_str_iends(struct pst_str s, struct pst_str suffix)
{
    return s.len >= suffix.len && pst_str_ieq(pst_str_skip(s, s.len - suffix.len), suffix);
}

struct pst_str pst_str_skip(struct pst_str s, size_t n)
{
    if (n > s.len)
        n = s.len;
    return (struct pst_str){n > 0 ? s.p + n : s.p, s.len - n};
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct pst_str pst_str_trim(struct pst_str s)
{
    while (s.len > 0 && is_ows(s.p[0]))
        s = pst_str_skip(s, 1);
    while (s.len > 0 && is_ows(s.p[s.len - 1]))
        s.len--;
    return s;
}

ptrdiff_t pst_str_find(struct pst_str s, char c)
{
    const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;
    return at != NULL ? at - s.p : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct pst_str pst_str_strip(struct pst_str s)
{
    while (s.len > 0 && is_space(s.p[0]))
        s = pst_str_skip(s, 1);
    while (s.len > 0 && is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct pst_str pst_str_strip_file(struct pst_str s)
{
    static const struct pst_str mark = {"\xEF\xBB\xBF", 3};
    return pst_str_strip(pst_str_starts(s, mark) ? pst_str_skip(s, mark.len) : s);
}

struct pst_str pst_str_cut(struct pst_str s, char sep, struct pst_str *rest)
{
    ptrdiff_t at = pst_str_find(s, sep);
    if (at < 0) {
        *rest = (struct pst_str){NULL, 0};
        return s;
    }
    *rest = pst_str_skip(s, (size_t)at + 1);
    return (struct pst_str){s.p, (size_t)at};
}

int pst_str_copy(struct pst_str s, char *dst, size_t dst_size)
{
    if (s.len >= dst_size) {
        if (dst_size > 0)
            dst[0] = '\0';
        return -PST_ELIMIT;
    }
    return (int)pst_str_clip(s, dst, dst_size);
}

size_t pst_str_clip(struct pst_str s, char *dst, size_t dst_size)
{
    if (dst_size == 0)
        return 0;
    size_t n = s.len < dst_size ? s.len : dst_size - 1;
    if (n > 0)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
    return n;
}
