/* SPDX-License-Identifier: Apache-2.0 */
/* The sample container: a small HTTP server on loopback that answers like an Azure AI container, so
 * that Postern can be tried without one. It computes its answers (language detection and sentiment over
 * a small lexicon), echoes bodies of any size and streams slowly.
 *
 * Threads: one accepts, one more per connection (at most PST_DEMO_CONNECTIONS_MAX; this is a sample, not
 * a server to copy). All of them end in pst_demo_stop(). Start and stop belong to one thread. */
#ifndef POSTERN_DEMO_DEMO_H
#define POSTERN_DEMO_DEMO_H

#include "postern/base/err.h"

#include <stdint.h>

#define PST_DEMO_CONNECTIONS_MAX 256

struct pst_demo;

/* Listens on a free port of 127.0.0.1 and serves until stopped. 0, -PST_ENOMEM or -PST_EIO. */
int pst_demo_start(struct pst_demo **ret, uint16_t *ret_port) PST_MUSTCHECK;
/* Closes every connection, waits for the threads, frees. NULL is fine. */
void pst_demo_stop(struct pst_demo *demo);

#endif
