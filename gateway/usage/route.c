/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/usage/route.h"

#include "postern/base/buf.h"

#define HEX_MIN    16
#define DIGITS_MIN 6
#define TOKEN_MIN  8
#define LONG_MIN   65

/* What a segment is made of. */
struct makeup {
    size_t digits;
    size_t hex; /* hex digits, decimal ones included */
    size_t dashes;
    size_t dots;
};

static struct makeup makeup_of(struct pst_str segment)
{
    struct makeup m = {0};
    for (size_t i = 0; i < segment.len; i++) {
        char c = pst_ascii_lower(segment.p[i]);
        bool digit = c >= '0' && c <= '9';
        m.digits += digit;
        m.hex += digit || (c >= 'a' && c <= 'f');
        m.dashes += c == '-';
        m.dots += c == '.';
    }
    return m;
}

static bool is_guid(struct pst_str s, const struct makeup *m)
{
    return s.len == 36 && m->hex == 32 && m->dashes == 4 && s.p[8] == '-' && s.p[13] == '-' &&
           s.p[18] == '-' && s.p[23] == '-';
}

static bool is_particular(struct pst_str segment)
{
    struct makeup m = makeup_of(segment);
    return is_guid(segment, &m) || (segment.len >= HEX_MIN && m.hex == segment.len) ||
           (segment.len >= DIGITS_MIN && m.digits == segment.len) ||
           (segment.len >= TOKEN_MIN && m.digits * 3 >= segment.len && m.dots == 0) ||
           segment.len >= LONG_MIN;
}

/* Appends while there is room; a template is cut rather than refused. */
static void add(struct pst_str s, char *route, size_t *len)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = c > ' ' && c < 0x7F;
        if (*len + (plain ? 1 : 3) >= PST_ROUTE_SIZE)
            return;
        if (plain) {
            route[(*len)++] = (char)c;
            continue;
        }
        route[(*len)++] = '%';
        route[(*len)++] = digits[c >> 4];
        route[(*len)++] = digits[c & 15];
    }
}

size_t pst_route_of(struct pst_str path, char route[static PST_ROUTE_SIZE])
{
    size_t len = 0;
    struct pst_str rest = path;
    bool first = true;
    while (rest.p != NULL) {
        struct pst_str segment = pst_str_cut(rest, '/', &rest);
        if (!first)
            add(PST_STR("/"), route, &len);
        first = false;
        add(is_particular(segment) ? PST_STR(PST_ROUTE_ID) : segment, route, &len);
    }
    route[len] = '\0';
    return len;
}
