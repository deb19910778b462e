/* SPDX-License-Identifier: Apache-2.0 */
/* PEM files, read as leniently as RFC 7468 section 3 asks of parsers: text between the blocks, a byte order
 * mark, any line ending, and blanks at either end of a line do no harm. Private to tls. Pure functions, any
 * thread. */
#ifndef POSTERN_TLS_PEM_H
#define POSTERN_TLS_PEM_H

#include "postern/base/buf.h"
#include "postern/base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Slices of the file's text. */
struct tls_pem_block {
    struct pst_str label; /* "CERTIFICATE" */
    struct pst_str body;  /* base64, with the white space in it */
    size_t line;          /* of its BEGIN line, from 1 */
    bool encrypted;       /* "Proc-Type: 4,ENCRYPTED" (RFC 1421 section 4.6.1.1) */
    bool whole;           /* its END line is there */
};

struct tls_pem_reader {
    struct pst_str rest;
    size_t line; /* lines taken so far */
};

/* All zero but `rest`, the file's text, begins. The next block, or false at the end. */
bool tls_pem_next(struct tls_pem_reader *reader, struct tls_pem_block *ret_block);
/* What the block encodes, for pst_buf_wipe(). 0; -PST_EPARSE (no END line, not base64, empty), -PST_ENOMEM.
 */
int tls_pem_decode(const struct tls_pem_block *block, struct pst_buf *ret_der) PST_MUSTCHECK;

bool tls_pem_is_certificate(const struct tls_pem_block *block);
bool tls_pem_is_private_key(const struct tls_pem_block *block);
bool tls_pem_is_crl(const struct tls_pem_block *block);

/* What a file is in which no block of the wanted kind ("certificate", "private key") was found: the end of a
 * sentence that begins with the file's name, with what to do about it where that is known. */
void tls_pem_describe(struct pst_str text, const char *wanted, char *ret_text, size_t size);

#endif
