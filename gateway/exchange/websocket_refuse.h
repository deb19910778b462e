/* SPDX-License-Identifier: Apache-2.0 */
/* Refused upgrades whose clients cannot see an HTTP status are accepted and closed with 4000. */
#ifndef POSTERN_EXCHANGE_WEBSOCKET_REFUSE_H
#define POSTERN_EXCHANGE_WEBSOCKET_REFUSE_H

#include "exchange.h"

/* Whether a refusal of this upgrade is told in a close frame. False for what is no upgrade. */
bool websocket_refusal_closes(const struct exchange *x);
/* Accepts the upgrade without the container, to close it soon. */
void websocket_refuse(struct exchange *x, enum pst_error_id id);

#endif
