/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS session on a TCP connection, from accept to the last byte. It owns the socket; it belongs to the
 * worker whose loop it lives in.
 *
 *     HANDSHAKE ──established──▶ OPEN ──close──▶ CLOSING ──drained──▶ (freed, `closed` called)
 *         └──────── failed, timed out ─────────────▲
 *
 * Reading pulls: pst_session_read() decrypts from the socket straight into the caller's buffer. Writing
 * collects: what is written in a turn is sealed and sent by pst_session_flush_all(), so that a head and its
 * body become one record and one system call. When the socket takes no more, a write takes less than it was
 * given and `writable` is called once it drained.
 *
 * Records are small (1,391 bytes) where something begins: the first ten after something was read, a request,
 * and after a pause of a second; then as large as may be. */
#ifndef POSTERN_TLS_SESSION_H
#define POSTERN_TLS_SESSION_H

#include "postern/base/err.h"
#include "postern/loop/loop.h"
#include "postern/tls/context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pst_session;

enum pst_session_end {
    PST_SESSION_CLOSED,           /* in order, by either side */
    PST_SESSION_BROKEN,           /* reset, or ended without close_notify in the middle of something */
    PST_SESSION_HANDSHAKE_FAILED, /* pst_session_error_text() says why */
    PST_SESSION_HANDSHAKE_TIMEOUT,
};

/* Called on the worker's thread. None may free the session; pst_session_close() and _abort() are fine. */
struct pst_session_events {
    /* The handshake is done. Data may have come with its last message: read once without waiting for
     * `readable`. */
    void (*established)(void *arg, struct pst_session *session);
    void (*readable)(void *arg, struct pst_session *session);
    void (*writable)(void *arg, struct pst_session *session);
    /* The client closed its side or the connection broke. Data read before may still be waiting. */
    void (*peer_gone)(void *arg, struct pst_session *session);
    /* The last call: the session is freed after it. */
    void (*closed)(void *arg, struct pst_session *session, enum pst_session_end end);
};

/* Takes over `fd` (non-blocking, connected) and starts the handshake, whose work is done by
 * pst_tls_handshakes_run(). On failure the descriptor is closed. 0, -PST_ENOMEM, -PST_EIO. */
int pst_session_accept(struct pst_tls_context *context, struct pst_loop *loop, int fd,
                       const struct pst_session_events *events, void *arg, uint64_t handshake_timeout_us,
                       struct pst_session **ret_session) PST_MUSTCHECK;

/* How many handshakes have something to do. */
size_t pst_tls_handshakes_ready(const struct pst_tls_context *context);
/* Goes on with them until `until_us` of the monotonic clock: at least one step of one, and a step takes at
 * most the time of its dearest operation (some 80 us; 1 ms for a signature of RSA). May call the sessions'
 * events. */
void pst_tls_handshakes_run(struct pst_tls_context *context, uint64_t until_us);

/* Reads as much as fits: > 0 bytes, 0 when the client closed in order, -PST_EAGAIN, -PST_ERESET when the
 * connection broke or ended without close_notify, -PST_ETLS. */
ssize_t pst_session_read(struct pst_session *session, void *data, size_t len) PST_MUSTCHECK;
/* Whether a read may find something now: decrypted or received bytes, or a socket not yet read empty. */
bool pst_session_has_pending(const struct pst_session *session);
/* Takes up to `len` bytes: > 0, -PST_EAGAIN when the socket is full (`writable` will be called),
 * -PST_ERESET. */
ssize_t pst_session_write(struct pst_session *session, const void *data, size_t len) PST_MUSTCHECK;
/* Seals and sends what the turn wrote, for every session of the context. */
void pst_session_flush_all(struct pst_tls_context *context);
/* For a session that has been idle for a while: gives memory back to the kernel that the next record will
 * need again (a few page faults). Does nothing when the session is in the middle of something. */
void pst_session_rest(struct pst_session *session);
/* Bytes accepted by write that the socket has not taken yet. */
bool pst_session_output_waits(const struct pst_session *session);

/* Closes in order: what was written is sent, then close_notify, then the sending side is shut; what the
 * client still sends is read and dropped for up to 2 s, so that our last answer is not lost to a reset
 * (RFC 9112 section 9.6). */
void pst_session_close(struct pst_session *session);
/* Closes at once and without close_notify: the client sees that something was cut off. */
void pst_session_abort(struct pst_session *session);

/* Whether its keys have sealed so much that it should end with the answer that is under way; later writes
 * fail with -PST_ERESET, when it has not (RFC 8446 section 5.5). */
bool pst_session_is_worn(const struct pst_session *session);

/* Progress since the session began, bytes of plaintext; to tell a slow client from a stalled one. */
uint64_t pst_session_bytes_read(const struct pst_session *session);
uint64_t pst_session_bytes_sent(const struct pst_session *session);

const char *pst_session_error_text(const struct pst_session *session);
/* "TLSv1.2" or "TLSv1.3". */
const char *pst_session_version(const struct pst_session *session);

#endif
