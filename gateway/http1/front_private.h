/* SPDX-License-Identifier: Apache-2.0 */
/* What clients need of the front. */
#ifndef POSTERN_HTTP1_FRONT_PRIVATE_H
#define POSTERN_HTTP1_FRONT_PRIVATE_H

#include "http1.h"

/* Gives the client's virtual socket to libmicrohttpd, which closes it when it fails. */
int front_add_to_mhd(struct client *client) PST_MUSTCHECK;

#endif
