/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks share. A check runs on a thread of its own and has nothing but a `struct visit`; one that
 * does not end in time is left behind with it, so whatever it reads lives until the process ends. */
#ifndef POSTERN_DOCTOR_PRIVATE_H
#define POSTERN_DOCTOR_PRIVATE_H

#include "postern/doctor/doctor.h"

#include <stdint.h>

#define VISIT_NOTES_MAX 12

/* Names of checks, as the table and the results have them. */
#define CHECK_SETTINGS    "settings"
#define CHECK_DATA        "data directory"
#define CHECK_DISK        "disk"
#define CHECK_FILES       "open files"
#define CHECK_GIVEN       "given files"
#define CHECK_CERTIFICATE "certificate"
#define CHECK_LISTEN      "listen"
#define CHECK_KEYS        "keys.db"
#define CHECK_USAGE       "usage.db"
#define CHECK_ISSUERS     "issuers"
#define CHECK_ENTROPY     "entropy"
#define CHECK_CPU         "cpu"
#define CHECK_CONTAINER   "container"
#define CHECK_READY       "container ready"
#define CHECK_BILLING     "container billing"
#define CHECK_OPEN        "container port"
#define CHECK_NAME        "outbound: name"
#define CHECK_CONNECT     "outbound: connect"
#define CHECK_TLS         "outbound: TLS"
#define CHECK_CHAIN       "outbound: chain"
#define CHECK_CLOCK       "clock"

struct visit {
    const struct pst_doctor_options *options;
    const struct pst_settings *settings;
    size_t subject;       /* which billing endpoint */
    uint64_t deadline_us; /* pst_clock_mono_us() */
    struct pst_doctor_result notes[VISIT_NOTES_MAX];
    size_t n_notes;
    /* Somebody else's clock minus ours, from a server whose certificate is good. */
    bool has_clock_difference;
    int64_t clock_difference_us;
};

/* Adds a result. `todo` may be NULL. */
void visit_note(struct visit *visit, const char *check, enum pst_doctor_status status, const char *todo,
                const char *fmt, ...) PST_PRINTF(5, 6);
/* A moment `ms` from now, but not behind the visit's end. */
uint64_t visit_until(const struct visit *visit, uint64_t ms);

void check_settings(struct visit *visit);
void check_data_dir(struct visit *visit);
void check_disk(struct visit *visit);
void check_open_files(struct visit *visit);
void check_given_files(struct visit *visit);
void check_certificate(struct visit *visit);
void check_listen(struct visit *visit);
void check_keys_db(struct visit *visit);
void check_usage_db(struct visit *visit);
void check_issuers(struct visit *visit);
void check_entropy(struct visit *visit);
void check_cpu(struct visit *visit);
void check_container(struct visit *visit);
void check_container_port(struct visit *visit);
void check_way_out(struct visit *visit);

/* Whether a public key (SHA-256 of its SubjectPublicKeyInfo) is that of a root the cloud's endpoints are
 * known to use. */
bool doctor_knows_root(const uint8_t key_sha256[static 32]);

#endif
