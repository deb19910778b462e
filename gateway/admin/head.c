/* SPDX-License-Identifier: Apache-2.0 */
/* What of a head libmicrohttpd lets pass that two readers would read differently. */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* libmicrohttpd decodes the path in place, where an encoded NUL would be its end and an encoded slash one
 * more segment: DELETE of …/keys/ID%00/secrets/key1 would be one of the whole key. */
bool admin_target_is_plain(const char *target)
{
    for (const char *at = target; *at != '\0' && *at != '?'; at++) {
        if (strncmp(at, "%00", 3) == 0 || strncasecmp(at, "%2f", 3) == 0)
            return false;
    }
    return true;
}

/* Fields of one value: of two, we would take the first, and a proxy in front of us perhaps the other. */
static const char *const once[] = {"Authorization",   "Content-Length", "Content-Type",    "Host",
                                   "Idempotency-Key", "If-Match",       "Origin",          "Sec-Fetch-Site",
                                   "X-CSRF-Token",    "Cookie",         "Content-Encoding"};

#define N_ONCE (sizeof(once) / sizeof(once[0]))

struct fields_check {
    unsigned seen; /* a bit for each of `once` */
    const char *twice;
};

static enum MHD_Result check_field(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct fields_check *check = arg;
    (void)kind, (void)value;
    for (size_t i = 0; i < N_ONCE; i++) {
        if (strcasecmp(once[i], name) != 0)
            continue;
        if ((check->seen & (1u << i)) != 0)
            check->twice = once[i];
        check->seen |= 1u << i;
    }
    return check->twice == NULL ? MHD_YES : MHD_NO;
}

/* A target may come whole (RFC 9112, section 3.2.2); its host is the one that Host names, or which of them is
 * meant? */
const char *admin_head_path(struct admin_request *r, const char *path)
{
    struct pst_str target = pst_str_of(path), rest;
    bool secure = pst_str_istarts(target, PST_STR("https://"));
    if (!secure && !pst_str_istarts(target, PST_STR("http://")))
        return path;
    target = pst_str_skip(target, secure ? 8 : 7);
    struct pst_str authority = pst_str_cut(target, '/', &rest);
    const char *host = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Host");
    if (!pst_str_ieq(authority, pst_str_of(host)))
        admin_fail(r, 400, "BadHeader", "The request target names a different host than the Host field.");
    return authority.len < target.len ? authority.p + authority.len : "/";
}

void admin_head_check(struct admin_request *r)
{
    struct fields_check check = {0};
    if (!r->target_is_plain) {
        admin_fail(r, 404, "NotFound", "No such endpoint: paths contain neither %%00 nor %%2F.");
        return;
    }
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, check_field, &check);
    if (check.twice != NULL)
        admin_fail(r, 400, "BadHeader", "The header field %s is given twice.", check.twice);
}
