/* SPDX-License-Identifier: Apache-2.0 */
/* The settings file: any bytes as YAML, through the whole load. Held: a load that fails says why, in
 * printable lines; one that succeeds leaves every value within its bounds and whole; nothing leaks. */
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
    *told += !warning;
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

static void hold(const struct pst_settings *settings)
{
    size_t n;
    const struct pst_setting_def *defs = pst_setting_defs(&n);
    for (size_t i = 0; i < n; i++) {
        HOLD(settings->texts[i] != NULL && settings->sources[i] <= PST_FROM_FILE);
        hold_value(settings, &defs[i]);
    }
    HOLD(settings->n_listen >= 1 && settings->workers >= 1);
    HOLD((settings->tls_certificate[0] != '\0') == (settings->tls_key[0] != '\0'));
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
    int err = pst_settings_load(&input, on_problem, &told, &settings);
    HOLD((err == 0) == (told == 0));
    if (err == 0) {
        hold(&settings);
        pst_settings_done(&settings);
    }
    return 0;
}
