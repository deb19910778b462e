/* SPDX-License-Identifier: Apache-2.0 */
/* The server name in a TLS ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3), read from what lies in a
 * socket without taking it out. */
#ifndef POSTERN_EGRESS_CLIENT_HELLO_H
#define POSTERN_EGRESS_CLIENT_HELLO_H

#include "postern/base/str.h"

#include <stddef.h>

enum client_hello {
    CLIENT_HELLO_MORE,    /* not whole yet */
    CLIENT_HELLO_NAME,    /* *ret_name points into the data */
    CLIENT_HELLO_NO_NAME, /* one without a server name */
    CLIENT_HELLO_NONE,    /* something else */
};

/* A ClientHello in one record or several. `scratch` has room for `len` bytes. */
enum client_hello client_hello_read(const unsigned char *data, size_t len, unsigned char *scratch,
                                    struct pst_str *ret_name);

#endif
