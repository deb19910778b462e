/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys for tests, made when they are needed. Any failure fails the test. */
#ifndef POSTERN_TESTS_TLS_CERTS_H
#define POSTERN_TESTS_TLS_CERTS_H

#include <mbedtls/pk.h>
#include <stdbool.h>
#include <stdint.h>

#define CERTS_PEM_BYTES 8192
#define CERTS_DAY       INT64_C(86400)

enum certs_key { CERTS_P256, CERTS_P384, CERTS_RSA };

struct cert {
    char name[64]; /* the subject's CN */
    char certificate[CERTS_PEM_BYTES];
    char key[CERTS_PEM_BYTES];
    mbedtls_pk_context pk;
};

struct cert_spec {
    const char *cn;
    const char *dns[4];   /* subject alternative names, up to the first NULL */
    int64_t from_s, to_s; /* validity, counted from now; both 0: from an hour ago for 90 days */
    enum certs_key kind;
    struct cert *issuer; /* NULL: signs itself */
    struct cert *twin;   /* whose key it has; NULL: one of its own */
    bool ca;             /* may sign others */
    bool sha1;           /* signed with a broken hash */
    bool no_key_ids;     /* without subject and authority key identifier */
};

void cert_make(const struct cert_spec *spec, struct cert *ret_cert);
void cert_done(struct cert *cert);

/* A new empty directory under /tmp, and its removal with all that is in it. */
void certs_dir_make(char path[static 64]);
void certs_dir_remove(const char *path);
void certs_mkdir(const char *dir, const char *name);
/* Writes `text` into dir/name and leaves the whole path in `ret_path`. */
void certs_write(const char *dir, const char *name, const char *text, char ret_path[static 128]);
/* Runs the openssl command; the words end with NULL. */
void certs_openssl(const char *const *words);

#endif
