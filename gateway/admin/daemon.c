/* SPDX-License-Identifier: Apache-2.0 */
/* The daemons with their threads, and the frame around every request: its body, its answer. */
#include "assets.h"
#include "certificate.h"
#include "internal.h"
#include "mhd_error.h"
#include "postern/base/clock.h"
#include "postern/base/fd.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/base/thread.h"
#include "postern/db/data_dir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BODY_MAX_BYTES  (64 * 1024)
#define CONNECTIONS_MAX 64u
/* What libmicrohttpd allows: the acceptor may count those it handed over a moment late. */
#define CONNECTIONS_HARD_MAX (2 * CONNECTIONS_MAX)
/* So much more of a body that is too large is read past, for its 413 to be seen. */
#define DROPPED_MAX_BYTES ((size_t)1024 * 1024)
/* Whoever has shown no token yet may not hold one of the few connections for long by saying nothing. */
#define SILENT_S 5u
#define IDLE_S   30u
/* A connection's head and the fields of its answer; libmicrohttpd answers 431 beyond it. */
#define HEAD_MAX_BYTES ((size_t)32 * 1024)

bool pst_admin_wanted(const struct pst_settings *settings)
{
    return settings->n_admin_listen != 1 || strcmp(settings->admin_listen[0], "off") != 0;
}

/* Requests */

static struct admin_request *request_new(const struct admin_listener *listener,
                                         struct MHD_Connection *connection)
{
    struct admin_request *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->admin = listener->admin;
    r->listener = listener;
    r->connection = connection;
    r->file = -1;
    pst_list_init(&r->waiting);
    pst_buf_init(&r->body, BODY_MAX_BYTES);
    return r;
}

static void name_request(struct admin_request *r)
{
    static const struct pst_fields none;
    struct pst_str given =
        pst_str_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "X-Request-Id"));
    if (pst_request_id_is_valid(given))
        pst_str_clip(given, r->request_id, sizeof(r->request_id));
    if (given.len == 0 || r->request_id[0] == '\0') {
        pthread_mutex_lock(&r->admin->lock);
        (void)pst_request_id_take(&r->admin->ids, &none, r->request_id);
        pthread_mutex_unlock(&r->admin->lock);
    }
}

static void request_free(struct admin_request *r)
{
    if (r == NULL)
        return;
    pst_buf_wipe(&r->body);
    pst_buf_done(&r->text);
    json_decref(r->input);
    json_decref(r->output);
    pst_fd_close(r->file);
    admin_usage_done(r);
    free(r);
}

/* A browser notes it for a name and all of its ports: not for localhost, where other things live. */
static void add_transport_security(const struct admin_request *r, struct MHD_Response *response)
{
    const char *host = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Host");
    if (host != NULL && !pst_str_istarts(pst_str_of(host), PST_STR("localhost")))
        MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
}

#define N_SHARED 3 /* of these, with the page's files */
const struct admin_header admin_rest_headers[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    /* A browser that is led to a response of REST shows it, and nothing else. */
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cache-Control", "no-store"},
    {NULL, NULL},
};

static void add_headers(const struct admin_request *r, struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", r->request_id);
    for (size_t i = 0; admin_rest_headers[i].name != NULL && (r->asset == NULL || i < N_SHARED); i++)
        MHD_add_response_header(response, admin_rest_headers[i].name, admin_rest_headers[i].value);
    if (r->asset != NULL)
        admin_asset_headers(r->asset, response);
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
    if (r->cookie[0] != '\0')
        MHD_add_response_header(response, "Set-Cookie", r->cookie);
    if (r->unauthorized)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"postern admin\"");
    if (r->retry_after_s > 0) {
        char text[16];
        snprintf(text, sizeof(text), "%u", r->retry_after_s);
        MHD_add_response_header(response, "Retry-After", text);
    }
    if (r->listener->tls != NULL)
        add_transport_security(r, response);
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
    struct pst_str text = pst_buf_str(&r->text);
    struct MHD_Response *response =
        r->file >= 0                                ? file_response(r)
        : text.len > 0 && !pst_buf_failed(&r->text) ? MHD_create_response_from_buffer_copy(text.len, text.p)
        : r->literal.len > 0 ? MHD_create_response_from_buffer_static(r->literal.len, r->literal.p)
                             : text_response(r);
    if (response == NULL)
        return MHD_NO; /* no memory for an answer: the connection closes */
    add_headers(r, response);
    struct admin_connection *c = admin_connection_of(r->connection);
    if (c != NULL)
        c->answering = true;
    enum MHD_Result queued = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Once on each daemon's thread: a worker with the same CPU goes before any question asked here. */
static void step_back(void)
{
    static _Thread_local bool done;
    if (!done)
        pst_thread_step_back();
    done = true;
}

/* The caller is one who may be here. */
static void allow_idle(struct admin_request *r)
{
    (void)MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_S);
}

static void fail_too_large(struct admin_request *r)
{
    admin_fail(r, 413, "BodyTooLarge", "The request body is too large; at most %d bytes are accepted.",
               BODY_MAX_BYTES);
}

/* The head is there. What is wrong already is answered before a body is read. */
static enum MHD_Result on_head(struct admin_listener *listener, struct admin_request *r, const char *path)
{
    step_back();
    name_request(r);
    admin_certificates_refresh(listener);
    uint64_t length = 0;
    const char *text = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");
    pthread_mutex_lock(&r->admin->lock);
    admin_admit(r, path);
    pthread_mutex_unlock(&r->admin->lock);
    if (r->status == 0 && r->route != NULL && r->route->needs != ADMIN_NEEDS_NOTHING)
        allow_idle(r);
    if (r->status == 0 && text != NULL &&
        (pst_num_u64(pst_str_of(text), &length) < 0 || length > BODY_MAX_BYTES))
        fail_too_large(r);
    return r->status != 0 && admin_failed(r) ? answer(r) : MHD_YES;
}

static enum MHD_Result on_body(struct admin_request *r, const char *data, size_t size)
{
    if (r->status == 0 && pst_buf_add(&r->body, data, size) == 0)
        return MHD_YES;
    if (r->status == 0)
        fail_too_large(r);
    r->dropped += size;
    if (r->dropped <= DROPPED_MAX_BYTES)
        return MHD_YES;
    struct admin_connection *c = admin_connection_of(r->connection);
    if (c != NULL)
        c->too_large = true;
    return MHD_NO;
}

/* The target as it came, before libmicrohttpd decodes it in place. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct admin_request *r = request_new(arg, connection);
    struct admin_connection *c = admin_connection_of(connection);
    if (r != NULL)
        r->target_is_plain = admin_target_is_plain(target);
    if (c != NULL)
        c->request = r;
    return r;
}

static enum MHD_Result on_call(void *arg, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data, size_t *size,
                               void **request_arg)
{
    (void)connection, (void)version;
    struct admin_request *r = *request_arg;
    if (r == NULL)
        return MHD_NO;
    if (r->method == NULL) {
        r->method = method;
        return on_head(arg, r, url);
    }
    if (*size > 0) {
        size_t given = *size;
        *size = 0;
        return on_body(r, data, given);
    }
    if (r->status == 0)
        admin_read(r);
    if (r->status == 0 && (r->route->what & ADMIN_READS_USAGE) != 0 &&
        admin_readers_ask(&r->admin->readers, r))
        return MHD_YES; /* we are called again, and then it has a status */
    if (r->status == 0) {
        pthread_mutex_lock(&r->admin->lock);
        admin_handle(r);
        pthread_mutex_unlock(&r->admin->lock);
    }
    return answer(r);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request_arg,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)code;
    struct admin_connection *c = admin_connection_of(connection);
    if (c != NULL) {
        c->request = NULL;
        c->answering = false;
    }
    request_free(*request_arg);
    *request_arg = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct admin_connection *c = calloc(1, sizeof(*c));
        if (c != NULL)
            c->listener = arg;
        *socket_context = c;
        admin_certificates_refresh(arg);
    } else {
        free(*socket_context);
        *socket_context = NULL;
    }
}

/* Start and stop */

static void log_mhd(void *arg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void log_mhd(void *arg, const char *fmt, va_list args)
{
    struct admin_listener *listener = arg;
    char text[1024];
    vsnprintf(text, sizeof(text), fmt, args);
    admin_mhd_error_note(listener, text);
    text[strcspn(text, "\n")] = '\0';
    pst_debug("admin", "%s: %s", listener->text, text);
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

static int start_daemon(struct admin_listener *listener)
{
    /* A Unix socket is one for libmicrohttpd, too: all it writes goes through the seam. */
    const unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET;
    listener->service = (struct pst_seam_service){.tls = listener->tls, .replace = admin_mhd_error_replace};
    pst_seam_serve(&listener->service);
    /* The two MEM options must be there for a TLS daemon; the seam does not look at them. */
    static char nothing[] = "";
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, nothing},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, nothing},
                                   {MHD_OPTION_END, 0, NULL}};
    listener->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_call, listener,                 //
                                        MHD_OPTION_ARRAY, tls,                                   //
                                        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_HARD_MAX,       //
                                        MHD_OPTION_CONNECTION_TIMEOUT, SILENT_S,                 //
                                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_MAX_BYTES,      //
                                        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,                     //
                                        MHD_OPTION_EXTERNAL_LOGGER, log_mhd, listener,           //
                                        MHD_OPTION_URI_LOG_CALLBACK, on_target, listener,        //
                                        MHD_OPTION_NOTIFY_COMPLETED, on_completed, (void *)NULL, //
                                        MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,   //
                                        MHD_OPTION_END);
    int err = listener->daemon != NULL ? admin_acceptor_start(&listener->acceptor, listener->daemon,
                                                              listener->fd, CONNECTIONS_MAX, listener->text)
                                       : -PST_EIO;
    if (err < 0)
        pst_error("admin", "libmicrohttpd did not start for %s", listener->text);
    return err;
}

static int make_tls(const struct pst_admin *admin, struct admin_listener *listener)
{
    const struct pst_settings *s = admin->parts.settings;
    enum pst_tls_profile profile =
        s->tls_profile == PST_PROFILE_MODERN ? PST_TLS_MODERN : PST_TLS_INTERMEDIATE;
    int err = pst_tls_context_new(profile, admin->parts.material, &listener->tls);
    return err == 0 ? admin_certificates_ask(listener) : err;
}

static int listen_at(struct pst_admin *admin, const char *item)
{
    struct admin_listener *listener = &admin->listeners[admin->n_listeners];
    if (admin->n_listeners == ADMIN_LISTENERS_MAX) {
        pst_error("admin", "admin_listen has more than %d items", ADMIN_LISTENERS_MAX);
        return -PST_EINVAL;
    }
    listener->admin = admin;
    admin->n_listeners++;
    int err = admin_listener_bind(listener, item);
    if (err == 0 && listener->socket_path[0] == '\0')
        err = make_tls(admin, listener);
    return err;
}

/* Somebody must be able to sign in at all. */
static void log_first_token(const char *data_dir)
{
    char path[PATH_MAX];
    if (pst_data_dir_file(data_dir, PST_ADMIN_TOKEN_FILE, path, sizeof(path)) == 0)
        pst_info("admin", "the first admin token is in %s", path);
}

static int make_first_token(struct pst_admin *admin)
{
    const char *data_dir = admin->parts.settings->data_dir;
    struct pst_why why = {0};
    int made = pst_admin_token_first(admin->keys, data_dir, &why);
    if (made < 0)
        pst_error("admin", "%s", why.text);
    else if (made > 0)
        log_first_token(data_dir);
    return made < 0 ? made : 0;
}

static int start_all(struct pst_admin *admin)
{
    bool tokens = false;
    int err = admin_certificates_open(admin);
    for (size_t i = 0; err == 0 && i < admin->parts.settings->n_admin_listen; i++)
        err = listen_at(admin, admin->parts.settings->admin_listen[i]);
    if (err == 0)
        err = open_stores(admin);
    for (size_t i = 0; i < admin->n_listeners; i++)
        tokens = tokens || admin->listeners[i].tls != NULL;
    if (err == 0 && tokens)
        err = make_first_token(admin);
    if (err == 0)
        err = admin_readers_start(&admin->readers, admin->parts.settings->data_dir);
    for (size_t i = 0; err == 0 && i < admin->n_listeners; i++)
        err = start_daemon(&admin->listeners[i]);
    return err;
}

int pst_admin_start(const struct pst_admin_parts *parts, struct pst_admin **ret_admin)
{
    struct pst_admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL)
        return -PST_ENOMEM;
    admin->parts = *parts;
    admin->started_us = pst_clock_real_us();
    pthread_mutex_init(&admin->lock, NULL);
    admin_readers_init(&admin->readers);
    int err = pst_request_ids_init(&admin->ids);
    if (err == 0)
        err = start_all(admin);
    if (err < 0) {
        pst_admin_stop(admin);
        return err;
    }
    for (size_t i = 0; i < admin->n_listeners; i++)
        pst_info("admin", "admin side on %s%s", admin->listeners[i].tls != NULL ? "https://" : "",
                 admin->listeners[i].text);
    *ret_admin = admin;
    return 0;
}

void pst_admin_stop(struct pst_admin *admin)
{
    if (admin == NULL)
        return;
    atomic_store(&admin->stopping, true);
    admin_readers_stop(&admin->readers);
    for (size_t i = 0; i < admin->n_listeners; i++)
        admin_listener_close(&admin->listeners[i]);
    pst_usage_store_close(admin->usage);
    pst_keys_service_close(admin->keys);
    admin_certificates_close(admin);
    admin_readers_done(&admin->readers);
    pthread_mutex_destroy(&admin->lock);
    explicit_bzero(&admin->sessions, sizeof(admin->sessions));
    free(admin);
}
