/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate that a connection's client showed: whose it is, and what the container is told of it. */
#ifndef POSTERN_EXCHANGE_CERTIFICATE_H
#define POSTERN_EXCHANGE_CERTIFICATE_H

#include "exchange.h"

/* Whether there is one, and it counts on the request's route. */
bool certificate_is_shown(const struct exchange *x);
/* NONE, or why it is not valid: missing or wrong. */
enum pst_error_id certificate_is_valid(struct exchange *x) PST_MUSTCHECK;
/* False when the exchange was let in by its certificate, and that is no longer valid. */
bool certificate_still_holds(const struct exchange *x) PST_MUSTCHECK;
/* The key that the connection's certificate stands for, as of now. */
enum pst_error_id certificate_check(struct exchange *x, struct pst_key_match *ret) PST_MUSTCHECK;
/* What the container is told of it. Returns how many. */
#define CERTIFICATE_FIELDS_MAX 4
size_t certificate_fields(struct exchange *x, struct pst_field fields[static CERTIFICATE_FIELDS_MAX]);

#endif
