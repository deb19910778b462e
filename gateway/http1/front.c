/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/http1/front.h"

#include "client.h"
#include "front_private.h"
#include "link.h"
#include "mhd_error.h"
#include "places.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/http/answer.h"
#include "stream.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libmicrohttpd's memory per connection beyond the head itself: its own records of the fields, and the head
 * of the response that stands for ours. */
#define MHD_MEMORY_BESIDE_HEAD (8 * 1024)
/* Runs of libmicrohttpd in one turn: more work waits for the next turn, after others had theirs. */
#define MAX_RUNS 16
/* A response's head: the container's, whose URLs may have grown, and what is added. */
#define HEAD_MAX_BYTES ((size_t)4 * PST_ANSWER_HEAD_MAX)

const char *pst_front_library_version(void)
{
    return MHD_get_version();
}

PST_PRINTF(2, 0)
static void log_mhd(void *arg, const char *fmt, va_list args)
{
    char text[1024];
    int n = vsnprintf(text, sizeof(text), fmt, args);
    if (n > 0 && (size_t)n < sizeof(text) && text[n - 1] == '\n')
        text[n - 1] = '\0';
    mhd_error_note(arg, text);
    pst_debug("http", "libmicrohttpd: %s", text);
}

static struct client *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* The request target as it came, before libmicrohttpd decodes it in place. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    (void)arg;
    struct client *client = client_of(connection);
    if (client == NULL)
        return NULL;
    client->mhd_memory = target;
    return stream_begin(client, pst_str_of(target)) ? client : NULL;
}

static enum MHD_Result on_call(void *arg, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *size,
                               void **request_arg)
{
    (void)arg, (void)connection, (void)url;
    struct client *client = *request_arg;
    if (client == NULL)
        return MHD_NO;
    return stream_on_call(client, method, version, data, size) ? MHD_YES : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request_arg,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code; /* whether the response is out we know better */
    struct client *client = *request_arg;
    *request_arg = NULL;
    if (client != NULL)
        stream_on_closed(client);
}

static _Thread_local struct client *connecting;

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_arg,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)arg;
    if (code != MHD_CONNECTION_NOTIFY_STARTED)
        return;
    connecting->mhd = connection;
    *socket_arg = connecting;
}

int front_add_to_mhd(struct client *client)
{
    connecting = client;
    virtual_epoll_use(&client->front->sockets);
    enum MHD_Result added = MHD_add_connection(client->front->daemon, client->socket, NULL, 0);
    connecting = NULL;
    return added == MHD_YES ? 0 : -PST_EIO;
}

/* Targets and arguments are read by http/target.h from the raw text; libmicrohttpd's decoding of its own copy
 * is not used. */
static size_t no_unescape(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

/* Shared by all connections, and never freed before the daemon. */
static int make_responses(struct pst_front *front)
{
    front->response = MHD_create_response_empty(MHD_RF_NONE);
    front->last_response = MHD_create_response_empty(MHD_RF_NONE);
    bool made = front->response != NULL && front->last_response != NULL &&
                MHD_add_response_header(front->last_response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    return made ? 0 : -PST_ENOMEM;
}

static void drop_responses(struct pst_front *front)
{
    if (front->response != NULL)
        MHD_destroy_response(front->response);
    if (front->last_response != NULL)
        MHD_destroy_response(front->last_response);
}

static struct MHD_Daemon *start_daemon(struct pst_front *front)
{
    const struct pst_front_settings *settings = front->parts.settings;
    size_t memory = settings->max_head_bytes + MHD_MEMORY_BESIDE_HEAD;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TLS | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_THREAD_SAFETY | MHD_USE_ERROR_LOG;
    /* The two MEM options must be there for a TLS daemon; the seam does not look at them. */
    return MHD_start_daemon(flags, 0, NULL, NULL, on_call, front,                        //
                            MHD_OPTION_EXTERNAL_LOGGER, log_mhd, front,                  //
                            MHD_OPTION_HTTPS_MEM_CERT, "", MHD_OPTION_HTTPS_MEM_KEY, "", //
                            MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)(settings->max_connections + 2 * PLACES_BESIDE), //
                            MHD_OPTION_CONNECTION_TIMEOUT, 0u,                         //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,                //
                            MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,                       //
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, front,             //
                            MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, front,          //
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, front,        //
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,          //
                            MHD_OPTION_END);
}

int pst_front_new(const struct pst_front_parts *parts, struct pst_front **ret_front)
{
    struct pst_front *front = calloc(1, sizeof(*front));
    if (front == NULL)
        return -PST_ENOMEM;
    front->parts = *parts;
    pst_list_init(&front->clients);
    pst_list_init(&front->fresh);
    pst_list_init(&front->unproven);
    virtual_epoll_init(&front->sockets);
    virtual_epoll_use(&front->sockets);
    pst_buf_init(&front->head, HEAD_MAX_BYTES);
    int err = make_responses(front);
    if (err == 0)
        front->daemon = start_daemon(front);
    if (err == 0 && front->daemon == NULL) {
        pst_error("proxy", "libmicrohttpd did not start; at log_level debug it says why");
        err = -PST_EIO;
    }
    if (err < 0) {
        drop_responses(front);
        free(front);
        return err;
    }
    *ret_front = front;
    return 0;
}

void pst_front_free(struct pst_front *front)
{
    if (front == NULL)
        return;
    virtual_epoll_use(&front->sockets);
    MHD_stop_daemon(front->daemon);
    drop_responses(front);
    pst_buf_done(&front->head);
    virtual_epoll_done(&front->sockets);
    free(front);
}

bool pst_front_may_accept(const struct pst_front *front)
{
    const struct pst_front_settings *settings = front->parts.settings;
    return !front->stopping && front->n_handshakes < settings->max_handshakes && place_is_there(front);
}

void pst_front_accept(struct pst_front *front, struct pst_tls_context *tls, int fd,
                      const struct sockaddr *peer)
{
    if (front->stopping) {
        pst_fd_close(fd);
        return;
    }
    client_new(front, tls, fd, peer);
}

bool pst_front_run(struct pst_front *front)
{
    virtual_epoll_use(&front->sockets);
    for (int i = 0; front->run_again && i < MAX_RUNS; i++) {
        front->run_again = false;
        MHD_run(front->daemon);
        uint64_t wait_ms = 0;
        if (MHD_get_timeout64(front->daemon, &wait_ms) == MHD_YES && wait_ms == 0)
            front->run_again = true;
    }
    client_check_fresh(front);
    for (size_t i = 0; i < front->parts.n_tls; i++)
        pst_session_flush_all(front->parts.tls[i]);
    return front->run_again;
}

bool pst_front_has_work(const struct pst_front *front)
{
    return front->run_again;
}

void pst_front_stop(struct pst_front *front)
{
    front->stopping = true;
    PST_LIST_EACH_SAFE(node, &front->clients)
    {
        struct client *client = PST_CONTAINER(node, struct client, node);
        if (client->state == CLIENT_IDLE)
            client_end(client);
    }
}

void pst_front_abort(struct pst_front *front)
{
    PST_LIST_EACH_SAFE(node, &front->clients)
    {
        struct client *client = PST_CONTAINER(node, struct client, node);
        if (client->stream.exchange != NULL)
            front->parts.events->gone(&client->stream, PST_GONE_SHUTDOWN);
        client->cut = true;
        if (client->mhd != NULL)
            client_end(client);
        else if (client->session != NULL)
            pst_session_abort(client->session);
    }
}

size_t pst_front_n_clients(const struct pst_front *front)
{
    return front->n_clients;
}
