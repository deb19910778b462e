/* SPDX-License-Identifier: Apache-2.0 */
/* What differs from path to path: rules of the setting `routes`, each a path and what holds there:
 *
 *     /speech client_certificate=required credentials=both websocket_refusal=close
 *
 * A path fits itself and everything below it, in capital and small letters and %-escapes alike, because that
 * is how the containers read it. The first that fits decides; what it does not say is as everywhere.
 * Read-only after parsing, any thread. */
#ifndef POSTERN_EXCHANGE_ROUTES_H
#define POSTERN_EXCHANGE_ROUTES_H

#include "postern/auth/why.h"
#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define PST_ROUTES_SETTING "routes"

/* What a request must have. "Key" is whatever stands for one in the request itself, a token too. */
enum pst_front_credentials {
    PST_CREDENTIALS_ANY, /* a key, or else a certificate; both must stand for the same key */
    PST_CREDENTIALS_KEY,
    PST_CREDENTIALS_CERTIFICATE,
    PST_CREDENTIALS_BOTH, /* of the same key */
};

/* What becomes of a client's certificate. On a route it is a request's matter: the handshake is over. */
enum pst_certificate_mode {
    PST_CERTIFICATE_OFF, /* not asked for; on a route: as if none had been shown */
    PST_CERTIFICATE_OPTIONAL,
    PST_CERTIFICATE_REQUIRED, /* on a route: 403 without a valid one */
};

/* How a WebSocket's upgrade is refused. */
enum pst_websocket_refusal {
    PST_REFUSAL_AUTO,  /* by a close frame on the paths of the Speech services, else by a status */
    PST_REFUSAL_HTTP,  /* by the status of the upgrade's response */
    PST_REFUSAL_CLOSE, /* accepted, and closed with 4000: for clients that cannot see the status */
};

struct pst_route {
    struct pst_str path; /* without a slash at its end: "" is everything */
    size_t number;       /* of the rule, from 1 on; 0: what holds elsewhere */
    enum pst_front_credentials credentials;
    enum pst_certificate_mode certificate;
    enum pst_websocket_refusal websocket_refusal;
};

struct pst_routes;

/* `rest` is what holds where no rule says otherwise. `items` must outlive the routes.
 * 0; -PST_EPARSE and -PST_ENOMEM with a sentence. */
int pst_routes_parse(char *const *items, size_t n, const struct pst_route *rest, struct pst_routes **ret,
                     struct pst_why *why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_routes_free(struct pst_routes *routes);
/* The rule for this path, or what holds elsewhere; never NULL. With rules, a path that can be read in more
 * than one way (pst_path_is_plain()) fits none surely: then *ret_unclear is true. */
const struct pst_route *pst_routes_find(const struct pst_routes *routes, struct pst_str path,
                                        bool *ret_unclear);
/* How many rules there are, and one of them: 1 is the first. */
size_t pst_routes_count(const struct pst_routes *routes);
const struct pst_route *pst_routes_at(const struct pst_routes *routes, size_t number);
/* Whether one of them, or what holds elsewhere, looks at certificates. */
bool pst_routes_need_certificates(const struct pst_routes *routes);

#endif
