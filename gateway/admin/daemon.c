/* SPDX-License-Identifier: Apache-2.0 */
/* The socket, the daemon's thread, and the frame around every request: who asks, its body, its answer. */
#include "assets.h"
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX_BYTES  (64 * 1024)
#define CONNECTIONS_MAX 64u
#define IDLE_S          30u
/* A connection's head and the fields of its answer; libmicrohttpd answers 431 beyond it. */
#define HEAD_MAX_BYTES ((size_t)32 * 1024)

static const char prefix[] = "unix:";

bool pst_admin_wanted(const struct pst_settings *settings)
{
    return strcmp(settings->admin_listen, "off") != 0;
}

/* Who asks. Anyone who can open a socket of mode 0600 is root or its owner already; the kernel's word on it
 * counts all the same, should its mode have been changed. */
static bool may_ask(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

/* Requests */

static struct admin_request *request_new(struct pst_admin *admin, struct MHD_Connection *connection,
                                         const char *method)
{
    static const struct pst_fields none;
    struct admin_request *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->admin = admin;
    r->connection = connection;
    r->method = method;
    r->file = -1;
    pst_buf_init(&r->body, BODY_MAX_BYTES);
    struct pst_str given =
        pst_str_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Request-Id"));
    if (pst_request_id_is_valid(given))
        pst_str_clip(given, r->request_id, sizeof(r->request_id));
    else
        (void)pst_request_id_take(&admin->ids, &none, r->request_id);
    return r;
}

static void request_free(struct admin_request *r)
{
    if (r == NULL)
        return;
    pst_buf_wipe(&r->body);
    json_decref(r->input);
    json_decref(r->output);
    pst_fd_close(r->file);
    free(r);
}

static void add_headers(const struct admin_request *r, struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", r->request_id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->asset != NULL)
        admin_asset_headers(r->asset, response);
    else
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (r->packed && r->literal.len > 0)
        MHD_add_response_header(response, "Content-Encoding", "gzip");
    if (r->asset == NULL && (r->output != NULL || r->literal.len > 0 || r->type != NULL))
        MHD_add_response_header(response, "Content-Type",
                                r->type != NULL ? r->type : "application/json; charset=utf-8");
    if (r->etag[0] != '\0')
        MHD_add_response_header(response, "ETag", r->etag);
    if (r->location[0] != '\0')
        MHD_add_response_header(response, "Location", r->location);
    if (r->status == 405)
        MHD_add_response_header(response, "Allow", r->allow);
}

/* libmicrohttpd takes the file over. */
static struct MHD_Response *file_response(struct admin_request *r)
{
    struct stat st;
    if (fstat(r->file, &st) < 0)
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_fd64((uint64_t)st.st_size, r->file);
    if (response != NULL)
        r->file = -1;
    return response;
}

/* libmicrohttpd takes the text over and frees it; the one copy of a new secret is gone with the answer. */
static struct MHD_Response *text_response(struct admin_request *r)
{
    char *text = r->output != NULL ? json_dumps(r->output, JSON_COMPACT) : NULL;
    if (text == NULL)
        return r->status == 204 || r->status == 304 ? MHD_create_response_empty(MHD_RF_NONE) : NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(text);
    return response;
}

static enum MHD_Result answer(struct admin_request *r)
{
    struct MHD_Response *response = r->file >= 0 ? file_response(r)
                                    : r->literal.len > 0
                                        ? MHD_create_response_from_buffer_static(r->literal.len, r->literal.p)
                                        : text_response(r);
    if (response == NULL)
        return MHD_NO; /* no memory for an answer: the connection closes */
    add_headers(r, response);
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* The head is there. What is wrong already is answered before a body is read. */
static enum MHD_Result on_head(struct admin_request *r)
{
    uint64_t length = 0;
    const char *text = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");
    if (!may_ask(r->connection))
        admin_fail(r, 403, "Forbidden", "This socket serves root and the gateway's own user only.");
    else if (text != NULL && (pst_num_u64(pst_str_of(text), &length) < 0 || length > BODY_MAX_BYTES))
        admin_fail(r, 413, "BodyTooLarge", "A body here has at most %d bytes.", BODY_MAX_BYTES);
    return admin_failed(r) ? answer(r) : MHD_YES;
}

static enum MHD_Result on_call(void *arg, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *size,
                               void **request_arg)
{
    (void)version;
    struct admin_request *r = *request_arg;
    if (r == NULL) {
        *request_arg = r = request_new(arg, connection, method);
        return r != NULL ? on_head(r) : MHD_NO;
    }
    if (*size > 0) {
        /* A chunked body without end is cut off; the answer would not be read. */
        int err = pst_buf_add(&r->body, data, *size);
        *size = 0;
        return err == 0 ? MHD_YES : MHD_NO;
    }
    admin_dispatch(r, url);
    return answer(r);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request_arg,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    request_free(*request_arg);
    *request_arg = NULL;
}

/* Start and stop */

/* A socket that an earlier run left is removed: data_dir's lock says that none is running. */
static int remove_stale(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -PST_EIO;
    if (!S_ISSOCK(st.st_mode)) {
        pst_error("admin", "admin_listen: %s is there and is no socket", path);
        return -PST_EEXIST;
    }
    return unlink(path) == 0 ? 0 : -PST_EIO;
}

static int bind_socket(struct pst_admin *admin)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct pst_str listen_text = pst_str_of(admin->parts.settings->admin_listen);
    struct pst_str path = pst_str_skip(listen_text, sizeof(prefix) - 1);
    if (!pst_str_starts(listen_text, pst_str_of(prefix)) || !pst_str_starts(path, PST_STR("/")) ||
        pst_str_copy(path, sa.sun_path, sizeof(sa.sun_path)) < 0) {
        pst_error("admin",
                  "admin_listen \"%s\": write off, or unix:/path/of/socket (a path of at most %zu bytes)",
                  admin->parts.settings->admin_listen, sizeof(sa.sun_path) - 1);
        return -PST_EINVAL;
    }
    memcpy(admin->socket_path, sa.sun_path, sizeof(admin->socket_path));
    int err = remove_stale(admin->socket_path);
    if (err < 0)
        return err;
    admin->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (admin->listener >= 0 && bind(admin->listener, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        admin->bound = true;
    /* Nobody can connect before listen(), so nobody gets in before the mode is set. */
    if (admin->bound && chmod(admin->socket_path, 0600) == 0 && listen(admin->listener, 64) == 0)
        return 0;
    pst_error("admin", "admin_listen: %s: %s", admin->socket_path, strerror(errno));
    return -PST_EIO;
}

static int open_stores(struct pst_admin *admin)
{
    const char *data_dir = admin->parts.settings->data_dir;
    struct pst_why why = {0};
    struct pst_db_why db_why = {""};
    int err = pst_keys_service_open(data_dir, true, &admin->keys, &why);
    if (err < 0) {
        pst_error("admin", "%s", why.text);
        return err;
    }
    err = pst_usage_store_open(data_dir, PST_DB_READ, &admin->usage, &db_why);
    if (err < 0)
        pst_error("admin", "%s", db_why.text);
    return err;
}

static int start_daemon(struct pst_admin *admin)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    admin->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_call, admin,                    //
                                     MHD_OPTION_LISTEN_SOCKET, admin->listener,               //
                                     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,            //
                                     MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,                   //
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_MAX_BYTES,      //
                                     MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,                     //
                                     MHD_OPTION_NOTIFY_COMPLETED, on_completed, (void *)NULL, //
                                     MHD_OPTION_END);
    if (admin->daemon == NULL)
        pst_error("admin", "libmicrohttpd did not start");
    return admin->daemon != NULL ? 0 : -PST_EIO;
}

int pst_admin_start(const struct pst_admin_parts *parts, struct pst_admin **ret_admin)
{
    struct pst_admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL)
        return -PST_ENOMEM;
    admin->parts = *parts;
    admin->listener = -1;
    admin->started_us = pst_clock_real_us();
    int err = pst_request_ids_init(&admin->ids);
    if (err == 0)
        err = bind_socket(admin);
    if (err == 0)
        err = open_stores(admin);
    if (err == 0)
        err = start_daemon(admin);
    if (err < 0) {
        pst_admin_stop(admin);
        return err;
    }
    pst_info("admin", "REST on %s%s", prefix, admin->socket_path);
    *ret_admin = admin;
    return 0;
}

void pst_admin_stop(struct pst_admin *admin)
{
    if (admin == NULL)
        return;
    if (admin->daemon != NULL)
        MHD_stop_daemon(admin->daemon); /* closes the listener */
    else
        pst_fd_close(admin->listener);
    if (admin->bound)
        unlink(admin->socket_path);
    pst_usage_store_close(admin->usage);
    pst_keys_service_close(admin->keys);
    free(admin);
}
