/* SPDX-License-Identifier: Apache-2.0 */
/* The request target (RFC 9112 section 3.2), read strictly and kept as the client wrote it: percent
 * encoding, order and spelling of what goes on are the client's bytes. Slices point into the raw target.
 * Pure functions, any thread. */
#ifndef POSTERN_HTTP_TARGET_H
#define POSTERN_HTTP_TARGET_H

#include "postern/base/arena.h"
#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/http/error.h"
#include "postern/http/field.h"

#include <stdbool.h>

enum pst_target_form { PST_TARGET_ORIGIN, PST_TARGET_ABSOLUTE, PST_TARGET_ASTERISK };

struct pst_target {
    enum pst_target_form form;
    struct pst_str authority; /* host[:port] of the absolute form, else empty; it goes before Host */
    struct pst_str path;      /* begins with '/', or is "*" */
    struct pst_str query;     /* without its '?' */
    bool has_query;           /* a '?' is there, also when nothing follows it */
    bool query_is_loose; /* it has a '%' that begins no escape, as browsers send it: to look for something
                            in it would be to guess */
};

/* PST_ERROR_NONE, PST_ERROR_TARGET, _TARGET_ESCAPE or _TARGET_FORM. Refused are: control characters, spaces,
 * bytes above 126, '#', a '\', bad %-escapes and %00 in the path, user information in an absolute form, "*"
 * with a method other than OPTIONS, and every other form. */
enum pst_error_id pst_target_parse(struct pst_str raw, struct pst_str method,
                                   struct pst_target *ret_target) PST_MUSTCHECK;

/* Whether `s` is host[:port] (RFC 3986 section 3.2 without user information; [v6] in brackets). */
bool pst_authority_is_valid(struct pst_str s);

/* The host the client meant: the absolute form's authority, else its one Host field (RFC 9112 section 3.2).
 * PST_ERROR_NONE, or PST_ERROR_HOST when Host is missing in HTTP/1.1, repeated, or malformed. Without any
 * (HTTP/1.0) *ret_host is empty. */
enum pst_error_id pst_target_host(const struct pst_target *target, const struct pst_fields *fields,
                                  bool http_1_0, struct pst_str *ret_host) PST_MUSTCHECK;

/* A parameter of a query: `name[=value]` between ampersands, still percent-encoded. */
struct pst_query_param {
    struct pst_str name;
    struct pst_str value;
    struct pst_str whole; /* name=value */
};

/* Takes the next parameter off `rest`; false at the end. */
bool pst_query_next(struct pst_str *rest, struct pst_query_param *ret_param);
/* Whether an encoded name means `plain`: %-escapes decoded, ASCII letters without case. */
bool pst_query_name_is(struct pst_str encoded, struct pst_str plain);
/* The first parameter of that name. False when there is none. */
bool pst_query_find(struct pst_str query, struct pst_str plain_name, struct pst_query_param *ret_param);
/* Decodes %-escapes, and '+' as a space when `plus` says so, into dst and terminates it.
 * Returns the length, -PST_ELIMIT when it does not fit, -PST_EPARSE for a bad escape. */
int pst_percent_decode(struct pst_str encoded, bool plus, char *dst, size_t dst_size);

/* Takes every parameter of any of the `n` names off the query, the rest stays byte for byte; a '?' with
 * nothing left behind it goes too. The query is rewritten into the arena only when something was found.
 * Returns how many parameters were taken, or -PST_ENOMEM. */
int pst_target_remove_params(struct pst_target *target, const struct pst_str *plain_names, size_t n,
                             struct pst_arena *arena) PST_MUSTCHECK;

#endif
