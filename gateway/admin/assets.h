/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files as they lie in web/, in the program itself; read-only, any thread. */
#ifndef POSTERN_ADMIN_ASSETS_H
#define POSTERN_ADMIN_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

struct admin_request;
struct MHD_Response;

struct admin_asset {
    const char *path; /* "/", "/assets/…" */
    const char *type;
    const char *digest; /* of the plain bytes, for the ETag */
    const unsigned char *plain;
    size_t plain_len;
    const unsigned char *gzip;
    size_t gzip_len;
};

/* Made from web/ by web/embed_page.py. */
extern const struct admin_asset admin_assets[];
extern const size_t admin_assets_len;

/* Answers when `path` is one of the page's files; false: it is not. Nobody has to be signed in: the files are
 * the same for all, and signing in happens in them. */
bool admin_asset_answer(struct admin_request *r, const char *path);
/* What a browser may do with the page's files; the fields go beside those that every answer has. */
void admin_asset_headers(const struct admin_asset *asset, struct MHD_Response *response);

#endif
