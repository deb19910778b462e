/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include "postern/base/fd.h"

#include "routes.h"

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEADER_NAME_MAX  32
#define CONTENT_TYPE_MAX 256
/* A body that a route left unread is read off to keep the connection, up to here. */
#define DRAIN_BYTES_MAX (1024 * 1024)
#define HEAD_BYTES_MAX  (64 * 1024)

struct demo_conn {
    int fd;
    int stop_fd;
    llhttp_t parser;
    llhttp_settings_t settings;
    char in[DEMO_READ_BYTES];
    size_t in_start;
    size_t in_end;
    /* The request. */
    struct pst_buf target;
    char name[HEADER_NAME_MAX]; /* of the header being read; long ones are cut and match nothing */
    size_t name_len;
    struct pst_buf content_type;
    bool expects_continue;
    bool head_done;
    bool message_done;
    size_t head_bytes;
    struct pst_buf body; /* what the last read decoded to */
    /* The answer. */
    bool chunked;
    bool close;
};

static struct demo_conn *conn_of(llhttp_t *parser)
{
    return parser->data;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    return pst_buf_add(&conn_of(parser)->target, at, len) < 0 ? HPE_USER : HPE_OK;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct demo_conn *conn = conn_of(parser);
    for (size_t i = 0; i < len && conn->name_len < HEADER_NAME_MAX; i++)
        conn->name[conn->name_len++] = at[i];
    return HPE_OK;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct demo_conn *conn = conn_of(parser);
    struct pst_str name = {conn->name, conn->name_len};
    if (pst_str_ieq(name, PST_STR("content-type")))
        return pst_buf_add(&conn->content_type, at, len) < 0 ? HPE_USER : HPE_OK;
    if (pst_str_ieq(name, PST_STR("expect")) &&
        pst_str_ieq((struct pst_str){at, len}, PST_STR("100-continue")))
        conn->expects_continue = true;
    return HPE_OK;
}

static int on_header_value_complete(llhttp_t *parser)
{
    conn_of(parser)->name_len = 0;
    return HPE_OK;
}

static int on_headers_complete(llhttp_t *parser)
{
    conn_of(parser)->head_done = true;
    return HPE_OK;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    return pst_buf_add(&conn_of(parser)->body, at, len) < 0 ? HPE_USER : HPE_OK;
}

static int on_message_complete(llhttp_t *parser)
{
    struct demo_conn *conn = conn_of(parser);
    conn->message_done = true;
    conn->close = conn->close || !llhttp_should_keep_alive(parser);
    return HPE_PAUSED; /* the next request waits for its turn */
}

/* Waits for bytes: 0, -PST_ECLOSED (the container stops, or nothing came in time). */
static int wait_readable(struct demo_conn *conn, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = conn->fd, .events = POLLIN}, {.fd = conn->stop_fd, .events = POLLIN}};
    int n;
    do
        n = poll(fds, 2, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n <= 0 || fds[1].revents ? -PST_ECLOSED : 0;
}

/* Reads and parses once. 0, -PST_ECLOSED, -PST_ERESET, -PST_EPROTO. */
static int feed(struct demo_conn *conn)
{
    if (conn->in_start == conn->in_end) {
        if (wait_readable(conn, 120 * 1000) < 0)
            return -PST_ECLOSED;
        ssize_t n = recv(conn->fd, conn->in, sizeof conn->in, 0);
        if (n < 0)
            return errno == EINTR ? 0 : -PST_ERESET;
        if (n == 0)
            return -PST_ECLOSED;
        conn->in_start = 0;
        conn->in_end = (size_t)n;
    }
    const char *from = conn->in + conn->in_start;
    size_t len = conn->in_end - conn->in_start;
    enum llhttp_errno r = llhttp_execute(&conn->parser, from, len);
    if (r == HPE_OK) {
        conn->in_start = conn->in_end;
        return 0;
    }
    if (r != HPE_PAUSED && r != HPE_PAUSED_UPGRADE)
        return -PST_EPROTO;
    conn->in_start += (size_t)(llhttp_get_error_pos(&conn->parser) - from);
    if (r == HPE_PAUSED_UPGRADE) {
        llhttp_resume_after_upgrade(&conn->parser);
        conn->close = true; /* nothing here can be upgraded */
    } else {
        llhttp_resume(&conn->parser);
    }
    return 0;
}

static int send_all(struct demo_conn *conn, struct iovec *iov, int n_iov)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n_iov};
    while (msg.msg_iovlen) {
        ssize_t n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            conn->close = true;
            return -PST_ERESET;
        }
        size_t sent = (size_t)n;
        while (msg.msg_iovlen && sent >= msg.msg_iov->iov_len) {
            sent -= msg.msg_iov->iov_len;
            msg.msg_iov++;
            msg.msg_iovlen--;
        }
        if (msg.msg_iovlen) {
            msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + sent;
            msg.msg_iov->iov_len -= sent;
        }
    }
    return 0;
}

static int send_two(struct demo_conn *conn, struct pst_str a, struct pst_str b)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)a.p, a.len}, {(void *)(uintptr_t)b.p, b.len}};
    return send_all(conn, iov, b.len ? 2 : 1);
}

int demo_conn_read_body(struct demo_conn *conn, struct pst_str *ret_piece)
{
    if (conn->expects_continue && !conn->message_done && pst_buf_len(&conn->body) == 0) {
        conn->expects_continue = false;
        int r = send_two(conn, PST_STR("HTTP/1.1 100 Continue\r\n\r\n"), PST_STR(""));
        if (r < 0)
            return r;
    }
    /* The head's read may have brought the first piece along; it is still in `body` then. */
    while (pst_buf_len(&conn->body) == 0 && !conn->message_done) {
        int r = feed(conn);
        if (r < 0) {
            conn->close = true;
            return r == -PST_ECLOSED ? -PST_ERESET : r;
        }
    }
    *ret_piece = pst_buf_str(&conn->body);
    size_t len = ret_piece->len;
    conn->body.start = conn->body.end = 0; /* the bytes stay where they are until the next read */
    return (int)len;
}

int demo_conn_read_all(struct demo_conn *conn, struct pst_buf *body)
{
    struct pst_str piece;
    int n;
    while ((n = demo_conn_read_body(conn, &piece)) > 0) {
        int r = pst_buf_add_str(body, piece);
        if (r < 0)
            return r;
    }
    return n;
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    default:
        return "Internal Server Error";
    }
}

static void put_head(struct demo_conn *conn, struct pst_buf *head, int status, struct pst_str content_type)
{
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    pst_buf_printf(head, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: postern-demo\r\nContent-Type: ", status,
                   reason(status), date);
    pst_buf_add_str(head, content_type);
    pst_buf_add_cstr(head, conn->close ? "\r\nConnection: close\r\n" : "\r\n");
}

/* After the route: can another request follow? A long body that nobody read says no. */
static void settle(struct demo_conn *conn)
{
    size_t drained = 0;
    if (conn->expects_continue)
        conn->close = true; /* the body may never come */
    while (!conn->close && !conn->message_done) {
        struct pst_str piece;
        int n = demo_conn_read_body(conn, &piece);
        if (n < 0 || (drained += (size_t)n) > DRAIN_BYTES_MAX)
            conn->close = true;
    }
}

static void reply(struct demo_conn *conn, int status, const char *extra, const char *content_type,
                  struct pst_str body)
{
    if (!conn->message_done && conn->expects_continue)
        conn->close = true;
    struct pst_buf head;
    pst_buf_init(&head, 8192);
    put_head(conn, &head, status, pst_str_of(content_type));
    pst_buf_printf(&head, "%sContent-Length: %zu\r\n\r\n", extra, body.len);
    bool without_body = conn->parser.method == HTTP_HEAD;
    if (pst_buf_failed(&head))
        conn->close = true;
    else
        (void)send_two(conn, pst_buf_str(&head), without_body ? PST_STR("") : body);
    pst_buf_done(&head);
}

void demo_conn_reply(struct demo_conn *conn, int status, const char *content_type, struct pst_str body)
{
    reply(conn, status, "", content_type, body);
}

static void reply_error(struct demo_conn *conn, int status, const char *extra, const char *code,
                        const char *message)
{
    char body[512];
    int len = snprintf(body, sizeof body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
    reply(conn, status, extra, "application/json; charset=utf-8", (struct pst_str){body, (size_t)len});
}

void demo_conn_error(struct demo_conn *conn, int status, const char *code, const char *message)
{
    reply_error(conn, status, "", code, message);
}

void demo_conn_not_allowed(struct demo_conn *conn, const char *allow)
{
    char extra[128];
    snprintf(extra, sizeof extra, "Allow: %s\r\n", allow);
    reply_error(conn, 405, extra, "MethodNotAllowed", "The method is not allowed for this resource.");
}

int demo_conn_begin(struct demo_conn *conn, int status, struct pst_str content_type)
{
    conn->chunked = conn->parser.http_major == 1 && conn->parser.http_minor >= 1;
    if (!conn->chunked)
        conn->close = true;
    struct pst_buf head;
    pst_buf_init(&head, 8192);
    put_head(conn, &head, status, content_type);
    pst_buf_add_cstr(&head, conn->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
    int r = pst_buf_failed(&head) ? -PST_ENOMEM : send_two(conn, pst_buf_str(&head), PST_STR(""));
    pst_buf_done(&head);
    if (r == 0 && conn->parser.method == HTTP_HEAD)
        return -PST_ECLOSED; /* the head was all */
    return r;
}

int demo_conn_piece(struct demo_conn *conn, struct pst_str piece)
{
    if (piece.len == 0)
        return 0;
    if (!conn->chunked)
        return send_two(conn, piece, PST_STR(""));
    char size[24];
    int len = snprintf(size, sizeof size, "%zx\r\n", piece.len);
    struct iovec iov[3] = {
        {size, (size_t)len}, {(void *)(uintptr_t)piece.p, piece.len}, {(char[]){"\r\n"}, 2}};
    return send_all(conn, iov, 3);
}

int demo_conn_end(struct demo_conn *conn)
{
    return conn->chunked ? send_two(conn, PST_STR("0\r\n\r\n"), PST_STR("")) : 0;
}

int demo_conn_sleep(struct demo_conn *conn, unsigned delay_ms)
{
    struct pollfd fds[2] = {{.fd = conn->fd, .events = POLLRDHUP}, {.fd = conn->stop_fd, .events = POLLIN}};
    int n = poll(fds, 2, (int)delay_ms);
    if (n > 0) {
        conn->close = true;
        return -PST_ECLOSED;
    }
    return 0;
}

static void begin_request(struct demo_conn *conn)
{
    pst_buf_reset(&conn->target);
    pst_buf_reset(&conn->content_type);
    conn->body.start = conn->body.end = 0;
    conn->name_len = 0;
    conn->expects_continue = false;
    conn->head_done = false;
    conn->message_done = false;
    conn->head_bytes = 0;
}

/* Reads one head: 0, or negative when the connection is at its end. */
static int read_head(struct demo_conn *conn)
{
    begin_request(conn);
    while (!conn->head_done) {
        size_t before = conn->in_end - conn->in_start;
        int r = feed(conn);
        conn->head_bytes += before ? before : conn->in_end;
        if (r == -PST_EPROTO || conn->head_bytes > HEAD_BYTES_MAX) {
            conn->close = true;
            demo_conn_error(conn, 400, "BadRequest", "The request could not be read.");
            return -PST_EPROTO;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static void serve_one(struct demo_conn *conn)
{
    struct demo_request request = {
        .method = pst_str_of(llhttp_method_name((llhttp_method_t)conn->parser.method)),
        .content_type = pst_buf_str(&conn->content_type),
    };
    request.path = pst_str_cut(pst_buf_str(&conn->target), '?', &request.query);
    demo_route(conn, &request);
    settle(conn);
}

static void conn_init(struct demo_conn *conn, int fd, int stop_fd)
{
    conn->fd = fd;
    conn->stop_fd = stop_fd;
    conn->in_start = conn->in_end = 0;
    conn->close = false;
    conn->chunked = false;
    pst_buf_init(&conn->target, DEMO_TARGET_MAX);
    pst_buf_init(&conn->content_type, CONTENT_TYPE_MAX);
    pst_buf_init(&conn->body, DEMO_READ_BYTES);
    llhttp_settings_init(&conn->settings);
    conn->settings.on_url = on_url;
    conn->settings.on_header_field = on_header_field;
    conn->settings.on_header_value = on_header_value;
    conn->settings.on_header_value_complete = on_header_value_complete;
    conn->settings.on_headers_complete = on_headers_complete;
    conn->settings.on_body = on_body;
    conn->settings.on_message_complete = on_message_complete;
    llhttp_init(&conn->parser, HTTP_REQUEST, &conn->settings);
    conn->parser.data = conn;
}

void demo_conn_serve(int fd, int stop_fd)
{
    struct demo_conn conn;
    conn_init(&conn, fd, stop_fd);
    while (!conn.close && read_head(&conn) == 0)
        serve_one(&conn);
    pst_buf_done(&conn.target);
    pst_buf_done(&conn.content_type);
    pst_buf_done(&conn.body);
}
