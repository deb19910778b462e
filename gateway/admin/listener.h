/* SPDX-License-Identifier: Apache-2.0 */
/* A place where the admin side listens, with its daemon. */
#ifndef POSTERN_ADMIN_LISTENER_H
#define POSTERN_ADMIN_LISTENER_H

#include "acceptor.h"
#include "postern/base/err.h"
#include "postern/tls/context.h"
#include "postern/tls/seam.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#define ADMIN_LISTENERS_MAX 4

struct admin_listener {
    struct pst_admin *admin;
    struct MHD_Daemon *daemon;
    struct pst_tls_context *tls;    /* NULL: a Unix socket */
    struct pst_client_trust *trust; /* of clients' certificates; NULL: none is asked for */
    uint64_t next_look_us;          /* at its files */
    bool trust_failed;              /* they could not be read the last time */
    int fd;
    struct admin_acceptor acceptor; /* of the daemon, once it runs */
    bool bound;                     /* the socket's file is ours to remove */
    char socket_path[108];          /* "" of TCP */
    char text[128];                 /* "unix:/path", "127.0.0.1:8444" */
    struct pst_seam_service service;
    char complaint[256]; /* libmicrohttpd's, about the request it is about to refuse; "": none */
};

/* Binds and listens at `item` of admin_listen. Logs what is wrong. -PST_EINVAL, -PST_EEXIST, -PST_EBUSY,
 * -PST_EIO. */
int admin_listener_bind(struct admin_listener *listener, const char *item) PST_MUSTCHECK;
/* Closes what is open and removes the socket's file. */
void admin_listener_close(struct admin_listener *listener);

#endif
