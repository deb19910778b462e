/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is made of. Private to tls. */
#ifndef POSTERN_TLS_SESSION_PRIVATE_H
#define POSTERN_TLS_SESSION_PRIVATE_H

#include "internal.h"
#include "postern/base/buf.h"
#include "postern/tls/session.h"

enum phase { HANDSHAKE, OPEN, CLOSING, DEAD };

struct pst_session {
    mbedtls_ssl_context ssl;
    struct pst_tls_context *context;
    struct pst_loop *loop;
    struct pst_watch watch;
    struct pst_timer timer; /* handshake limit, then linger limit */
    struct pst_deferred end;
    struct pst_list queued; /* in the context's `shaking` during the handshake, later in `touched` */
    const struct pst_session_events *events;
    void *arg;
    enum phase phase;
    enum pst_session_end outcome;

    /* Where mbedTLS's record buffers are, as its calls of bio_recv() (intake.head) and bio_send() show. */
    struct tls_intake intake;
    const unsigned char *record_out;
    bool between_records; /* mbedTLS waits for the first byte of a record */

    bool readable;   /* the socket may have more: set by its edge, cleared by a short read */
    bool peer_shut;  /* EPOLLRDHUP or EPOLLHUP was seen */
    bool eof;        /* recv() returned 0 */
    bool broken;     /* no byte goes either way any more */
    bool told_gone;  /* peer_gone was called */
    bool begun;      /* some of the handshake has been done */
    bool goodbye;    /* close_notify or a fatal alert is queued: nothing follows it */
    bool write_shut; /* shutdown(SHUT_WR) done */
    size_t lingered;

    /* Ciphertext received but not yet used: in the context's input buffer while a call runs, in memory of
     * our own between calls. */
    const unsigned char *in;
    size_t in_len;
    unsigned char *in_own;
    bool in_shared; /* `in` points into the context's buffer */

    /* The end of reading: mbedTLS must not be asked again, and the answer must not change. */
    bool read_over;
    ssize_t read_end;

    struct tls_block *block; /* plaintext to be sealed */
    size_t block_len;
    struct pst_buf output;  /* ciphertext the socket did not take yet */
    bool gathers;           /* records go into the context's output buffer, for this call only */
    unsigned small_records; /* so many are small before they may be large */
    uint64_t written_us;

    uint64_t sealed; /* records of plaintext; see "How long keys last" in records.c */
    uint64_t bytes_read;
    uint64_t bytes_sent;
    char error_text[96];
};

/* handshakes.c. Ready: an event came that the handshake may go on with. Leave: before the phase is another.
 */
void handshake_ready(struct pst_session *s);
void handshake_leave(struct pst_session *s);

/* records.c. What mbedTLS calls to receive and send; `arg` is the session. It asks for a record's 5-byte
 * head, then for its body, while the socket is read in large pieces. Sending never answers WANT_WRITE: what
 * the socket does not take is kept, and nothing more is sealed before it has gone out. */
int session_bio_recv(void *arg, unsigned char *data, size_t len);
int session_bio_send(void *arg, const unsigned char *data, size_t len);
/* Tells the client of an error of mbedTLS's, unless that has done so itself: with a fatal alert, behind which
 * nothing more is sent. */
void session_alert(struct pst_session *s, int error);
/* One recv() into the context's buffer. 0, or an error of mbedTLS's: WANT_READ, CONN_EOF, INTERNAL_ERROR. */
int session_receive(struct pst_session *s);
/* To be called before a call returns that may have received. */
void session_keep_input(struct pst_session *s);
void session_drain_output(struct pst_session *s);
void session_flush(struct pst_session *s);
/* To be flushed at the end of the turn. */
void session_touch(struct pst_session *s);
void session_drop_block(struct pst_session *s);

#endif
