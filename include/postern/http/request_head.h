/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the request head for the container. Nothing of the client's head is copied raw: the start line
 * and every field are written anew from what was parsed, in the client's order with repeats kept.
 *
 * Left out: the hop-by-hop fields (RFC 9110 section 7.6.1) and those Connection names; Expect; TE and Trailer
 * (trailers are not forwarded); Host, Content-Length and Transfer-Encoding (written anew); the fields that
 * carry the key; X-Postern-*; Proxy (httpoxy); names with an underscore (servers that make variables of
 * fields read X_Forwarded_For as X-Forwarded-For); X-Forwarded-*, Forwarded, X-Real-IP, X-Original-* and
 * X-Rewrite-URL unless the peer is a trusted proxy. Added: Host, Content-Length or Transfer-Encoding,
 * X-Forwarded-For, -Proto, -Host, Forwarded (RFC 7239), X-Request-Id, X-Postern-Key-Id. Pure functions, any
 * thread. */
#ifndef POSTERN_HTTP_REQUEST_HEAD_H
#define POSTERN_HTTP_REQUEST_HEAD_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/http/error.h"
#include "postern/http/field.h"
#include "postern/http/framing.h"
#include "postern/http/target.h"

#include <stdbool.h>

struct pst_request_head {
    struct pst_str method;
    const struct pst_target *target;
    const struct pst_fields *fields; /* the client's, as they came */
    struct pst_framing framing;      /* of what is sent on; not PST_BODY_UNTIL_CLOSE */
    struct pst_str host;             /* value of Host: the container's authority, or the client's */
    /* Names of the fields that may carry a key, lower case; every field of these names is left out. */
    const struct pst_str *credential_names;
    size_t n_credential_names;
    struct pst_str client_host;    /* X-Forwarded-Host: what the client asked for; empty: not added */
    struct pst_str client_address; /* the peer's address as text, IPv6 without brackets */
    struct pst_str client_proto;   /* "https" */
    bool peer_trusted;             /* the peer's own X-Forwarded-* and Forwarded are kept and appended to */
    const struct pst_field *added; /* written as they are; the client's own of these names are left out */
    size_t n_added;
    struct pst_str key_id;     /* X-Postern-Key-Id; empty: not added */
    struct pst_str request_id; /* X-Request-Id */
    struct pst_str upgrade;    /* "websocket": adds Connection: Upgrade and Upgrade; empty: not added */
};

/* Whether the method is forwarded: a token, and neither CONNECT nor TRACE. */
bool pst_request_method_forwards(struct pst_str method);

/* Appends the head, blank line included. PST_ERROR_NONE, PST_ERROR_METHOD, PST_ERROR_FIELD_NAME,
 * PST_ERROR_FIELD_VALUE, PST_ERROR_MALFORMED (other parts, or more than 32 names in Connection),
 * PST_ERROR_HEAD_TOO_LARGE (bound of `out`) or PST_ERROR_INTERNAL (memory);
 * after an error the buffer holds what it held before. */
enum pst_error_id pst_request_head_write(const struct pst_request_head *head,
                                         struct pst_buf *out) PST_MUSTCHECK;

#endif
