/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS session on a socket that libmicrohttpd owns, accepts and polls: handshake and records as it asks for
 * them. For daemons with a thread of their own (seam.h); workers' connections have sessions of another kind
 * (session.h). On that thread only, as is the context. */
#ifndef POSTERN_TLS_SERVED_H
#define POSTERN_TLS_SERVED_H

#include "postern/base/err.h"
#include "postern/tls/client_identity.h"
#include "postern/tls/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_served;

int tls_served_new(struct pst_tls_context *context, struct tls_served **ret_served) PST_MUSTCHECK;
void tls_served_set_fd(struct tls_served *served, int fd);
/* Sends close_notify, as far as the socket takes it. */
void tls_served_goodbye(struct tls_served *served);
/* The socket stays open. NULL is fine. */
void tls_served_free(struct tls_served *served);

/* 0 when it is done, -PST_EAGAIN, -PST_ETLS. */
int tls_served_handshake(struct tls_served *served) PST_MUSTCHECK;
/* > 0 bytes, 0 at an orderly end, -PST_EAGAIN, -PST_ERESET. */
ssize_t tls_served_read(struct tls_served *served, void *data, size_t len) PST_MUSTCHECK;
/* How much was taken, or -PST_EAGAIN: then the same bytes are to be given again. -PST_ERESET. */
ssize_t tls_served_write(struct tls_served *served, const void *data, size_t len) PST_MUSTCHECK;
/* The client's certificate, held against what is trusted now; NULL in *ret when it showed none. It is the
 * session's, and the next call may change it. 0 or -PST_ENOMEM. */
int tls_served_identity(struct tls_served *served, int64_t now_real_us,
                        const struct pst_client_identity **ret) PST_MUSTCHECK;
/* Decrypted bytes that wait. */
size_t tls_served_pending(const struct tls_served *served);
/* Whether what it could not do waits for the socket to take bytes. */
bool tls_served_wants_write(const struct tls_served *served);

#endif
