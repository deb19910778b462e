/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway as a whole: it loads what the settings name, opens the stores, binds the listeners, starts the
 * workers and the keeper, and stops them in order.
 *
 *     start ─▶ running ── stop ─▶ draining ── all done, or shutdown_timeout ─▶ stopped (free)
 *
 * All functions are for one thread, usually main's. */
#ifndef POSTERN_SERVER_SERVER_H
#define POSTERN_SERVER_SERVER_H

#include "postern/base/err.h"
#include "postern/conf/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pst_server;

/* Starts everything; `settings` must outlive the server. On failure what is wrong has been logged and
 * nothing runs. 0 or a negative error. */
int pst_server_start(const struct pst_settings *settings, struct pst_server **ret_server) PST_MUSTCHECK;
/* Waits for SIGTERM or SIGINT (which must be blocked in all threads: pst_server_block_signals()), then stops:
 * no new connections, what is under way is finished within shutdown_timeout, usage is written down. A second
 * signal cuts the rest off at once. Frees the server. */
void pst_server_run(struct pst_server *server);
/* Stops in the same way without a signal, and frees. NULL is fine. */
void pst_server_stop(struct pst_server *server);

/* Before any thread is started. */
void pst_server_block_signals(void);

/* What was chosen: for messages and tests. Lives as long as the server. */
uint16_t pst_server_port(const struct pst_server *server);
const char *pst_server_certificate_path(const struct pst_server *server);
const char *pst_server_fingerprint(const struct pst_server *server);

#endif
