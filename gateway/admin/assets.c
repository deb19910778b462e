/* SPDX-License-Identifier: Apache-2.0 */
/* The page: its files, compressed when the program was built, and the limits a browser is to keep them in. */
#include "assets.h"
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Scripts, styles and pictures come from here alone and nothing is inline; so text that got into the page as
 * markup, should that ever happen, could still run nothing and load nothing. */
static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'";

static const struct {
    const char *name, *value;
} page_fields[] = {
    {"Content-Security-Policy", page_policy},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"X-Frame-Options", "DENY"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
    {"Vary", "Accept-Encoding"},
};

static const struct admin_asset *find(const char *path)
{
    for (size_t i = 0; i < admin_assets_len; i++) {
        if (strcmp(admin_assets[i].path, path) == 0)
            return &admin_assets[i];
    }
    return NULL;
}

static struct pst_str field(const struct admin_request *r, const char *name)
{
    return pst_str_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

/* Whether a list names `item` (RFC 9110, section 5.6.1), parameters left aside but for "q=0", which is a no.
 */
static bool list_has(struct pst_str list, struct pst_str item)
{
    while (list.len > 0) {
        struct pst_str parameters, element = pst_str_cut(list, ',', &list);
        struct pst_str name = pst_str_trim(pst_str_cut(element, ';', &parameters));
        parameters = pst_str_trim(parameters);
        if (pst_str_ieq(name, item))
            return !pst_str_starts(parameters, PST_STR("q=0")) || pst_str_starts(parameters, PST_STR("q=0."));
    }
    return false;
}

/* If-None-Match compares weakly (RFC 9110, section 13.1.2). */
static bool is_known(const struct admin_request *r)
{
    struct pst_str list = field(r, "If-None-Match");
    while (list.len > 0) {
        struct pst_str tag = pst_str_trim(pst_str_cut(list, ',', &list));
        if (pst_str_starts(tag, PST_STR("W/")))
            tag = pst_str_skip(tag, 2);
        if (pst_str_eq(tag, pst_str_of(r->etag)) || pst_str_eq(tag, PST_STR("*")))
            return true;
    }
    return false;
}

bool admin_asset_answer(struct admin_request *r, const char *path)
{
    const struct admin_asset *asset = find(path);
    if (asset == NULL)
        return false;
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) {
        snprintf(r->allow, sizeof(r->allow), "GET, HEAD");
        admin_fail(r, 405, "MethodNotAllowed", "Method not allowed; use %s.", r->allow);
        return true;
    }
    r->asset = asset;
    r->packed = list_has(field(r, "Accept-Encoding"), PST_STR("gzip"));
    snprintf(r->etag, sizeof(r->etag), "\"%s%s\"", asset->digest, r->packed ? "-gz" : "");
    r->status = is_known(r) ? 304 : 200;
    if (r->status == 200)
        r->literal = r->packed ? (struct pst_str){(const char *)asset->gzip, asset->gzip_len}
                               : (struct pst_str){(const char *)asset->plain, asset->plain_len};
    return true;
}

void admin_asset_headers(const struct admin_asset *asset, struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Type", asset->type);
    /* Asked about each time, and answered with 304: a new version of the gateway is a new page at once. */
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    for (size_t i = 0; i < sizeof(page_fields) / sizeof(page_fields[0]); i++)
        MHD_add_response_header(response, page_fields[i].name, page_fields[i].value);
}
