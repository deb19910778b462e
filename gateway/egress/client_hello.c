/* SPDX-License-Identifier: Apache-2.0 */
#include "client_hello.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RECORD_HANDSHAKE 22
#define RECORD_MAX       16384
#define MSG_CLIENT_HELLO 1
#define EXT_SERVER_NAME  0
#define RANDOM_BYTES     32

/* What is left to read; `short_` once something was asked for that is not there. */
struct reader {
    const unsigned char *p;
    size_t len;
    bool short_;
};

static uint32_t number(struct reader *r, size_t bytes)
{
    uint32_t value = 0;
    if (r->len < bytes) {
        r->short_ = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | r->p[i];
    r->p += bytes;
    r->len -= bytes;
    return value;
}

static struct reader part(struct reader *r, size_t len)
{
    struct reader inner = {r->p, len, false};
    if (r->len < len) {
        r->short_ = true;
        return (struct reader){NULL, 0, true};
    }
    r->p += len;
    r->len -= len;
    return inner;
}

static enum client_hello read_name(struct reader list, struct pst_str *ret_name)
{
    struct reader names = part(&list, number(&list, 2));
    while (!names.short_ && names.len > 0) {
        uint32_t type = number(&names, 1);
        struct reader name = part(&names, number(&names, 2));
        if (!names.short_ && type == 0) {
            *ret_name = (struct pst_str){(const char *)name.p, name.len};
            return CLIENT_HELLO_NAME;
        }
    }
    return CLIENT_HELLO_NONE;
}

static enum client_hello read_message(struct reader r, struct pst_str *ret_name)
{
    (void)part(&r, 2 + RANDOM_BYTES);
    (void)part(&r, number(&r, 1)); /* session id */
    (void)part(&r, number(&r, 2)); /* cipher suites */
    (void)part(&r, number(&r, 1)); /* compression */
    if (r.short_)
        return CLIENT_HELLO_NONE;
    if (r.len == 0)
        return CLIENT_HELLO_NO_NAME;
    struct reader extensions = part(&r, number(&r, 2));
    while (!extensions.short_ && extensions.len > 0) {
        uint32_t type = number(&extensions, 2);
        struct reader body = part(&extensions, number(&extensions, 2));
        if (!extensions.short_ && type == EXT_SERVER_NAME)
            return read_name(body, ret_name);
    }
    return extensions.short_ || r.short_ ? CLIENT_HELLO_NONE : CLIENT_HELLO_NO_NAME;
}

enum client_hello client_hello_read(const unsigned char *data, size_t len, unsigned char *scratch,
                                    struct pst_str *ret_name)
{
    struct reader records = {data, len, false};
    size_t have = 0;
    for (;;) {
        /* The message so far, its head included. */
        if (have >= 4) {
            size_t whole = 4 + ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
            if (scratch[0] != MSG_CLIENT_HELLO || whole > 4 * (size_t)RECORD_MAX)
                return CLIENT_HELLO_NONE;
            if (have >= whole)
                return read_message((struct reader){scratch + 4, whole - 4, false}, ret_name);
        }
        if (records.len == 0)
            return CLIENT_HELLO_MORE;
        if (records.p[0] != RECORD_HANDSHAKE || (records.len >= 2 && records.p[1] != 3))
            return CLIENT_HELLO_NONE;
        if (records.len < 5)
            return CLIENT_HELLO_MORE;
        size_t length = (size_t)records.p[3] << 8 | records.p[4];
        if (length == 0 || length > RECORD_MAX)
            return CLIENT_HELLO_NONE;
        size_t here = records.len - 5 < length ? records.len - 5 : length;
        memcpy(scratch + have, records.p + 5, here);
        have += here;
        records.p += 5 + here;
        records.len -= 5 + here;
    }
}
