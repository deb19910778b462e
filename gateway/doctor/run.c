/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Checks keep to their own deadline; one that hangs in the system (a dead network file system, say) is left
 * behind a little later. Together below 15 s. */
#define VISIT_MS 12000
#define GRACE_MS 1500

struct check {
    const char *name;
    const char *about;
    void (*run)(struct visit *visit); /* NULL: told by the check before it */
    bool per_endpoint;
};

static const struct check checks[] = {
    {CHECK_SETTINGS, "the settings can be read and make sense", check_settings, false},
    {CHECK_DATA, "data_dir exists, is writable, and only the gateway's user can write to it", check_data_dir,
     false},
    {CHECK_DISK, "the disk of data_dir has free space", check_disk, false},
    {CHECK_FILES, "the limit of open files is high enough for the settings", check_open_files, false},
    {CHECK_GIVEN, "other users can neither change what is given by settings nor read its secrets",
     check_given_files, false},
    {CHECK_CERTIFICATE, "certificate and key match, chain, names, dates, strength", check_certificate, false},
    {CHECK_LISTEN, "the listening ports are free, or this gateway's", check_listen, false},
    {CHECK_KEYS, "the key database is intact and of this version", check_keys_db, false},
    {CHECK_USAGE, "the usage database is intact and of this version", check_usage_db, false},
    {CHECK_ISSUERS, "the signing keys of the access tokens' issuers are available", check_issuers, false},
    {CHECK_ENTROPY, "the kernel provides random numbers", check_entropy, false},
    {CHECK_CPU, "the processor has instructions for AES", check_cpu, false},
    {CHECK_CONTAINER, "the container responds", check_container, false},
    {CHECK_READY, "it can take queries (/ready)", NULL, false},
    {CHECK_BILLING, "it is allowed to serve (/status)", NULL, false},
    {CHECK_OPEN, "its port cannot be reached without the gateway", check_container_port, false},
    {CHECK_NAME, "the billing endpoint's name has an address", check_way_out, true},
    {CHECK_CONNECT, "its addresses accept connections, directly or through the proxy", NULL, true},
    {CHECK_TLS, "it speaks TLS with a certificate the system trusts", NULL, true},
    {CHECK_CHAIN, "that certificate is Azure's own: TLS is not inspected on the path", NULL, true},
    {CHECK_CLOCK, "this machine's clock is right", NULL, false},
};

#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))
#define MAX_JOBS (N_CHECKS + PST_DOCTOR_ENDPOINTS_MAX)

/* One check on its thread. */
struct job {
    const struct check *check;
    struct visit visit; /* the thread's until `done` */
    atomic_bool done;
    struct crew *crew;
};

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    size_t n_running; /* under the lock */
    struct job jobs[MAX_JOBS];
    size_t n_jobs;
};

const struct pst_doctor_check_text *pst_doctor_checks(void)
{
    static struct pst_doctor_check_text texts[N_CHECKS + 1];
    for (size_t i = 0; i < N_CHECKS; i++)
        texts[i] = (struct pst_doctor_check_text){checks[i].name, checks[i].about};
    return texts;
}

const char *pst_doctor_status_text(enum pst_doctor_status status)
{
    static const char *const texts[] = {"ok", "skipped", "warning", "failed"};
    return texts[status];
}

void visit_note(struct visit *visit, const char *check, enum pst_doctor_status status, const char *todo,
                const char *fmt, ...)
{
    if (visit->n_notes == VISIT_NOTES_MAX)
        return;
    struct pst_doctor_result *note = &visit->notes[visit->n_notes++];
    *note = (struct pst_doctor_result){.check = check, .status = status};
    pst_str_clip(pst_str_of(todo), note->todo, sizeof(note->todo));
    va_list args;
    va_start(args, fmt);
    vsnprintf(note->seen, sizeof(note->seen), fmt, args);
    va_end(args);
}

uint64_t visit_until(const struct visit *visit, uint64_t ms)
{
    uint64_t until = pst_clock_mono_us() + ms * 1000;
    return until < visit->deadline_us ? until : visit->deadline_us;
}

static void *run_job(void *arg)
{
    struct job *job = arg;
    job->check->run(&job->visit);
    atomic_store(&job->done, true);
    pthread_mutex_lock(&job->crew->lock);
    job->crew->n_running--;
    pthread_cond_signal(&job->crew->finished);
    pthread_mutex_unlock(&job->crew->lock);
    return NULL;
}

static void start_job(struct crew *crew, const struct check *check, const struct pst_doctor_options *options,
                      size_t subject)
{
    pthread_t thread;
    struct job *job = &crew->jobs[crew->n_jobs++];
    job->check = check;
    job->crew = crew;
    job->visit = (struct visit){.options = options,
                                .settings = options->settings,
                                .subject = subject,
                                .deadline_us = pst_clock_mono_us() + VISIT_MS * 1000};
    pthread_mutex_lock(&crew->lock);
    crew->n_running++;
    pthread_mutex_unlock(&crew->lock);
    if (pthread_create(&thread, NULL, run_job, job) == 0)
        pthread_detach(thread);
    else
        run_job(job); /* no thread to be had: one after the other */
}

static void start_all(struct crew *crew, const struct pst_doctor_options *options)
{
    for (size_t i = 0; i < N_CHECKS; i++) {
        /* The outbound checks run without an endpoint, too: to say that none is known. */
        size_t times = checks[i].per_endpoint && options->n_billing > 1 ? options->n_billing : 1;
        for (size_t k = 0; checks[i].run != NULL && k < times && k < PST_DOCTOR_ENDPOINTS_MAX; k++)
            start_job(crew, &checks[i], options, k);
    }
}

static bool wait_for_all(struct crew *crew)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (VISIT_MS + GRACE_MS) / 1000;
    pthread_mutex_lock(&crew->lock);
    int rc = 0;
    while (crew->n_running > 0 && rc == 0)
        rc = pthread_cond_timedwait(&crew->finished, &crew->lock, &until);
    bool all = crew->n_running == 0;
    pthread_mutex_unlock(&crew->lock);
    return all;
}

static struct crew *crew_new(void)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    pthread_condattr_t attr;
    if (crew == NULL)
        return NULL;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->finished, &attr);
    pthread_condattr_destroy(&attr);
    return crew;
}

static void report_add(struct pst_doctor_report *report, const struct pst_doctor_result *result)
{
    if (report->n < PST_DOCTOR_RESULTS_MAX)
        report->at[report->n++] = *result;
}

static void gather(const struct crew *crew, struct pst_doctor_report *report)
{
    for (size_t i = 0; i < crew->n_jobs; i++) {
        const struct job *job = &crew->jobs[i];
        struct pst_doctor_result late = {.check = job->check->name,
                                         .status = PST_DOCTOR_FAILED,
                                         .seen = "this check did not finish in time",
                                         .todo = "Something in the system hangs (a network file system, a "
                                                 "name server); see the kernel's log."};
        if (!atomic_load(&job->done))
            report_add(report, &late);
        for (size_t k = 0; atomic_load(&job->done) && k < job->visit.n_notes; k++)
            report_add(report, &job->visit.notes[k]);
    }
}

/* Long before this was written: no clock that is right shows an earlier moment. */
#define WRITTEN_US (INT64_C(1735689600) * 1000000) /* 2025-01-01 */
#define SECOND_US  INT64_C(1000000)

/* After all others: what servers outside said of the time. Certificates are off by hours before
 * anybody notices; tokens by minutes. */
static void judge_clock(const struct crew *crew, struct pst_doctor_report *report)
{
    static const char sync[] =
        "Let the node's clock be set by NTP (chrony, systemd-timesyncd); a pod has its node's.";
    struct visit visit = {.n_notes = 0};
    char now[PST_TIME_TEXT_SIZE];
    const struct visit *seen = NULL;
    pst_time_format(pst_clock_real_us(), now);
    for (size_t i = 0; i < crew->n_jobs && seen == NULL; i++) {
        if (atomic_load(&crew->jobs[i].done) && crew->jobs[i].visit.has_clock_difference)
            seen = &crew->jobs[i].visit;
    }
    long long off = seen != NULL ? (long long)(seen->clock_difference_us / SECOND_US) : 0;
    long long far = off < 0 ? -off : off;
    if (pst_clock_real_us() < WRITTEN_US)
        visit_note(&visit, CHECK_CLOCK, PST_DOCTOR_FAILED, sync, "it is %s, before this program was built",
                   now);
    else if (seen == NULL)
        visit_note(&visit, CHECK_CLOCK, PST_DOCTOR_OK, NULL, "%s; no server was reached to compare it with",
                   now);
    else if (far > 30)
        visit_note(&visit, CHECK_CLOCK, far > 300 ? PST_DOCTOR_FAILED : PST_DOCTOR_WARNING, sync,
                   "it is %s, which is %lld s %s the billing endpoint's time", now, far,
                   off > 0 ? "behind" : "ahead of");
    else
        visit_note(&visit, CHECK_CLOCK, PST_DOCTOR_OK, NULL, "%s, the same as at the billing endpoint", now);
    report_add(report, &visit.notes[0]);
}

int pst_doctor_run(const struct pst_doctor_options *options, struct pst_doctor_report **ret_report)
{
    struct crew *crew = crew_new();
    struct pst_doctor_report *report = calloc(1, sizeof(*report));
    if (crew == NULL || report == NULL) {
        free(crew);
        free(report);
        return -PST_ENOMEM;
    }
    start_all(crew, options);
    bool all = wait_for_all(crew);
    gather(crew, report);
    judge_clock(crew, report);
    if (all)
        free(crew); /* else a thread still writes into it */
    *ret_report = report;
    return 0;
}

void pst_doctor_report_free(struct pst_doctor_report *report)
{
    free(report);
}

enum pst_doctor_status pst_doctor_worst(const struct pst_doctor_report *report)
{
    enum pst_doctor_status worst = PST_DOCTOR_OK;
    for (size_t i = 0; i < report->n; i++) {
        if (report->at[i].status > worst)
            worst = report->at[i].status;
    }
    return worst == PST_DOCTOR_SKIPPED ? PST_DOCTOR_OK : worst;
}
