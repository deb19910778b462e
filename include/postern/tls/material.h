/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and their keys: found, read and checked against each other once, then immutable and shared
 * by reference. Each worker parses its own copy from it (context.h), because mbedTLS keys carry state.
 * Loading blocks on files and belongs to start-up, reload or `postern check`; references count atomically,
 * any thread. */
#ifndef POSTERN_TLS_MATERIAL_H
#define POSTERN_TLS_MATERIAL_H

#include "postern/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_tls_files {
    const char *certificate;     /* PEM chain, in any order; NULL or "" for none */
    const char *key;             /* PEM private key, not encrypted; given when `certificate` is */
    const char *certificate_dir; /* more pairs, chosen by server name (SNI); NULL or "" for none:
                                    NAME.crt with NAME.key, and SUBDIR/tls.crt with SUBDIR/tls.key */
    const char *data_dir;        /* where the self-made certificate lives: tls/self-signed.crt and .key */
};

struct pst_tls_material;

/* One sentence for each thing that is wrong, with the file it is about; `arg` is the caller's. A warning is
 * about something that can be served all the same. */
typedef void pst_tls_problem_cb(void *arg, bool warning, const char *problem);

/* Loads everything the files name. With neither a certificate nor a directory it uses the self-made
 * certificate in data_dir/tls and makes it first when it is missing or has expired.
 * Every problem is reported, not only the first. A certificate that has expired, or is not valid yet, is a
 * warning: clients will say so themselves, and a gateway that does not start cannot be asked what is wrong.
 * 0, or -PST_EINVAL after at least one report that is no warning. */
int pst_tls_material_load(const struct pst_tls_files *files, pst_tls_problem_cb *problem, void *arg,
                          struct pst_tls_material **ret_material) PST_MUSTCHECK;
/* The same checks without keeping or making anything. 0 or -PST_EINVAL. */
int pst_tls_material_check(const struct pst_tls_files *files, pst_tls_problem_cb *problem,
                           void *arg) PST_MUSTCHECK;
struct pst_tls_material *pst_tls_material_ref(struct pst_tls_material *material);
void pst_tls_material_unref(struct pst_tls_material *material);

/* About the default certificate (the one served when no name matches). */
#define PST_TLS_FINGERPRINT_TEXT 96 /* "AA:BB:..." of SHA-256, with its NUL */
const char *pst_tls_material_fingerprint(const struct pst_tls_material *material);
const char *pst_tls_material_path(const struct pst_tls_material *material);
bool pst_tls_material_self_signed(const struct pst_tls_material *material);
/* When the first of all certificates expires, and the last becomes valid, microseconds since 1970. */
int64_t pst_tls_material_not_after_us(const struct pst_tls_material *material);
int64_t pst_tls_material_not_before_us(const struct pst_tls_material *material);

/* How the dates of a certificate stand, from good to bad. */
enum pst_tls_dates { PST_TLS_DATES_GOOD, PST_TLS_DATES_SOON, PST_TLS_DATES_EARLY, PST_TLS_DATES_EXPIRED };

/* `soon` is PST_TLS_SOON_DAYS before the end. */
#define PST_TLS_SOON_DAYS 14
enum pst_tls_dates pst_tls_dates_at(int64_t not_before_us, int64_t not_after_us, int64_t now_us);
/* "valid", "expires_soon", "not_yet_valid", "expired". Static. */
const char *pst_tls_dates_name(enum pst_tls_dates dates);
/* The worst of all certificates. */
enum pst_tls_dates pst_tls_material_dates(const struct pst_tls_material *material, int64_t now_us);

typedef void pst_tls_dates_cb(void *arg, enum pst_tls_dates dates, const char *text);
/* A sentence for each certificate whose dates stand otherwise at `now_us` than at `before_us`. */
void pst_tls_material_tell_dates(const struct pst_tls_material *material, int64_t before_us, int64_t now_us,
                                 pst_tls_dates_cb *tell, void *arg);

/* "Mbed TLS 3.6.5". Static. */
const char *pst_tls_library_version(void);

#endif
