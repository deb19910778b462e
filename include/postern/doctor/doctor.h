/* SPDX-License-Identifier: Apache-2.0 */
/* `postern doctor`: looks at everything a pod needs to work and says what is wrong and what to do. Changes
 * nothing. One call from one thread; the checks run on threads of their own, each with a time limit. */
#ifndef POSTERN_DOCTOR_DOCTOR_H
#define POSTERN_DOCTOR_DOCTOR_H

#include "postern/base/err.h"
#include "postern/conf/settings.h"
#include "postern/fetch/dial.h"

#include <stdbool.h>
#include <stddef.h>

enum pst_doctor_status {
    PST_DOCTOR_OK,
    PST_DOCTOR_SKIPPED, /* it does not apply here, or something before it failed */
    PST_DOCTOR_WARNING, /* it works, but not for long, or not as it should */
    PST_DOCTOR_FAILED,
};

struct pst_doctor_result {
    const char *check; /* its name in the table of checks; static */
    enum pst_doctor_status status;
    char seen[1024]; /* what was seen, in sentences */
    char todo[512];  /* what to do about it; "" when ok */
};

#define PST_DOCTOR_RESULTS_MAX   96
#define PST_DOCTOR_ENDPOINTS_MAX 8

struct pst_doctor_report {
    struct pst_doctor_result at[PST_DOCTOR_RESULTS_MAX];
    size_t n;
};

struct pst_doctor_options {
    const struct pst_settings *settings;           /* collected: what is bad in it is not looked at */
    const char *settings_problems;                 /* sentences; "" when there were none */
    bool settings_usable;                          /* false: at least one of them is no mere warning */
    const char *billing[PST_DOCTOR_ENDPOINTS_MAX]; /* URLs of the billing endpoints */
    size_t n_billing;
    const char *proxy;             /* of the way out; NULL or "": none */
    const char *proxy_credentials; /* "user:password", instead of those in the URL; NULL: none */
    const char *no_proxy;          /* NULL: nothing is exempt */
    const char *ca_file;           /* roots to trust besides the system's; NULL or "": none */
    const char *known_roots;       /* roots that count as public ones of the cloud; NULL or "": none */
    const struct pst_dial_pin *pins;
    size_t n_pins;
};

/* The checks' names in their order, with one line of explanation each; ends with NULL names. */
struct pst_doctor_check_text {
    const char *name;
    const char *about;
};
const struct pst_doctor_check_text *pst_doctor_checks(void);

/* Runs all checks; at most 15 s. 0 or -PST_ENOMEM. */
int pst_doctor_run(const struct pst_doctor_options *options,
                   struct pst_doctor_report **ret_report) PST_MUSTCHECK;
void pst_doctor_report_free(struct pst_doctor_report *report);
/* The worst status in it. */
enum pst_doctor_status pst_doctor_worst(const struct pst_doctor_report *report);
/* "ok", "skipped", "warning", "failed". Static. */
const char *pst_doctor_status_text(enum pst_doctor_status status);

#endif
