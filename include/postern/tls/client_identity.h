/* SPDX-License-Identifier: Apache-2.0 */
/* A client's certificate, as a session's handshake proved it. */
#ifndef POSTERN_TLS_CLIENT_IDENTITY_H
#define POSTERN_TLS_CLIENT_IDENTITY_H

#include "postern/base/str.h"
#include "postern/tls/client.h"
#include "postern/tls/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_CLIENT_NAMES_MAX   16
#define PST_CLIENT_TEXT_BYTES  2048
#define PST_CLIENT_PROBLEM_MAX 96

struct pst_client_name {
    bool is_uri; /* else a DNS name */
    struct pst_str text;
};

/* Texts are printable ASCII. A name that is not, and what has no room, is left out whole: it can match
 * nothing. */
struct pst_client_identity {
    uint8_t sha256[32];     /* of the certificate */
    uint8_t key_sha256[32]; /* of its SubjectPublicKeyInfo */
    int64_t not_after_us;
    int64_t look_again_us;  /* when the next of what it rests on runs out: a CA, a list */
    struct pst_str subject; /* "O=Example, CN=robot" */
    struct pst_str common_name;
    struct pst_client_name names[PST_CLIENT_NAMES_MAX]; /* subject alternative names */
    size_t n_names;
    bool valid;                           /* chain, dates, revocation, usage */
    char problem[PST_CLIENT_PROBLEM_MAX]; /* when not */
    uint64_t generation;                  /* of the trust that it was held against */
    char text[PST_CLIENT_TEXT_BYTES];
    size_t text_len;
};

/* The certificate of an established session's client; NULL in *ret when it showed none. The caller frees it
 * with free(). 0 or -PST_ENOMEM. */
int pst_session_client_identity(const struct pst_session *session, int64_t now_real_us,
                                struct pst_client_identity **ret) PST_MUSTCHECK;
/* The certificate of a PEM file, the first that is not above another, in no connection: `valid` and what
 * belongs to it are not filled. The caller frees it with free(). 0; or why not, in a sentence: -PST_ENOENT,
 * -PST_EACCES, -PST_EIO, -PST_ELIMIT, -PST_EPARSE, -PST_ENOMEM. Any thread. */
int pst_client_identity_read(const char *path, struct pst_client_identity **ret,
                             struct pst_tls_why *ret_why) PST_MUSTCHECK;
/* Holds it once more against what is trusted now, when that changed or ran out, and against the date. True
 * when it is still valid. */
bool pst_session_identity_holds(const struct pst_session *session, struct pst_client_identity *identity,
                                int64_t now_real_us) PST_MUSTCHECK;

#endif
