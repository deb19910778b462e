/* SPDX-License-Identifier: Apache-2.0 */
/* TLS as a client, blocking and with a deadline: for what Postern itself asks of others (keys of an identity
 * provider, `postern doctor`). Never on a worker. A client and the roots it uses belong to one thread at a
 * time; pst_tls_init() must have run.
 *
 * Deadlines are moments of pst_clock_mono_us(). */
#ifndef POSTERN_TLS_CLIENT_H
#define POSTERN_TLS_CLIENT_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A sentence for people, without the host's name in front. */
struct pst_tls_why {
    char text[512];
};

/* Room for a sentence about the certificates of a file that cannot be used. */
#define PST_TLS_LEFT_OUT_TEXT 1024

/* Trusted roots */

struct pst_tls_roots;

/* The system's roots (the first bundle that is found where distributions keep it, or what the environment
 * variable SSL_CERT_FILE names), and those of `extra_file` (PEM) when it is neither NULL nor "". Some
 * milliseconds: over a hundred certificates are parsed. A system without roots is no failure as long as
 * there is an extra file. -PST_ENOENT (no roots anywhere), -PST_EINVAL (extra_file cannot be read or holds
 * no certificate), -PST_ENOMEM; *ret_why says what. */
int pst_tls_roots_load(const char *extra_file, struct pst_tls_roots **ret_roots,
                       struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* Adds those of another file: 0, -PST_EINVAL. */
int pst_tls_roots_add(struct pst_tls_roots *roots, const char *file,
                      struct pst_tls_why *ret_why) PST_MUSTCHECK;
void pst_tls_roots_free(struct pst_tls_roots *roots);
/* A sentence about certificates of the extra file (the last of them) that cannot be used; "" without any. */
const char *pst_tls_roots_left_out(const struct pst_tls_roots *roots);

/* What a certificate says */

#define PST_TLS_DIGEST_BYTES 32

struct pst_tls_certificate {
    char subject[256]; /* "C=US, O=DigiCert Inc, CN=DigiCert Global Root G2"; cut when longer */
    char issuer[256];
    char names[512];   /* its subject alternative names, ", " between them; cut when longer */
    char key_kind[16]; /* "RSA", "EC" */
    unsigned key_bits;
    int64_t not_before_us;
    int64_t not_after_us;
    uint8_t sha256[PST_TLS_DIGEST_BYTES]; /* of the whole certificate */
    uint8_t
        key_sha256[PST_TLS_DIGEST_BYTES]; /* of its SubjectPublicKeyInfo: the same in a cross-signed one */
    bool self_issued;                     /* subject and issuer are the same name */
    bool is_ca;
};

/* What is wrong with a server's certificate: bits. */
enum pst_tls_fault {
    PST_TLS_FAULT_HOST = 1 << 0,      /* it is for other names */
    PST_TLS_FAULT_EXPIRED = 1 << 1,   /* it, or one above it */
    PST_TLS_FAULT_EARLY = 1 << 2,     /* not valid yet */
    PST_TLS_FAULT_UNTRUSTED = 1 << 3, /* its chain leads to no trusted root */
    PST_TLS_FAULT_WEAK = 1 << 4,      /* a key or a signature that is too weak */
    PST_TLS_FAULT_OTHER = 1 << 5,     /* usage, a missing certificate */
};

#define PST_TLS_CHAIN_MAX 8

/* The server, as it showed itself. */
struct pst_tls_peer {
    /* From the server's own certificate upwards as far as the way was found; the last one is the trusted root
     * unless UNTRUSTED is among the faults. */
    struct pst_tls_certificate chain[PST_TLS_CHAIN_MAX];
    size_t n_chain;
    unsigned faults;     /* enum pst_tls_fault */
    const char *version; /* "TLSv1.3"; NULL before the handshake's end */
    const char *cipher;
};

/* A sentence about each fault of the peer, for `server_name`; "" without any. */
void pst_tls_peer_describe(const struct pst_tls_peer *peer, const char *server_name,
                           struct pst_tls_why *ret_why);

/* Connections */

struct pst_tls_client;

struct pst_tls_client_options {
    const char *server_name;     /* host name or literal address the certificate must be for; also sent (SNI).
                                    NULL: none is sent or compared, for looking only */
    struct pst_tls_roots *roots; /* must live as long as the client */
    uint64_t deadline_us;        /* of the handshake and all that follows */
    bool tls12_pkcs1;            /* TLS 1.2 only, without RSA-PSS: after -PST_EAGAIN */
    bool look_only;              /* a bad certificate does not break off: to look at it, never to send
                                    anything that matters */
};

/* Takes over `fd` (a connected stream socket; closed on failure) and shakes hands.
 * 0; -PST_ETLS (refused by either side, or a bad certificate), -PST_ETIMEOUT, -PST_ERESET, -PST_ECLOSED,
 * -PST_EAGAIN (see below), -PST_ENOMEM; *ret_why says what, and *ret_peer (may be NULL) has what was seen
 * until then, on failure too. */
int pst_tls_client_open(int fd, const struct pst_tls_client_options *options,
                        struct pst_tls_client **ret_client, struct pst_tls_peer *ret_peer,
                        struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* mbedTLS does RSA-PSS, which TLS 1.3 wants, in TLS 1.2 not; a server of TLS 1.2 that prefers it nevertheless
 * cannot be talked to while both are offered. -PST_EAGAIN says so: connect anew and set `tls12_pkcs1`. */

/* > 0 bytes, 0 when the server closed in order (close_notify), -PST_ERESET when the connection ended without,
 * -PST_ETIMEOUT, -PST_ETLS. */
ssize_t pst_tls_client_read(struct pst_tls_client *client, void *data, size_t len) PST_MUSTCHECK;
/* All of it: 0, -PST_ERESET, -PST_ETIMEOUT, -PST_ETLS. */
int pst_tls_client_write(struct pst_tls_client *client, const void *data, size_t len) PST_MUSTCHECK;
/* Says close_notify if that can be done at once, closes the socket. NULL is fine. */
void pst_tls_client_close(struct pst_tls_client *client);

#endif
