/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the head of a response to an HTTP/1 client, whoever's response it is: the container's, a refusal,
 * one of Postern's own, the 101 of an upgrade. What the fields say goes out as it stands: names' case, order,
 * repeats, empty values, and the reason phrase. Only the framing is the connection's own matter:
 *
 *     what follows                     to HTTP/1.1                     to HTTP/1.0
 *     none (HEAD, 204, 304, 101)       as the fields say, nothing is added: no length is a right answer, too
 *     a length                         Content-Length, unless the fields have it
 *     not known                        Transfer-Encoding: chunked      until the connection closes
 *
 * Pure functions, any thread. */
#ifndef POSTERN_HTTP_RESPONSE_HEAD_H
#define POSTERN_HTTP_RESPONSE_HEAD_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pst_response_body {
    PST_RESPONSE_NO_BODY,
    PST_RESPONSE_LENGTH,
    PST_RESPONSE_OPEN, /* of a length that is not known yet */
};

/* Independent of the version of HTTP that it goes out by. Values were checked where they came from. */
struct pst_response {
    uint16_t status;
    struct pst_str reason;    /* may be empty; with p NULL the usual one of the status */
    struct pst_fields fields; /* all but Connection, Upgrade, Transfer-Encoding; Date and Content-Length may
                                 be missing */
    enum pst_response_body body;
    uint64_t length;        /* of the body, with PST_RESPONSE_LENGTH */
    struct pst_str upgrade; /* 101: to what; 426: to what it should have been; else empty */
    bool last;              /* the connection takes no further request after it */
};

/* How a connection of HTTP/1 is to send it. */
struct pst_response_wire {
    bool to_http_1_0;
    bool keep_alive;     /* the connection may go on, as far as the request and the connection can tell */
    struct pst_str date; /* now (pst_response_date()); left out when the fields have one */
};

struct pst_response_framing {
    bool chunked;
    bool close; /* the connection ends with the body */
};

/* RFC 9112 sections 6.3 and 9.3. */
struct pst_response_framing pst_response_frame(const struct pst_response *response,
                                               const struct pst_response_wire *wire);

/* Appends the head, blank line included. 0, -PST_ELIMIT or -PST_ENOMEM; after an error the buffer holds what
 * it held before (and is marked). */
int pst_response_head_write(const struct pst_response *response, const struct pst_response_wire *wire,
                            struct pst_buf *out) PST_MUSTCHECK;

/* Whether a response of this status, to such a request, has no body (RFC 9110 section 6.4.1). */
bool pst_response_is_bodiless(uint16_t status, bool to_head);

/* "OK"; empty for what has no name in RFC 9110 (and 6585). */
struct pst_str pst_response_reason(uint16_t status);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), not terminated, always of this length. */
#define PST_RESPONSE_DATE_BYTES 29
void pst_response_date(int64_t seconds, char out[static PST_RESPONSE_DATE_BYTES]);

#endif
