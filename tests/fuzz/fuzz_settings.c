/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file: any bytes as YAML, through the whole load. Held: what is wrong is told, in
 * printable lines, and not without end; every value is within its bounds and whole in any case; nothing
 * leaks. */
#include "postern/conf/settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLD(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

static void on_problem(void *arg, bool warning, const char *problem)
{
    unsigned *told = arg;
    HOLD(problem[0] != '\0' && strlen(problem) < 2048);
    for (const char *c = problem; *c != '\0'; c++)
        HOLD((unsigned char)*c >= 0x20 && *c != 0x7F);
    *told += !warning;
    HOLD(*told < 200); /* each is about a setting, or one of a few names that are none */
}

static void hold_value(const struct pst_settings *settings, const struct pst_setting_def *def)
{
    const char *at = (const char *)settings + def->offset;
    uint64_t number;
    switch (def->type) {
    case PST_SETTING_INT:
    case PST_SETTING_BYTES:
    case PST_SETTING_DURATION:
        memcpy(&number, at, sizeof(number));
        HOLD(number >= def->min && number <= def->max);
        break;
    case PST_SETTING_ENUM: {
        memcpy(&number, at, sizeof(number));
        size_t n = 0;
        while (def->choices[n] != NULL)
            n++;
        HOLD(number < n);
        break;
    }
    case PST_SETTING_STRINGS: {
        size_t n = 0;
        char *const *strings = NULL;
        memcpy(&n, (const char *)settings + def->count_offset, sizeof(n));
        memcpy(&strings, at, sizeof(strings));
        HOLD(n <= 64);
        for (size_t i = 0; i < n; i++)
            HOLD(strlen(strings[i]) <= 4096);
        break;
    }
    default: {
        const void *pointer = NULL;
        memcpy(&pointer, at, sizeof(pointer));
        HOLD(pointer != NULL);
    }
    }
}

/* `any_bad`: what two settings must have in common is only held when nothing was wrong. */
static void hold(const struct pst_settings *settings, bool any_bad)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        HOLD(settings->texts[i] != NULL && settings->sources[i] <= PST_FROM_FILE);
        HOLD((settings->lines[i] > 0) == (settings->sources[i] == PST_FROM_FILE));
        hold_value(settings, &defs[i]);
    }
    HOLD(settings->n_listen >= 1 && settings->workers >= 1);
    HOLD(any_bad || (settings->tls_certificate[0] != '\0') == (settings->tls_key[0] != '\0'));
    HOLD(any_bad || settings->max_target_size_bytes < settings->max_head_size_bytes);
    for (size_t i = 0; i < settings->n_open_paths; i++)
        HOLD(settings->open_paths[i][0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (size > 64 * 1024)
        return 0;
    if (fd < 0) {
        fd = memfd_create("settings", MFD_CLOEXEC);
        HOLD(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    HOLD(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    unsigned told = 0;
    struct pst_settings settings;
    const struct pst_settings_input input = {.config = path};
    int n = pst_settings_collect(&input, on_problem, &told, &settings);
    HOLD(n >= 0 && (unsigned)n == told);
    hold(&settings, n > 0);
    pst_settings_done(&settings);
    return 0;
}
