/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's own error pages become errors of ours. */
#ifndef POSTERN_HTTP1_MHD_ERROR_H
#define POSTERN_HTTP1_MHD_ERROR_H

#include "http1.h"

/* A line of libmicrohttpd's log: perhaps what it is about to complain of. */
void mhd_error_note(struct pst_front *front, const char *text);
/* Whether what it writes is 100 (Continue). */
bool mhd_error_is_continue(const char *data, size_t len);
/* What it complains of, from its error page; `data` NULL: it gives the client up without a word, for want of
 * memory mostly. The detail lives until the next complaint. */
enum pst_error_id mhd_error_take(struct client *client, const char *data, size_t len,
                                 struct pst_str *ret_detail);

#endif
