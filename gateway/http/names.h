/* SPDX-License-Identifier: Apache-2.0 */
/* The field names this layer knows. Looked up by length first: a name that is not known costs one switch.
 * Private to http. */
#ifndef POSTERN_GATEWAY_HTTP_NAMES_H
#define POSTERN_GATEWAY_HTTP_NAMES_H

#include "postern/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum name_id {
    NAME_OTHER,
    NAME_TE,
    NAME_HOST,
    NAME_PROXY,
    NAME_EXPECT,
    NAME_ALT_SVC,
    NAME_TRAILER,
    NAME_UPGRADE,
    NAME_X_REAL_IP,
    NAME_FORWARDED,
    NAME_CONNECTION,
    NAME_KEEP_ALIVE,
    NAME_X_REQUEST_ID,
    NAME_X_REWRITE_URL,
    NAME_CONTENT_LENGTH,
    NAME_HTTP2_SETTINGS,
    NAME_X_FORWARDED_FOR,
    NAME_PROXY_CONNECTION,
    NAME_X_FORWARDED_HOST,
    NAME_TRANSFER_ENCODING,
    NAME_X_FORWARDED_PROTO,
    NAME_PROXY_AUTHENTICATE,
    NAME_PROXY_AUTHORIZATION,
    NAME_PROXY_AUTHENTICATION_INFO,
    NAME_X_FORWARDED_OTHER, /* X-Forwarded-… of any other kind */
    NAME_X_ORIGINAL,        /* X-Original-… */
    NAME_X_POSTERN,         /* X-Postern-… */
};

enum name_id http_name_id(struct pst_str name);
/* Hop by hop by itself, without a Connection naming it (RFC 9110 section 7.6.1). */
bool http_name_is_hop(enum name_id id);

/* Classes of bytes: a bit each. */
enum {
    HTTP_TCHAR = 1 << 0,    /* token (RFC 9110 section 5.6.2) */
    HTTP_VALUE = 1 << 1,    /* may stand in a field value: visible, space, tab, obs-text */
    HTTP_TARGET = 1 << 2,   /* may stand in a request target: visible ASCII but '#' */
    HTTP_REG_NAME = 1 << 3, /* may stand in a host name: unreserved and sub-delims (RFC 3986 section 3.2.2) */
    HTTP_REQUEST_ID = 1 << 4, /* letters, digits, '.', '_', '-' */
    HTTP_NO_UNDERSCORE = 1 << 5,
};
extern const unsigned char http_bytes[256];

/* The bits of `mask` that all bytes of `s` have. */
static inline unsigned http_common(struct pst_str s, unsigned mask)
{
    for (size_t i = 0; i < s.len; i++)
        mask &= http_bytes[(unsigned char)s.p[i]];
    return mask;
}

static inline bool http_all(struct pst_str s, unsigned mask)
{
    return http_common(s, mask) == mask;
}

/* The value of Content-Length: digits only, within int64_t, so that sums of lengths cannot overflow. */
bool http_length(struct pst_str value, uint64_t *ret_length);

/* 0 to 15, or -1. */
static inline int http_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
