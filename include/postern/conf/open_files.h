/* SPDX-License-Identifier: Apache-2.0 */
/* How many file descriptors a gateway with given settings has open. Pure, any thread. */
#ifndef POSTERN_CONF_OPEN_FILES_H
#define POSTERN_CONF_OPEN_FILES_H

#include "postern/conf/settings.h"

#include <stdint.h>

struct pst_open_files {
    uint64_t
        least; /* to start, and to serve a client at a time on each worker: with fewer it does not start */
    uint64_t most; /* with as many clients as the settings allow */
};

struct pst_open_files pst_open_files_of(const struct pst_settings *settings);

#endif
