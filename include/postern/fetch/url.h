/* SPDX-License-Identifier: Apache-2.0 */
/* URLs that Postern itself goes to, and proxies it goes through. Pure functions, any thread. */
#ifndef POSTERN_FETCH_URL_H
#define POSTERN_FETCH_URL_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PST_URL_HOST_SIZE   256
#define PST_URL_TARGET_SIZE 2048

struct pst_url {
    bool https;                   /* else http */
    char host[PST_URL_HOST_SIZE]; /* a name or an address, IPv6 without brackets, no dot at the end */
    char authority[PST_URL_HOST_SIZE + 8]; /* what Host says: without the scheme's own port */
    uint16_t port;
    char target[PST_URL_TARGET_SIZE]; /* path and query, begins with '/' */
};

/* "https://host[:port][/path][?query]", or http. Refused: other schemes, user information, white space and
 * control characters, a fragment, a part that is too long. 0, or -PST_EPARSE; *ret_reason then says what is
 * wrong (static text). */
int pst_url_parse(struct pst_str text, struct pst_url *ret_url, const char **ret_reason) PST_MUSTCHECK;

#define PST_PROXY_CREDENTIALS_SIZE 512

struct pst_proxy {
    char host[PST_URL_HOST_SIZE]; /* "": no proxy */
    uint16_t port;
    char basic[PST_PROXY_CREDENTIALS_SIZE]; /* base64 of "user:password", "" without; a secret */
};

/* "http://[user:password@]host[:port][/]"; without a scheme http is meant, without a port 80 (as curl and
 * .NET read HTTPS_PROXY; curl's 1080 is not followed). The user information may be percent-encoded.
 * -PST_EPARSE. */
int pst_proxy_parse(struct pst_str text, struct pst_proxy *ret_proxy, const char **ret_reason) PST_MUSTCHECK;
/* Sets the credentials: "user:password" as it is. -PST_ELIMIT when too long, -PST_EPARSE without a colon. */
int pst_proxy_set_credentials(struct pst_proxy *proxy, struct pst_str user_and_password) PST_MUSTCHECK;
/* Whether NO_PROXY's list (names, ".suffix", "*", addresses, networks; commas or blanks between) exempts the
 * host from the proxy. */
bool pst_proxy_exempts(struct pst_str no_proxy, const char *host);

#endif
