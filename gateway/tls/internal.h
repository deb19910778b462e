/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef POSTERN_TLS_INTERNAL_H
#define POSTERN_TLS_INTERNAL_H

#include "bundle.h"
#include "postern/base/buf.h"
#include "postern/base/list.h"
#include "postern/base/str.h"
#include "postern/tls/client_trust.h"
#include "postern/tls/context.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <sys/stat.h>

/* Ciphertext read from a socket at a time: two full records and their overhead. */
#define INPUT_BYTES 34816
/* Ciphertext sent at a time: four full records with what TLS adds to each (5 and at most 256 bytes). */
#define OUTPUT_BYTES (4 * (16384 + 261))
/* Blocks kept for reuse; more are given back to malloc. */
#define MAX_FREE_BLOCKS 64

/* A certificate chain with its key. */
struct tls_pair {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    struct tls_pair *next;
};

/* The PEM texts and what was found out about them. */
struct tls_pem_pair {
    struct pst_buf certificate;
    struct pst_buf key; /* wiped when freed */
    char *certificate_path;
    char *key_path;
    int64_t not_before_us, not_after_us; /* of the server's own certificate */
    struct tls_pem_pair *next;
};

struct pst_tls_material {
    unsigned refs; /* atomic */
    struct tls_pem_pair *pairs;
    char fingerprint[PST_TLS_FINGERPRINT_TEXT];
    bool self_signed;
};

struct trust_text {
    struct pst_buf pem;
    bool is_given;
    struct stat file;
};

struct pst_client_trust {
    unsigned refs; /* atomic */
    struct pst_client_trust_options options;
    struct trust_text ca, crl;
    char left_out[PST_TLS_LEFT_OUT_TEXT];
};

/* A context's own copy, parsed. */
struct tls_trust {
    mbedtls_x509_crt ca;
    mbedtls_x509_crl crl;
};

struct pst_client_identity;

/* Room for one record's worth of plaintext, lent to a session while it has something to send. */
struct tls_block {
    struct tls_block *next;
    unsigned char data[PST_TLS_RECORD_BYTES];
};

/* What mbedTLS was given of a client's records. */
struct tls_intake {
    const unsigned char *head; /* the place of a record's head, which is read first; NULL before the first */
    size_t handed;             /* bytes in this step of the handshake, or this read */
    size_t fruitless; /* bytes in the whole handshake; when it is done, since plaintext came of any */
    bool open;        /* the handshake is done */
    bool alerted;     /* an alert went out in this step, or this read */
};

struct pst_tls_context {
    mbedtls_ssl_config config;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_ssl_ticket_context tickets;
    struct pst_tls_material *material;
    struct tls_pair *pairs;
    struct pst_client_trust *client_trust; /* NULL, with the next: clients are not asked for certificates */
    struct tls_trust *trust;
    uint64_t trust_generation;
    struct tls_block *free_blocks;
    size_t n_free_blocks;
    struct pst_list touched; /* sessions with something to flush */
    struct pst_list shaking; /* sessions whose handshake has something to do */
    size_t n_shaking;
    /* Of whichever session is being called; empty between calls. */
    unsigned char input[INPUT_BYTES];
    unsigned char output[OUTPUT_BYTES];
    size_t output_len;
};

/* What is wrong with a pair: a sentence for each file, "" where there is nothing. */
struct tls_pair_why {
    struct pst_tls_why certificate, key;
};

/* Parses one pair: the chain in order, of which the key is its first. `ret_left_out` may be NULL. */
int tls_pair_parse(const struct tls_pem_pair *pem, struct tls_pair **ret_pair,
                   struct tls_left_out *ret_left_out, struct tls_pair_why *ret_why) PST_MUSTCHECK;
void tls_pairs_free(struct tls_pair *pairs);
/* dates.c. A sentence of how a certificate's dates stand. */
void tls_dates_text(const struct tls_pem_pair *pem, enum pst_tls_dates dates, char *text, size_t size);
/* The pairs for a server name: exact, then wildcard (RFC 6125 section 6.4.3), else the first pair. Adds them
 * to the handshake. */
int tls_choose_certificate(mbedtls_ssl_context *ssl);
/* Makes tls/self-signed.crt and .key in data_dir unless usable ones are there. */
int tls_self_signed_ensure(const char *data_dir, char *problem, size_t problem_size) PST_MUSTCHECK;
void tls_self_signed_paths(const char *data_dir, char *certificate, char *key, size_t size);
int tls_trust_parse(const struct pst_client_trust *trust, struct tls_trust *ret,
                    struct tls_left_out *ret_left_out, struct pst_tls_why *why) PST_MUSTCHECK;
void tls_trust_done(struct tls_trust *trust);
/* What mbedTLS has against a client's chain now: its flags. */
uint32_t tls_trust_verify(struct pst_tls_context *context, const mbedtls_x509_crt *chain);
/* The first moment after `now_us` at which what is above a client's certificate, or a list, runs out: then
 * tls_trust_verify() may say something else. INT64_MAX: never. Real time. */
int64_t tls_trust_next_end(const struct pst_tls_context *context, const mbedtls_x509_crt *chain,
                           int64_t now_us);
/* Of a session whose handshake is done: as pst_session_client_identity() and _identity_holds()
 * (client_identity.h), which are these. */
int tls_identity_new(const struct pst_tls_context *context, const mbedtls_ssl_context *ssl, int64_t now_us,
                     struct pst_client_identity **ret) PST_MUSTCHECK;
bool tls_identity_holds(struct pst_tls_context *context, const mbedtls_ssl_context *ssl,
                        struct pst_client_identity *identity, int64_t now_us) PST_MUSTCHECK;
/* A sentence for the gravest of the flags. */
void tls_identity_problem(uint32_t flags, char *text, size_t size);
/* mbedTLS's own text for one of its errors. */
const char *tls_error_text(int mbedtls_error, char *text, size_t size);

/* Before each step of a handshake: has alerts sealed so that the client can open them. */
void tls_choose_keys(mbedtls_ssl_context *ssl);
/* After a handshake: frees what only it needed, which mbedTLS does for TLS 1.2 alone. */
void tls_forget_handshake(mbedtls_ssl_context *ssl);
/* Before anything else of mbedTLS's. */
void tls_memory_init(void);
/* Gives back what two record buffers do not hold: nothing but the beginning of the first matters. Pointers
 * into them, or NULL. */
void tls_memory_rest(const void *in_buffer, const void *out_buffer);

/* intake.c. Begin: before each step of a handshake and each read. Check: before bytes are given to mbedTLS at
 * `data`: 0, or what it gets instead. Hand: when they were. Open: when the handshake is done. */
void tls_intake_begin(struct tls_intake *intake);
int tls_intake_check(struct tls_intake *intake, const unsigned char *data) PST_MUSTCHECK;
void tls_intake_hand(struct tls_intake *intake, size_t n);
void tls_intake_open(struct tls_intake *intake);

/* plain_http.c. Whether the client's first five bytes, and so far its only ones, are those of a request in
 * plain HTTP; and what it is sent, as it stands, in place of an alert. */
bool tls_plain_http(const struct tls_intake *intake);
struct pst_str tls_plain_http_response(const struct tls_intake *intake);

/* alerts.c. Note: of each record that mbedTLS sends while it does a step or reads. Send: tells the client of
 * an error of mbedTLS's with a fatal alert, unless one went out for it or there is nobody to tell. */
void tls_alert_note(struct tls_intake *intake, const unsigned char *record, size_t len);
void tls_alert_send(mbedtls_ssl_context *ssl, const struct tls_intake *intake, int mbedtls_error);

struct tls_block *tls_block_get(struct pst_tls_context *context);
void tls_block_put(struct pst_tls_context *context, struct tls_block *block);

#endif
