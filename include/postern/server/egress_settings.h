/* SPDX-License-Identifier: Apache-2.0 */
/* The egress proxy's options from the settings, for the server and for `postern check`. Any thread. */
#ifndef POSTERN_SERVER_EGRESS_SETTINGS_H
#define POSTERN_SERVER_EGRESS_SETTINGS_H

#include "postern/conf/settings.h"
#include "postern/egress/egress.h"

#define PST_EGRESS_PORTS_MAX 16
#define PST_EGRESS_PINS_MAX  32

struct pst_egress_settings {
    struct pst_egress_options options; /* points into the settings, and to what follows */
    uint16_t ports[PST_EGRESS_PORTS_MAX];
    struct pst_dial_pin pins[PST_EGRESS_PINS_MAX];
};

/* Reads them, and the files with credentials that they name. Tells `say` of everything that is wrong, by the
 * setting's name. 0, or the first error: -PST_EINVAL, -PST_EIO. Wipe what was read when it is no longer
 * needed: there may be credentials in it. */
int pst_egress_settings_read(const struct pst_settings *settings, struct pst_egress_settings *ret,
                             void (*say)(void *arg, const char *setting, const char *problem),
                             void *arg) PST_MUSTCHECK;

#endif
