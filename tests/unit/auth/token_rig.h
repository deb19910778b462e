/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens for tests: any header and any claims, signed with a key made on the spot. */
#ifndef POSTERN_TESTS_AUTH_TOKEN_RIG_H
#define POSTERN_TESTS_AUTH_TOKEN_RIG_H

#include "postern/auth/jwks.h"

struct token_rig {
    struct pst_sign_key *key;
    struct pst_jwks *jwks; /* with this key alone, kid "one" */
};

void token_rig_open(struct token_rig *rig);
void token_rig_close(struct token_rig *rig);
/* A token of these texts, as they are; in a buffer that is used again after eight tokens. */
struct pst_str token_sign(const struct token_rig *rig, const char *header, const char *claims);

#endif
