/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/path.h"

#include <stdint.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

unsigned char pst_path_take(struct pst_str *path, bool *ret_escaped)
{
    *ret_escaped = false;
    unsigned char c = (unsigned char)path->p[0];
    if (c == '%' && path->len >= 3) {
        int high = hex_value(path->p[1]), low = hex_value(path->p[2]);
        if (high >= 0 && low >= 0) {
            *path = pst_str_skip(*path, 3);
            *ret_escaped = true;
            return (unsigned char)(high * 16 + low);
        }
    }
    *path = pst_str_skip(*path, 1);
    return c;
}

/* Characters outside ASCII whose upper or lower case is "S", "K" or "I". */
static bool folds_to_ascii(uint32_t c)
{
    return c == 0x17f || c == 0x212a || c == 0x130 || c == 0x131;
}

/* Takes the rest of a character that begins with `first`, 0x80 or above. False when it is not valid UTF-8
 * (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF), or one that folds to an ASCII letter.
 */
static bool take_character(struct pst_str *path, unsigned char first)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4)
        return false;
    uint32_t c = first & (0x3fu >> more);
    for (unsigned i = 0; i < more; i++) {
        bool escaped;
        unsigned char next = path->len > 0 ? pst_path_take(path, &escaped) : 0;
        if ((next & 0xc0) != 0x80)
            return false;
        c = c << 6 | (next & 0x3f);
    }
    return c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && !folds_to_ascii(c);
}

/* Whether a character of ASCII has one meaning only. */
static bool is_clear(unsigned char c, bool escaped)
{
    switch (c) {
    case ';':
    case '?':
    case '#':
    case '%': /* also one that begins no escape */
    case '\\':
    case 0x7f:
        return false;
    case '/':
        return !escaped;
    default:
        return c >= ' ';
    }
}

bool pst_path_is_plain(struct pst_str path)
{
    size_t dots = 0;
    bool is_last_empty = true, only_dots = true; /* and blanks, which some servers trim off a segment */
    if (path.len == 0 || path.p[0] != '/')
        return false;
    path = pst_str_skip(path, 1);
    while (path.len > 0) {
        bool escaped;
        unsigned char c = pst_path_take(&path, &escaped);
        if (c >= 0x80 ? !take_character(&path, c) : !is_clear(c, escaped))
            return false;
        if (c == '/') {
            if (only_dots && dots <= 2)
                return false;
            dots = 0;
            only_dots = true;
            is_last_empty = true;
            continue;
        }
        is_last_empty = false;
        dots += c == '.';
        only_dots = only_dots && (c == '.' || c == ' ');
    }
    return is_last_empty || !only_dots || dots > 2;
}

bool pst_path_decodes_twice(struct pst_str path)
{
    while (path.len > 0) {
        bool escaped;
        if (pst_path_take(&path, &escaped) == '%' && escaped)
            return true;
    }
    return false;
}

bool pst_path_is_spelled_below(struct pst_str path, struct pst_str prefix)
{
    return pst_str_starts(path, prefix) && (path.len == prefix.len || path.p[prefix.len] == '/');
}

/* Takes `text` off the path, as it reads. */
static bool take_text(struct pst_str *path, struct pst_str text)
{
    bool escaped;
    for (; text.len > 0 && path->len > 0; text = pst_str_skip(text, 1)) {
        char c = (char)pst_path_take(path, &escaped);
        if (pst_ascii_lower(c) != pst_ascii_lower(text.p[0]))
            return false;
    }
    return text.len == 0;
}

bool pst_path_reads_below(struct pst_str path, struct pst_str prefix)
{
    return take_text(&path, prefix) && (path.len == 0 || path.p[0] == '/');
}

bool pst_path_reads_as(struct pst_str path, struct pst_str whole)
{
    struct pst_str rest = path;
    return take_text(&rest, whole) && rest.len == 0 && pst_path_is_plain(path);
}
