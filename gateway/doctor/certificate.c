/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

#include "postern/base/clock.h"
#include "postern/base/str.h"
#include "postern/tls/inspect.h"
#include "postern/tls/material.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILES 32

/* Warnings are left to judge(). */
static void add_text(void *arg, bool warning, const char *problem)
{
    char *text = arg;
    size_t len = strlen(text), size = sizeof(((struct pst_doctor_result *)0)->seen);
    if (warning)
        return;
    snprintf(text + len, size - len, "%s%s", len > 0 ? "; " : "", problem);
}

static bool given(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* What clients reject whatever the chain is; false: it has been said. */
static bool judge_dates(struct visit *visit, const char *path, const struct pst_tls_certificate *leaf,
                        enum pst_tls_dates dates)
{
    char when[PST_TIME_TEXT_SIZE];
    bool early = dates == PST_TLS_DATES_EARLY;
    if (!early && dates != PST_TLS_DATES_EXPIRED)
        return true;
    pst_time_format(early ? leaf->not_before_us : leaf->not_after_us, when);
    visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_FAILED,
               early ? "Check this machine's clock; if it is right, use a certificate that is valid now."
                     : "Renew it, and restart the gateway.",
               "%s %s %s: the gateway serves it, and clients reject it", path,
               early ? "is not valid before" : "expired at", when);
    return false;
}

/* What the file's own words cannot say: whether clients can follow the chain. */
static void judge(struct visit *visit, const char *path, const struct pst_tls_inspection *seen)
{
    const struct pst_tls_certificate *leaf = &seen->chain[0], *last = &seen->chain[seen->last];
    enum pst_tls_dates dates = pst_tls_dates_at(leaf->not_before_us, leaf->not_after_us, pst_clock_real_us());
    char until[PST_TIME_TEXT_SIZE];
    pst_time_format(leaf->not_after_us, until);
    until[10] = '\0'; /* the date */
    if (!judge_dates(visit, path, leaf, dates))
        return;
    if (!seen->all_signed)
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_FAILED,
                   "Replace it with the certificate of the CA that signed the server's.",
                   "%s: \"%s\" has the name of a CA of this chain, but did not sign any certificate in it: "
                   "clients cannot follow the chain",
                   path, seen->chain[seen->strange].subject);
    else if (leaf->names[0] == '\0')
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_FAILED,
                   "Have it reissued with the host names (or addresses) that clients use as subject "
                   "alternative names.",
                   "%s has no subject alternative name: clients ignore its subject (\"%s\")", path,
                   leaf->subject);
    else if (seen->weak)
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_WARNING,
                   "Have it reissued: EC P-256, or RSA of at least 2048 bits, signed with SHA-256.",
                   "%s has a weak key or signature (%s, %u bits): many clients reject it", path,
                   leaf->key_kind, leaf->key_bits);
    else if (!seen->reaches)
        visit_note(
            visit, CHECK_CERTIFICATE, given(visit->options->ca_file) ? PST_DOCTOR_FAILED : PST_DOCTOR_WARNING,
            "If that is an intermediate, append its certificate to the file. If it is "
            "your "
            "own root, name its file with --ca-file.",
            "%s ends with \"%s\", signed by \"%s\", which is neither in the file nor a root known here: "
            "clients that do not know it reject the connection",
            path, last->subject, last->issuer);
    else if (dates == PST_TLS_DATES_SOON)
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_WARNING, "Renew it, and restart the gateway.",
                   "%s expires soon, on %s", path, until);
    else
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_OK, NULL, "%s: for %s, %s %u bits, until %s%s", path,
                   leaf->names, leaf->key_kind, leaf->key_bits, until,
                   leaf->self_issued ? "; self-signed: clients must be configured to trust it" : "");
}

static void inspect(struct visit *visit, const char *path, struct pst_tls_roots *roots)
{
    struct pst_tls_inspection *seen = calloc(1, sizeof(*seen));
    struct pst_tls_why why;
    if (seen == NULL || pst_tls_inspect_file(path, roots, seen, &why) < 0)
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_FAILED,
                   "Make it a PEM file that the gateway's user can read.", "%s",
                   seen != NULL ? why.text : "out of memory");
    else
        judge(visit, path, seen);
    free(seen);
}

static void inspect_directory(struct visit *visit, const char *dir, struct pst_tls_roots *roots)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        bool hidden = entries[i]->d_name[0] == '.';
        bool plain = pst_str_ends(pst_str_of(entries[i]->d_name), PST_STR(".crt"));
        int len = snprintf(path, sizeof(path), "%s/%s%s", dir, entries[i]->d_name, plain ? "" : "/tls.crt");
        if (!hidden && i < MAX_FILES && len < (int)sizeof(path) && access(path, F_OK) == 0)
            inspect(visit, path, roots);
        free(entries[i]);
    }
    free(entries);
}

static void inspect_self_made(struct visit *visit)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/tls/self-signed.crt", visit->settings->data_dir);
    if (access(path, F_OK) < 0)
        visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_OK, NULL,
                   "none is set; a self-signed one is created at the first start, and clients must be "
                   "configured to trust it");
    else
        inspect(visit, path, NULL);
}

/* Whether they can be served at all; what else is to be said of them comes from inspecting each. */
static bool can_be_served(struct visit *visit, const struct pst_tls_files *files)
{
    char problems[sizeof(visit->notes[0].seen)] = "";
    if (pst_tls_material_check(files, add_text, problems) == 0)
        return true;
    visit_note(visit, CHECK_CERTIFICATE, PST_DOCTOR_FAILED,
               "Correct the files. With cert-manager, see the state of the Certificate and the Secret.", "%s",
               problems);
    return false;
}

static void check_gateway(struct visit *visit, struct pst_tls_roots *roots)
{
    const struct pst_settings *s = visit->settings;
    const struct pst_tls_files files = {.certificate = s->tls_certificate,
                                        .key = s->tls_key,
                                        .certificate_dir = s->tls_certificate_dir,
                                        .data_dir = s->data_dir};
    if (!can_be_served(visit, &files))
        return;
    if (given(s->tls_certificate))
        inspect(visit, s->tls_certificate, roots);
    if (given(s->tls_certificate_dir))
        inspect_directory(visit, s->tls_certificate_dir, roots);
    if (!given(s->tls_certificate) && !given(s->tls_certificate_dir))
        inspect_self_made(visit);
}

/* The admin side's own, where it has one. */
static void check_admin(struct visit *visit, struct pst_tls_roots *roots)
{
    const struct pst_settings *s = visit->settings;
    const struct pst_tls_files files = {
        .certificate = s->admin_tls_certificate, .key = s->admin_tls_key, .data_dir = s->data_dir};
    if ((given(files.certificate) || given(files.key)) && can_be_served(visit, &files))
        inspect(visit, s->admin_tls_certificate, roots);
}

void check_certificate(struct visit *visit)
{
    struct pst_tls_roots *roots = NULL;
    struct pst_tls_why why;
    if (pst_tls_roots_load(visit->options->ca_file, &roots, &why) < 0)
        roots = NULL; /* reported by the checks of outbound traffic */
    check_gateway(visit, roots);
    check_admin(visit, roots);
    pst_tls_roots_free(roots);
}
