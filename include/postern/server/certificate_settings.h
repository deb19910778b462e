/* SPDX-License-Identifier: Apache-2.0 */
/* What the settings say of clients' certificates, for the server and for `postern check`. Any thread. */
#ifndef POSTERN_SERVER_CERTIFICATE_SETTINGS_H
#define POSTERN_SERVER_CERTIFICATE_SETTINGS_H

#include "postern/conf/settings.h"
#include "postern/exchange/routes.h"

/* Tells `say` of everything that is wrong, by the setting's name. 0, or the first error: -PST_EINVAL,
 * -PST_EPARSE, -PST_ENOMEM. */
int pst_certificate_settings_check(const struct pst_settings *settings,
                                   void (*say)(void *arg, const char *setting, const char *problem),
                                   void *arg) PST_MUSTCHECK;
/* How clients of this address of `listen` are asked for a certificate. */
enum pst_certificate_mode pst_certificate_mode_of(const struct pst_settings *settings,
                                                  const struct pst_addr *listen);
/* Whether clients of any address are. */
bool pst_certificates_asked(const struct pst_settings *settings);
/* The routes of the settings, and what holds elsewhere. As pst_routes_parse(). */
int pst_routes_of_settings(const struct pst_settings *settings, struct pst_routes **ret,
                           struct pst_why *why) PST_MUSTCHECK;

#endif
