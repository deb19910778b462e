/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-origin requests of browsers (Fetch standard, "HTTP extensions", CORS protocol): which pages may read
 * the answers, and what preflights are told. Pure functions, any thread; slices point to the settings, to the
 * request's fields, or are static. */
#ifndef POSTERN_HTTP_CORS_H
#define POSTERN_HTTP_CORS_H

#include "postern/base/err.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stddef.h>

struct pst_cors {
    const struct pst_str *origins; /* as pst_cors_origin_check() takes them; none: CORS is the container's */
    size_t n_origins;
    struct pst_str methods; /* of Access-Control-Allow-Methods, "GET, POST" */
    struct pst_str headers; /* of Access-Control-Allow-Headers; empty: whatever is asked for */
    struct pst_str expose;  /* of Access-Control-Expose-Headers; empty: none */
    struct pst_str max_age; /* seconds, in digits */
    bool credentials;       /* cookies, client certificates */
};

static inline bool pst_cors_is_on(const struct pst_cors *cors)
{
    return cors->n_origins > 0;
}

/* Whether `pattern` can stand in `origins`: "*", "http(s)://host[:port]" as browsers write it (small letters,
 * no port that goes without saying, no path), or the same with "*." before the host for the names below it.
 * 0 or -PST_EPARSE. */
int pst_cors_origin_check(struct pst_str pattern) PST_MUSTCHECK;
/* Whether pages of `origin`, as the request's Origin has it, may read the answer. */
bool pst_cors_allows(const struct pst_cors *cors, struct pst_str origin) PST_MUSTCHECK;
/* OPTIONS with Origin and Access-Control-Request-Method. */
bool pst_cors_is_preflight(struct pst_str method, const struct pst_fields *fields);
/* A field of the container's answer that Postern's own take the place of. */
bool pst_cors_is_field(struct pst_str name);

/* The fields of an answer; `origin` is empty when it is not allowed or none. Returns how many. */
#define PST_CORS_FIELDS_MAX 4
size_t pst_cors_fields(const struct pst_cors *cors, struct pst_str origin,
                       struct pst_field ret[static PST_CORS_FIELDS_MAX]);
/* Beside those, the fields of the answer to a preflight with these fields. Returns how many. */
#define PST_CORS_PREFLIGHT_FIELDS_MAX 4
size_t pst_cors_preflight_fields(const struct pst_cors *cors, const struct pst_fields *request,
                                 struct pst_field ret[static PST_CORS_PREFLIGHT_FIELDS_MAX]);

#endif
