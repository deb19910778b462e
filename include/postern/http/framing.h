/* SPDX-License-Identifier: Apache-2.0 */
/* How long a message's body is, from its fields, strictly (RFC 9112 section 6). libmicrohttpd has read the
 * client's framing before; this is the second look before anything is forwarded: what two parsers could
 * read in two ways is refused, not guessed. Pure functions, any thread. */
#ifndef POSTERN_HTTP_FRAMING_H
#define POSTERN_HTTP_FRAMING_H

#include "postern/base/err.h"
#include "postern/http/error.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stdint.h>

enum pst_body_kind {
    PST_BODY_NONE,
    PST_BODY_LENGTH, /* `length` bytes; may be 0 */
    PST_BODY_CHUNKED,
    PST_BODY_UNTIL_CLOSE, /* answers only */
};

struct pst_framing {
    enum pst_body_kind kind;
    uint64_t length;
};

/* PST_ERROR_NONE, PST_ERROR_LENGTH_*, PST_ERROR_CODING_* or PST_ERROR_EXPECT. */
enum pst_error_id pst_framing_of_request(const struct pst_fields *fields, bool http_1_0,
                                         struct pst_framing *ret_framing) PST_MUSTCHECK;

/* Whether the client waits for 100 (Continue) before its body (RFC 9110 section 10.1.1). */
bool pst_request_expects_continue(const struct pst_fields *fields, bool http_1_0);

#endif
