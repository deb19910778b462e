/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine gives: directory, disk, files, random numbers, processor. */
#include "private.h"

#include "postern/conf/open_files.h"
#include "postern/conf/settings.h"
#include "postern/crypto/cpu.h"
#include "postern/db/data_dir.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#define MIB (UINT64_C(1024) * 1024)
/* The journals of a worker take some 10 MiB at once, a write-ahead log up to 16: below the first nothing can
 * be written reliably, below the second it will soon be so. */
#define DISK_FAILED_BYTES  (16 * MIB)
#define DISK_WARNING_BYTES (256 * MIB)
/* Inodes: a handful of files are made; others on the volume take theirs, too. */
#define DISK_WARNING_INODES 64

void check_settings(struct visit *visit)
{
    const struct pst_doctor_options *options = visit->options;
    const char *file = visit->settings->config;
    if (options->settings_problems[0] == '\0')
        visit_note(visit, CHECK_SETTINGS, PST_DOCTOR_OK, NULL, "%s",
                   file != NULL ? file : "no settings file; defaults, environment and flags");
    else
        visit_note(visit, CHECK_SETTINGS, options->settings_usable ? PST_DOCTOR_WARNING : PST_DOCTOR_FAILED,
                   "Correct them; `postern check` reports the same for settings alone, `postern settings "
                   "NAME` what one "
                   "means.",
                   "%s", options->settings_problems);
}

void check_data_dir(struct visit *visit)
{
    struct pst_access_why why;
    char todo[sizeof(why.todo) + 2];
    if (pst_setting_is_bad(visit->settings, "data_dir")) {
        visit_note(visit, CHECK_DATA, PST_DOCTOR_SKIPPED, NULL, "its setting is invalid");
        return;
    }
    bool good = pst_data_dir_look(visit->settings->data_dir, &why) == 0;
    snprintf(todo, sizeof(todo), "%s.", why.todo);
    todo[0] = (char)toupper((unsigned char)todo[0]);
    visit_note(visit, CHECK_DATA, good ? PST_DOCTOR_OK : PST_DOCTOR_FAILED, why.todo[0] != '\0' ? todo : NULL,
               "%s", why.seen);
}

static void note_access(void *arg, const char *setting, const struct pst_access_why *why)
{
    struct visit *visit = arg;
    char todo[sizeof(why->todo) + 2];
    snprintf(todo, sizeof(todo), "%s.", why->todo);
    todo[0] = (char)toupper((unsigned char)todo[0]);
    visit_note(visit, CHECK_GIVEN, PST_DOCTOR_WARNING, todo, "%s: %s", setting, why->seen);
}

void check_given_files(struct visit *visit)
{
    pst_settings_check_files(visit->settings, note_access, visit);
    if (visit->n_notes == 0)
        visit_note(visit, CHECK_GIVEN, PST_DOCTOR_OK, NULL,
                   "what the settings name is closed to other users");
}

void check_disk(struct visit *visit)
{
    static const char todo[] =
        "Free space there or enlarge the volume. The gateway keeps serving without it, but usage it "
        "cannot write is lost, and keys cannot be changed.";
    const char *path = visit->settings->data_dir;
    struct statvfs fs;
    if (pst_setting_is_bad(visit->settings, "data_dir") || statvfs(path, &fs) < 0) {
        visit_note(visit, CHECK_DISK, PST_DOCTOR_SKIPPED, NULL, "there is no data directory to check");
        return;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    enum pst_doctor_status status = free_bytes < DISK_FAILED_BYTES    ? PST_DOCTOR_FAILED
                                    : free_bytes < DISK_WARNING_BYTES ? PST_DOCTOR_WARNING
                                                                      : PST_DOCTOR_OK;
    if (fs.f_files > 0 && fs.f_favail < DISK_WARNING_INODES)
        visit_note(visit, CHECK_DISK, fs.f_favail < 4 ? PST_DOCTOR_FAILED : PST_DOCTOR_WARNING, todo,
                   "the file system of %s has %llu inodes left", path, (unsigned long long)fs.f_favail);
    else
        visit_note(visit, CHECK_DISK, status, status == PST_DOCTOR_OK ? NULL : todo, "%llu MiB free for %s",
                   (unsigned long long)(free_bytes / MIB), path);
}

void check_open_files(struct visit *visit)
{
    const struct pst_settings *s = visit->settings;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        visit_note(visit, CHECK_FILES, PST_DOCTOR_SKIPPED, NULL, "the limit cannot be read: %s",
                   strerror(errno));
        return;
    }
    /* The gateway raises its own soft limit. */
    const struct pst_open_files need = pst_open_files_of(s);
    if (limit.rlim_max < need.least)
        visit_note(
            visit, CHECK_FILES, PST_DOCTOR_FAILED,
            "Raise the limit of open files (ulimit -Hn, LimitNOFILE=, the container runtime's default), or "
            "set fewer workers.",
            "%llu are allowed, and the gateway needs at least %llu to start",
            (unsigned long long)limit.rlim_max, (unsigned long long)need.least);
    else if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= need.most)
        visit_note(visit, CHECK_FILES, PST_DOCTOR_OK, NULL, "%llu needed at most, %llu allowed",
                   (unsigned long long)need.most, (unsigned long long)limit.rlim_max);
    else
        visit_note(
            visit, CHECK_FILES, PST_DOCTOR_WARNING,
            "Raise the limit of open files (ulimit -Hn, LimitNOFILE=, the container runtime's default), or "
            "lower max_connections.",
            "%llu are allowed, and the settings may need %llu: beyond the limit new connections wait",
            (unsigned long long)limit.rlim_max, (unsigned long long)need.most);
}

void check_entropy(struct visit *visit)
{
    uint8_t bytes[32];
    if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) == (ssize_t)sizeof(bytes))
        visit_note(visit, CHECK_ENTROPY, PST_DOCTOR_OK, NULL, "the kernel's generator is ready");
    else
        visit_note(visit, CHECK_ENTROPY, PST_DOCTOR_FAILED,
                   "Wait: a machine that has just started is still gathering entropy. A virtual machine "
                   "needs virtio-rng; a seccomp "
                   "profile must allow getrandom.",
                   "the kernel has no random numbers yet (%s)", strerror(errno));
}

void check_cpu(struct visit *visit)
{
    const char *names;
    unsigned cpus = pst_conf_cpus();
    if (pst_cpu_has_aes(&names))
        visit_note(visit, CHECK_CPU, PST_DOCTOR_OK, NULL, "%u CPU%s, with %s", cpus, cpus == 1 ? "" : "s",
                   names);
    else
        visit_note(
            visit, CHECK_CPU, PST_DOCTOR_WARNING,
            "TLS needs several times the CPU without them; have the virtual machine expose the host's CPU "
            "features.",
            "%u CPU%s, without %s", cpus, cpus == 1 ? "" : "s", names);
}
