/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's TLS seam: the GnuTLS functions that libmicrohttpd calls, implemented here, so that
 * libmicrohttpd runs as a real TLS server (MHD_USE_TLS) on our mbedTLS sessions, GnuTLS is not in the
 * binary, and plaintext can leave only through here.
 *
 * A connection is handed over with its handshake done: pst_seam_adopt(events, arg), then
 * MHD_add_connection() on the same thread, whose gnutls_init() takes what was adopted.
 *
 * That is on the worker's thread. A daemon that accepts and polls by itself, on a thread of its own, is given
 * a service before it is started (pst_seam_serve()); the sessions of its connections then shake hands and
 * seal records on libmicrohttpd's sockets, or pass plain bytes, and may replace what libmicrohttpd says of
 * its own accord. */
#ifndef POSTERN_TLS_SEAM_H
#define POSTERN_TLS_SEAM_H

#include "postern/base/buf.h"
#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pst_seam_events {
    /* libmicrohttpd reads: > 0, 0 at the end, -PST_EAGAIN, -PST_ERESET, -PST_ETLS. */
    ssize_t (*read)(void *arg, void *data, size_t len);
    /* libmicrohttpd writes: returns how much was taken, or -PST_EAGAIN, -PST_ERESET. */
    ssize_t (*write)(void *arg, const void *data, size_t len);
    /* libmicrohttpd lets go of the connection, once; `orderly` when it said goodbye before. */
    void (*closed)(void *arg, bool orderly);
};

/* The next gnutls_init() on this thread makes a session that calls these. */
void pst_seam_adopt(const struct pst_seam_events *events, void *arg);
struct pst_tls_context;
struct pst_seam_service {
    /* Used by nobody but the daemon's thread once it runs. NULL: plain bytes (a Unix socket). */
    struct pst_tls_context *tls;
    /* Before libmicrohttpd's `data` goes out on `connection` (a struct MHD_Connection): what is added to
     * *ret_own goes out instead, and nothing more of libmicrohttpd's. `data` is empty when it closes the
     * connection without having responded to what the client sent. */
    void (*replace)(void *connection, struct pst_str data, struct pst_buf *ret_own);
};
/* The next MHD_start_daemon() of this thread serves this, which outlives the daemon. */
void pst_seam_serve(const struct pst_seam_service *service);
struct pst_client_identity;
/* The certificate that the client of such a daemon's connection showed, held against what the context trusts
 * now (pst_tls_context_trust()); NULL in *ret when it showed none, or was not asked for one. `session` is
 * what MHD_CONNECTION_INFO_GNUTLS_SESSION gives. The identity is the connection's. On the daemon's thread. 0
 * or -PST_ENOMEM. */
int pst_seam_client_identity(void *session, int64_t now_real_us,
                             const struct pst_client_identity **ret) PST_MUSTCHECK;
/* Takes back an adoption that was not used (MHD_add_connection failed early): true when it was still there,
 * and `closed` will then not be called. */
bool pst_seam_disown(void);

#endif
