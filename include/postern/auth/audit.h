/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail of the keys service: each change that keys.h and admin_token.h make is written down in the
 * same transaction, in the name of the service's actor. By the same rules for threads and `why` as keys.h.
 *
 * Actions: key.create, key.import, key.import_bulk, key.update, key.rotate, key.revoke_secret, key.enable,
 * key.disable, key.delete, client_cert.approve, client_cert.revoke, admin_token.create, admin_token.revoke,
 * session.open, session.close, session.end, and those of pst_audit_note()'s callers. `before` and `after` of
 * a change hold what differs, and nothing else. */
#ifndef POSTERN_AUTH_AUDIT_H
#define POSTERN_AUTH_AUDIT_H

#include "postern/auth/keys.h"
#include "postern/db/audit_store.h"

/* Who makes the changes from now on (copied); "system" until then. */
void pst_keys_set_actor(struct pst_keys *keys, const struct pst_actor *actor);
/* Between begin and commit of the store: makes keys without a row for each, which would double the time that
 * others wait. The caller writes one for all of them, with pst_audit_note(). */
void pst_keys_set_bulk(struct pst_keys *keys, bool bulk);
/* For what is changed elsewhere: a client certificate, a session. Between pst_keys_begin() and commit of the
 * store it stands or falls with what is changed there. */
int pst_audit_note(struct pst_keys *keys, const char *action, struct pst_str target, struct pst_str before,
                   struct pst_str after, struct pst_why *why) PST_MUSTCHECK;

#endif
