/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of a TLS connection over loopback in one thread: a pst_session that records what it is told, and
 * an mbedTLS client that moves only when it is stepped. */
#ifndef POSTERN_TESTS_TLS_PEER_H
#define POSTERN_TESTS_TLS_PEER_H

#include "certs.h"
#include "postern/base/buf.h"
#include "postern/loop/loop.h"
#include "postern/tls/session.h"

#include <mbedtls/ssl.h>

/* What one worker has: a loop and a context. */
struct site {
    struct pst_loop *loop;
    struct pst_tls_context *context;
    uint64_t handshakes_until_us; /* UINT64_MAX: as far as they go in each turn; 0: a step */
};

/* The owner of a session. */
struct host {
    struct site *site;
    struct pst_session *session; /* NULL once closed */
    unsigned established, readable, writable, gone, closed;
    enum pst_session_end end;
    char error_text[128];
    char version[16];
    bool reads; /* take what there is at every chance */
    struct pst_buf received;
    ssize_t last_read; /* the last answer that was not bytes */
    const char *sends; /* written as far as it goes, and again when writable */
    size_t send_len, sent;
    bool closes_when_sent;
    bool aborts_when_established;
};

struct guest_options {
    const char *sni;
    const char **alpn;
    mbedtls_ssl_protocol_version version; /* the only one offered; 0: 1.2 and 1.3 */
    const mbedtls_ssl_session *resume;
    int recv_bytes; /* socket receive buffer, 0: the system's */
};

struct guest {
    int fd; /* -1 once closed */
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    size_t send_at_most; /* bytes given to the socket in all; then it seems full. SIZE_MAX: no bound */
    size_t send_piece;   /* bytes per send(), 0: all */
    size_t sent;         /* ciphertext so far */
    size_t records[128]; /* lengths of the application records received, what TLS adds included */
    size_t n_records;
    unsigned certificates_seen;
    mbedtls_ssl_session ticket;
    unsigned tickets;
};

/* Makes a site that serves `certs` (default first), written into `dir`. */
void site_make(struct site *site, enum pst_tls_profile profile, struct cert *const *certs, size_t n_certs);
void site_done(struct site *site);
/* One turn of the loop and what a worker does after it. */
void site_turn(struct site *site);

/* Connects the two over loopback TCP. Neither has moved yet. */
void peer_connect(struct site *site, struct host *host, uint64_t handshake_timeout_us, struct guest *guest,
                  const struct guest_options *options);
/* Steps the client's handshake and turns the loop until it ends: mbedTLS's answer, 0 when it is done. */
int peer_handshake(struct host *host, struct guest *guest);
/* Both, with a ClientHello that must succeed, until the host knows as well. */
void peer_open(struct site *site, struct host *host, struct guest *guest,
               const struct guest_options *options);
/* Turns until `*flag` is not zero; fails the test after two seconds. */
void host_wait(struct host *host, const unsigned *flag);
/* The same until exactly `len` bytes were received in all. */
void host_wait_bytes(struct host *host, size_t len);
/* Writes all; turns the loop while the socket is full. */
void guest_write(struct host *host, struct guest *guest, const void *data, size_t len);
/* Reads until `len` bytes or an end came: the count; *ret_end: 0 or mbedTLS's answer. Keeps a ticket that
 * passes by. */
size_t guest_read(struct host *host, struct guest *guest, void *data, size_t len, int *ret_end);
/* Shuts the socket: 'F' with FIN, 'R' with RST. */
void guest_hang_up(struct guest *guest, char how);
void guest_done(struct guest *guest);
/* Closes both and waits for the host's last event. */
void peer_close(struct host *host, struct guest *guest);

#endif
