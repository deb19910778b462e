/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http/next_link.h"

#include <string.h>

/*     PLAIN ──"──▶ STRING ──"──▶ AFTER (if it is one of the names) ──:──▶ COLON ──"──▶ VALUE ──"──▶ PLAIN
 *     anything else but white space in AFTER and COLON leads back to PLAIN, which looks at it again */
enum { PLAIN, STRING, AFTER, COLON, VALUE };

static const struct {
    struct pst_str prefix, part;
} routes[] = {
    {PST_STR("/text/analytics/"), PST_STR("/jobs/")},
    {PST_STR("/language/"), PST_STR("/jobs/")},
    {PST_STR("/translator/"), PST_STR("/batches")},
    {PST_STR("/documentintelligence/"), PST_STR("/analyzebatchresults")},
    {PST_STR("/speechtotext/"), PST_STR("/transcriptions")},
};

static bool has_part(struct pst_str path, struct pst_str part)
{
    for (; path.len >= part.len; path = pst_str_skip(path, 1)) {
        if (pst_str_istarts(path, part))
            return true;
    }
    return false;
}

bool pst_next_link_is_route(struct pst_str path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (pst_str_istarts(path, routes[i].prefix) && has_part(path, routes[i].part))
            return true;
    }
    return false;
}

void pst_next_link_init(struct pst_next_link *scan, pst_next_link_fn *fn, void *arg)
{
    *scan = (struct pst_next_link){.fn = fn, .arg = arg};
}

static bool is_name(const struct pst_next_link *scan)
{
    static const struct pst_str names[] = {PST_STR("nextLink"), PST_STR("@nextLink"),
                                           PST_STR("@odata.nextLink")};
    struct pst_str name = {scan->name, scan->name_len};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (scan->name_len <= PST_NEXT_LINK_NAME_MAX && pst_str_eq(name, names[i]))
            return true;
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* True when `c` ends the string that it is in. */
static bool ends_string(struct pst_next_link *scan, char c)
{
    bool ends = c == '"' && !scan->escaped;
    scan->escaped = c == '\\' && !scan->escaped;
    return ends;
}

static void begin_string(struct pst_next_link *scan)
{
    scan->state = STRING;
    scan->escaped = false;
    scan->name_len = 0;
}

static void take_string(struct pst_next_link *scan, char c)
{
    if (ends_string(scan, c))
        scan->state = is_name(scan) ? AFTER : PLAIN;
    else if (scan->name_len < PST_NEXT_LINK_NAME_MAX)
        scan->name[scan->name_len++] = c;
    else
        scan->name_len = PST_NEXT_LINK_NAME_MAX + 1;
}

/* Between a name and its value. */
static void take_between(struct pst_next_link *scan, char c)
{
    if (is_space(c))
        return;
    if (scan->state == AFTER && c == ':')
        scan->state = COLON;
    else if (c == '"')
        begin_string(scan);
    else
        scan->state = PLAIN;
}

static void keep(struct pst_next_link *scan, struct pst_buf *out)
{
    pst_buf_add(out, scan->value, scan->value_len);
    scan->value_len = 0;
}

static void take_value(struct pst_next_link *scan, char c, struct pst_buf *out)
{
    scan->value[scan->value_len++] = c;
    if (ends_string(scan, c)) {
        if (scan->fn(scan->arg, (struct pst_str){scan->value, scan->value_len}, out))
            scan->value_len = 0;
        keep(scan, out);
        scan->state = PLAIN;
    } else if (scan->value_len == PST_NEXT_LINK_VALUE_MAX) {
        keep(scan, out);
        scan->name_len = PST_NEXT_LINK_NAME_MAX + 1;
        scan->state = STRING;
    }
}

void pst_next_link_feed(struct pst_next_link *scan, struct pst_str piece, struct pst_buf *out)
{
    size_t copied = 0; /* of the piece, in `out` already or held back */
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.p[i];
        if (scan->state == VALUE) {
            take_value(scan, c, out);
            copied = i + 1;
        } else if (scan->state == COLON && c == '"') {
            pst_buf_add(out, piece.p + copied, i - copied);
            copied = i + 1;
            scan->value[0] = c;
            scan->value_len = 1;
            scan->escaped = false;
            scan->state = VALUE;
        } else if (scan->state == STRING) {
            take_string(scan, c);
        } else if (scan->state != PLAIN) {
            take_between(scan, c);
        } else if (c == '"') {
            begin_string(scan);
        }
    }
    pst_buf_add(out, piece.p + copied, piece.len - copied);
}

void pst_next_link_end(struct pst_next_link *scan, struct pst_buf *out)
{
    keep(scan, out);
    scan->state = PLAIN;
}
