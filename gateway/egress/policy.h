/* SPDX-License-Identifier: Apache-2.0 */
/* Where a tunnel may lead. Pure functions. */
#ifndef POSTERN_EGRESS_POLICY_H
#define POSTERN_EGRESS_POLICY_H

#include "postern/egress/egress.h"

/* The host of "host:port" as it is compared and looked up: lower case, without the dot at its end. An address
 * in brackets loses them. On failure *ret_reason says what is wrong with it. */
int egress_target_parse(struct pst_str authority, char host[static PST_URL_HOST_SIZE], uint16_t *ret_port,
                        const char **ret_reason) PST_MUSTCHECK;
/* "*.a.b" stands for every name below a.b, and not for a.b. */
bool egress_matches(struct pst_str pattern, struct pst_str host);
/* NULL when host and port are allowed, else why not. `host_allowed`: by egress_allow_file. */
const char *egress_refusal(const struct pst_egress_options *options, const char *host, uint16_t port,
                           bool host_allowed);
/* Whether the host is one of the two domains that containers report their metering to. */
bool egress_is_billing(const char *host);
/* NULL when the address is a public one, or listed; else what it is: "a private address". */
const char *egress_address_refusal(const struct pst_egress_options *options,
                                   const uint8_t address[static 16]);

#endif
