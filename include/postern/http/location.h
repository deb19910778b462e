/* SPDX-License-Identifier: Apache-2.0 */
/* URLs in the container's answer fields, as its clients can use them. The container knows its own address
 * only, and says http://localhost:5000/… of a job it took; SDKs go where Operation-Location sends them, and
 * to https only. What names the container is put behind the address that the client used; what names another
 * host stays. Pure functions, any thread. */
#ifndef POSTERN_HTTP_LOCATION_H
#define POSTERN_HTTP_LOCATION_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the client reached us: scheme "://" authority prefix. The prefix is empty or begins with '/' and does
 * not end with one. */
struct pst_public_base {
    struct pst_str scheme;
    struct pst_str authority;
    struct pst_str prefix;
};

/* Who the container is. */
struct pst_container_names {
    struct pst_str authority; /* what its requests carried as Host: host[:port] */
    struct pst_str upstream;  /* the setting `upstream`'s authority: its port is loopback's, too */
    char *const *names;       /* more of them, host or host:port; without a port any will do */
    size_t n_names;
};

/* Whether the field's value is such a URL: Location, Content-Location, Operation-Location,
 * azure-asyncoperation. Cheap for all other names. */
bool pst_location_is_field(struct pst_str name);

/* "https://host[:port][/prefix]", as the setting `public_url` says it; http is possible too, a query and user
 * information are not. The slices point into `text`. 0 or -PST_EPARSE. */
int pst_public_base_parse(struct pst_str text, struct pst_public_base *ret_base) PST_MUSTCHECK;

/* From the request: the client's Host, and https. Of a trusted proxy's X-Forwarded-Proto, -Host and -Prefix
 * the last element counts, the one that our neighbour wrote; what is malformed is not looked at. False
 * without any host (HTTP/1.0). */
bool pst_public_base_of(const struct pst_fields *fields, struct pst_str host, bool peer_trusted,
                        struct pst_public_base *ret_base) PST_MUSTCHECK;

/* Appends the URL for the client to `out`: of the container's own the part behind the authority, of relative
 * ones (RFC 3986 section 4.2) the whole, resolved against `path`, the request's. False when the value is to
 * stay as it is; nothing was appended then. Look at pst_buf_failed(). */
bool pst_location_rewrite(struct pst_str value, const struct pst_container_names *container,
                          const struct pst_public_base *base, struct pst_str path,
                          struct pst_buf *out) PST_MUSTCHECK;

#endif
