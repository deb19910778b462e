/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "postern/base/num.h"

/* One row per sixteen bytes, the bits of names.h. test_field.c holds it against the grammars. */
/* clang-format off */
const unsigned char http_bytes[256] = {
    32, 32, 32, 32, 32, 32, 32, 32, 32, 34, 32, 32, 32, 32, 32, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
    34, 47, 38, 35, 47, 39, 47, 47, 46, 46, 47, 47, 46, 63, 63, 38,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 46, 38, 46, 38, 38,
    38, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 38, 38, 39, 31,
    39, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 38, 39, 38, 47, 32,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
    34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34, 34,
};
/* clang-format on */

/* Compares with a lower-case literal of the same length. Or-ing 0x20 folds letters; of the bytes that are no
 * letters only '\r' for '-' and '\x10'… for digits could be mistaken, and neither is a token character. */
static bool is(struct pst_str name, const char *lower)
{
    unsigned char diff = 0;
    for (size_t i = 0; i < name.len; i++)
        diff |= (unsigned char)((unsigned char)name.p[i] | 0x20) ^ (unsigned char)lower[i];
    return diff == 0;
}

static enum name_id with_prefix(struct pst_str name)
{
    if (name.len < 10 || (name.p[0] | 0x20) != 'x' || name.p[1] != '-')
        return NAME_OTHER;
    if (pst_str_istarts(name, PST_STR("x-postern-")))
        return NAME_X_POSTERN;
    if (pst_str_istarts(name, PST_STR("x-forwarded-")))
        return NAME_X_FORWARDED_OTHER;
    if (pst_str_istarts(name, PST_STR("x-original-")))
        return NAME_X_ORIGINAL;
    return NAME_OTHER;
}

static enum name_id of_length_5_to_9(struct pst_str name)
{
    switch (name.len) {
    case 5:
        return is(name, "proxy") ? NAME_PROXY : NAME_OTHER;
    case 6:
        return is(name, "expect") ? NAME_EXPECT : NAME_OTHER;
    case 7:
        return is(name, "upgrade")   ? NAME_UPGRADE
               : is(name, "trailer") ? NAME_TRAILER
               : is(name, "alt-svc") ? NAME_ALT_SVC
                                     : NAME_OTHER;
    default:
        return name.len != 9           ? NAME_OTHER
               : is(name, "forwarded") ? NAME_FORWARDED
               : is(name, "x-real-ip") ? NAME_X_REAL_IP
                                       : NAME_OTHER;
    }
}

static enum name_id of_length_10_to_14(struct pst_str name)
{
    switch (name.len) {
    case 10:
        return is(name, "connection")   ? NAME_CONNECTION
               : is(name, "keep-alive") ? NAME_KEEP_ALIVE
                                        : with_prefix(name);
    case 12:
        return is(name, "x-request-id") ? NAME_X_REQUEST_ID : with_prefix(name);
    case 13:
        return is(name, "x-rewrite-url") ? NAME_X_REWRITE_URL : with_prefix(name);
    case 14:
        return is(name, "content-length")   ? NAME_CONTENT_LENGTH
               : is(name, "http2-settings") ? NAME_HTTP2_SETTINGS
                                            : with_prefix(name);
    default:
        return with_prefix(name);
    }
}

static enum name_id of_length_15_up(struct pst_str name)
{
    switch (name.len) {
    case 15:
        return is(name, "x-forwarded-for") ? NAME_X_FORWARDED_FOR : with_prefix(name);
    case 16:
        return is(name, "proxy-connection")   ? NAME_PROXY_CONNECTION
               : is(name, "x-forwarded-host") ? NAME_X_FORWARDED_HOST
                                              : with_prefix(name);
    case 17:
        return is(name, "transfer-encoding")   ? NAME_TRANSFER_ENCODING
               : is(name, "x-forwarded-proto") ? NAME_X_FORWARDED_PROTO
                                               : with_prefix(name);
    case 18:
        return is(name, "proxy-authenticate") ? NAME_PROXY_AUTHENTICATE : with_prefix(name);
    case 19:
        return is(name, "proxy-authorization") ? NAME_PROXY_AUTHORIZATION : with_prefix(name);
    case 25:
        return is(name, "proxy-authentication-info") ? NAME_PROXY_AUTHENTICATION_INFO : with_prefix(name);
    default:
        return with_prefix(name);
    }
}

enum name_id http_name_id(struct pst_str name)
{
    if (name.len >= 15)
        return of_length_15_up(name);
    if (name.len >= 10)
        return of_length_10_to_14(name);
    if (name.len >= 5)
        return of_length_5_to_9(name);
    if (name.len == 4)
        return is(name, "host") ? NAME_HOST : NAME_OTHER;
    return name.len == 2 && is(name, "te") ? NAME_TE : NAME_OTHER;
}

bool http_name_is_hop(enum name_id id)
{
    switch (id) {
    case NAME_CONNECTION:
    case NAME_KEEP_ALIVE:
    case NAME_PROXY_CONNECTION:
    case NAME_PROXY_AUTHENTICATE:
    case NAME_PROXY_AUTHENTICATION_INFO:
    case NAME_PROXY_AUTHORIZATION:
    case NAME_TE:
    case NAME_TRAILER:
    case NAME_TRANSFER_ENCODING:
    case NAME_UPGRADE:
    case NAME_HTTP2_SETTINGS:
        return true;
    default:
        return false;
    }
}

bool http_length(struct pst_str value, uint64_t *ret_length)
{
    uint64_t length;
    if (pst_num_u64(value, &length) < 0 || length > INT64_MAX)
        return false;
    *ret_length = length;
    return true;
}
