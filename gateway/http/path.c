/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/path.h"

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

bool pst_path_is_plain(struct pst_str path)
{
    size_t in_segment = 0;
    bool only_dots = true;
    if (path.len == 0 || path.p[0] != '/')
        return false;
    path = pst_str_skip(path, 1);
    while (path.len > 0) {
        bool escaped;
        unsigned char c = pst_path_take(&path, &escaped);
        if (c == '\\' || c == '\0' || (escaped && c == '/'))
            return false;
        if (c == '/') {
            if (in_segment == 0 || (only_dots && in_segment <= 2))
                return false;
            in_segment = 0;
            only_dots = true;
            continue;
        }
        in_segment++;
        only_dots = only_dots && c == '.';
    }
    return in_segment == 0 || !only_dots || in_segment > 2;
}
