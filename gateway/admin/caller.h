/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and whether he may. */
#ifndef POSTERN_ADMIN_CALLER_H
#define POSTERN_ADMIN_CALLER_H

#include "postern/auth/admin_token.h"

#include <stdbool.h>

struct admin_request;
struct admin_session;

/* What an operation asks of its caller. Ordered: a role may do what lower ones may. */
enum admin_needs { ADMIN_NEEDS_NOTHING, ADMIN_NEEDS_VIEWER, ADMIN_NEEDS_ADMIN };

struct admin_caller {
    enum { CALLER_NOBODY, CALLER_SOCKET, CALLER_TOKEN, CALLER_SESSION, CALLER_CERTIFICATE } kind;
    enum pst_admin_role role;
    char id[PST_KEYS_ID_MAX + 1]; /* the token's; of a certificate's SHA-256 the beginning; "" of a socket */
    char name[PST_KEYS_NAME_MAX + 1]; /* the token's, the certificate's subject, or "uid 0" */
    char address[48];                 /* "unix" of a socket */
    struct admin_session *session;    /* of kind SESSION */
};

/* Fills r->caller, and makes the answer when the operation is not for him: 400 (Host), 401, 403, 429. `needs`
 * NOTHING asks for no credential, but the rules for browsers hold all the same. */
void admin_caller_check(struct admin_request *r, enum admin_needs needs);
/* A token that a person signs in with. False: the answer has been made. */
bool admin_caller_token(struct admin_request *r, struct pst_str token, struct pst_admin_token_row *ret);

#endif
