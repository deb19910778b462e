/* SPDX-License-Identifier: Apache-2.0 */
#include "mhd_error.h"

#include "internal.h"
#include "postern/base/clock.h"

#include <string.h>
#include <time.h>

struct kind {
    unsigned status;
    const char *reason, *code, *message;
};

static const struct kind kinds[] = {
    {400, "Bad Request", "BadRequest", "The request is incomplete or is not valid HTTP/1.1."},
    {413, "Content Too Large", "BodyTooLarge", "The request body is too large."},
    {414, "URI Too Long", "TargetTooLong", "The request target is too long."},
    {431, "Request Header Fields Too Large", "HeadTooLarge", "The request's header fields are too large."},
    {501, "Not Implemented", "NotImplemented",
     "This transfer coding is not supported. Only \"chunked\" is supported."},
    {505, "HTTP Version Not Supported", "VersionNotSupported",
     "This version of HTTP is not supported; use HTTP/1.1."},
    {503, "Service Unavailable", "ShuttingDown", "The gateway is shutting down."},
    {500, "Internal Server Error", "InternalError", "The request could not be handled."},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct admin_connection *admin_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

void admin_mhd_error_note(struct admin_listener *listener, const char *text)
{
    const char *body = strstr(text, "<body>");
    if (strncmp(text, "Error processing request", 24) != 0 || body == NULL)
        return;
    struct pst_str reason = pst_str_of(body + strlen("<body>"));
    const char *end = strstr(reason.p, "</body>");
    if (end != NULL)
        reason.len = (size_t)(end - reason.p);
    pst_str_clip(reason, listener->complaint, sizeof(listener->complaint));
}

/* "HTTP/1.1 400 ..."; 0: it is no head. */
static unsigned status_of(struct pst_str data)
{
    if (data.len < 12 || memcmp(data.p, "HTTP/1.", 7) != 0)
        return 0;
    return (unsigned)(data.p[9] - '0') * 100 + (unsigned)(data.p[10] - '0') * 10 +
           (unsigned)(data.p[11] - '0');
}

static const struct kind *kind_of(const struct admin_connection *c, struct pst_str data)
{
    unsigned status = data.len > 0 ? status_of(data) : 400;
    if (data.len == 0 && atomic_load(&c->listener->admin->stopping))
        status = 503;
    else if (c->too_large)
        status = 413;
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kinds[i].status == status)
            return &kinds[i];
    }
    return status < 500 ? &kinds[0] : &kinds[N_KINDS - 1];
}

static void add_body(const struct admin_connection *c, const struct kind *kind, const char *id,
                     struct pst_buf *out)
{
    const char *complaint = c->listener->complaint;
    pst_buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":\"", kind->code);
    pst_buf_add_json(out, pst_str_of(kind->message));
    /* The sentence that says what was malformed, unless it has markup in it. */
    if (kind->status == 400 && complaint[0] != '\0' && strpbrk(complaint, "<>&") == NULL) {
        pst_buf_add_cstr(out, " ");
        pst_buf_add_json(out, pst_str_of(complaint));
    }
    pst_buf_printf(out, "\",\"request_id\":\"%s\"}}", id);
}

static void add_head(const struct kind *kind, const char *id, size_t len, struct pst_buf *out)
{
    char date[40];
    struct tm tm;
    time_t now = (time_t)(pst_clock_real_us() / 1000000);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    pst_buf_printf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\nX-Request-Id: %s\r\n", kind->status, kind->reason,
                   date, id);
    for (size_t i = 0; admin_rest_headers[i].name != NULL; i++)
        pst_buf_printf(out, "%s: %s\r\n", admin_rest_headers[i].name, admin_rest_headers[i].value);
    pst_buf_printf(out,
                   "Content-Type: application/json; charset=utf-8\r\nContent-Length: %zu\r\n"
                   "Connection: close\r\n\r\n",
                   len);
}

static void name_it(const struct admin_connection *c, char id[static PST_REQUEST_ID_SIZE])
{
    static const struct pst_fields none;
    struct pst_admin *admin = c->listener->admin;
    id[0] = '\0';
    if (c->request != NULL)
        pst_str_clip(pst_str_of(c->request->request_id), id, PST_REQUEST_ID_SIZE);
    if (id[0] != '\0')
        return;
    pthread_mutex_lock(&admin->lock);
    (void)pst_request_id_take(&admin->ids, &none, id);
    pthread_mutex_unlock(&admin->lock);
}

void admin_mhd_error_replace(void *connection, struct pst_str data, struct pst_buf *ret_own)
{
    struct admin_connection *c = admin_connection_of(connection);
    if (c == NULL || c->answering || status_of(data) / 100 == 1)
        return;
    const struct kind *kind = kind_of(c, data);
    const char *method = c->request != NULL ? c->request->method : NULL;
    char id[PST_REQUEST_ID_SIZE];
    struct pst_buf body;
    pst_buf_init(&body, 4096);
    name_it(c, id);
    add_body(c, kind, id, &body);
    add_head(kind, id, pst_buf_len(&body), ret_own);
    if (method == NULL || strcmp(method, "HEAD") != 0)
        pst_buf_add_str(ret_own, pst_buf_str(&body));
    pst_buf_done(&body);
    c->listener->complaint[0] = '\0';
}
