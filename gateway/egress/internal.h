/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef POSTERN_EGRESS_INTERNAL_H
#define POSTERN_EGRESS_INTERNAL_H

#include "postern/base/buf.h"
#include "postern/base/list.h"
#include "postern/base/ticker.h"
#include "postern/egress/egress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define EGRESS_LISTENERS_MAX 4

struct pst_egress {
    struct pst_egress_options options;
    int listeners[EGRESS_LISTENERS_MAX];
    size_t n_listeners;
    int stop_pipe[2]; /* readable, and stays so, when it is over */
    pthread_t acceptor;
    bool accepting;
    struct pst_ticker watch;
    int64_t started_us;

    struct {
        struct stat file;     /* as it was read; the watch's own */
        struct pst_buf hosts; /* under the lock */
    } allow;

    pthread_mutex_t lock;
    pthread_cond_t ended; /* a tunnel did */
    struct pst_list tunnels;
    struct pst_egress_stats stats; /* under the lock */
};

struct tunnel {
    struct pst_egress *egress;
    struct pst_list node;
    int client;
    int server; /* -1: not open */
    uint64_t start_us;
    char peer[PST_ADDR_TEXT_SIZE];
    char host[PST_URL_HOST_SIZE];
    uint16_t port;
    char address[PST_ADDR_TEXT_SIZE];
    atomic_ullong up, down; /* bytes */
};

/* tunnel.c: a tunnel's thread, from CONNECT to its end; frees it. */
void *tunnel_run(void *arg);

/* connect_request.c: reads the head of a CONNECT from the client. 0 with the target, and what came behind the
 * head in `rest`; or the status to refuse with, and why. */
#define REQUEST_HEAD_MAX 8192
struct connect_request {
    char authority[PST_URL_HOST_SIZE + 16];
    char credentials[PST_PROXY_CREDENTIALS_SIZE]; /* of Proxy-Authorization: Basic; "" without */
    char rest[REQUEST_HEAD_MAX];
    size_t rest_len;
};
unsigned connect_request_read(int fd, uint64_t deadline_us, struct connect_request *ret,
                              const char **ret_reason) PST_MUSTCHECK;

/* server_name.c: waits for the client's first message, its beginning in `request->rest` or not, and leaves it
 * where it is. True: the tunnel goes on; else, and when it is not as it should be, the log says why. A server
 * that speaks first is not waited for. */
bool server_name_fits(struct tunnel *tunnel, const struct connect_request *request);

/* pump.c: moves bytes both ways until both sides are done. */
enum pump_end { PUMP_DONE, PUMP_RESET, PUMP_IDLE, PUMP_TOO_LONG, PUMP_STOPPED };
enum pump_end pump_run(struct tunnel *tunnel, uint64_t until_us);

/* allow_file.c: the hosts of egress_allow_file. The watch looks whether it changed. */
int allow_file_open(struct pst_egress *egress) PST_MUSTCHECK;
void allow_file_close(struct pst_egress *egress);
void allow_file_look(struct pst_egress *egress);
bool allow_file_has(struct pst_egress *egress, const char *host);

/* watch.c: the billing hosts. */
void watch_note(struct pst_egress *egress, const char *host, bool success);
int watch_start(struct pst_egress *egress) PST_MUSTCHECK;

#endif
