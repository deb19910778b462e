/* SPDX-License-Identifier: Apache-2.0 */
/* Client certificates as a way into the admin side: whom they are trusted from (admin_client_ca), and which
 * role they stand for (admin_client_certificates). What is trusted belongs to each listener and its thread,
 * as its TLS context does; the rules are read-only. */
#ifndef POSTERN_ADMIN_CERTIFICATE_H
#define POSTERN_ADMIN_CERTIFICATE_H

#include "postern/base/err.h"

#include <stdbool.h>

struct pst_admin;
struct admin_listener;
struct admin_request;

/* Reads the rules, when there are CAs. Logs what is wrong. -PST_EPARSE, -PST_ENOMEM. */
int admin_certificates_open(struct pst_admin *admin) PST_MUSTCHECK;
void admin_certificates_close(struct pst_admin *admin);
/* Before the listener's daemon starts: its clients are asked for certificates, when there are CAs. Logs what
 * is wrong. -PST_ENOENT, -PST_EACCES, -PST_EIO, -PST_ELIMIT, -PST_EPARSE, -PST_ENOMEM. */
int admin_certificates_ask(struct admin_listener *listener) PST_MUSTCHECK;
/* Before a handshake and before a request: reads the files again when they changed, once a second at the
 * most. Files that cannot be read leave in force what was. On the listener's thread. */
void admin_certificates_refresh(struct admin_listener *listener);

/* Fills r->caller by the certificate that its connection shows, or makes the answer that refuses it. False
 * when there is none, and nothing was done. */
bool admin_certificate_take(struct admin_request *r, bool changes_something);

#endif
