/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving side: heads into the worker's scratch, bodies into the reader's buffer. */
#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One recv(2) that keeps the books: bytes, 0 at the end of the stream, -PST_EAGAIN, -PST_ERESET. A short read
 * on a stream socket means it is drained, so the next one waits for an edge; not once the container hung up:
 * then the end of the stream is still to be read, and no edge may come for it. */
static ssize_t receive(struct pst_upconn *conn, void *buf, size_t cap)
{
    ssize_t n;
    if (!conn->readable)
        return -PST_EAGAIN;
    do {
        n = recv(conn->watch.fd, buf, cap, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        conn->readable = false;
        return -PST_EAGAIN;
    }
    if (n < 0)
        return -PST_ERESET;
    if (n > 0) {
        conn->answer_bytes += (uint64_t)n;
        conn->last_progress_us = pst_loop_now_us(conn->pool->loop);
    }
    if ((size_t)n < cap && !conn->hung_up)
        conn->readable = false;
    return n;
}

bool receive_is_dirty(const struct pst_upconn *conn)
{
    char byte;
    ssize_t n;
    do {
        n = recv(conn->watch.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* Takes what came behind a head: as body, or, behind the body's end, as something that should not be there.
 * A chunked piece is decoded in place. */
static void take_rest(struct pst_upconn *conn, char *data, size_t len)
{
    const struct pst_answer *answer = pst_answer_head(conn->parser);
    size_t body = len;
    conn->body_left = answer->framing.length;
    if (answer->framing.kind == PST_BODY_CHUNKED) {
        ssize_t taken = pst_answer_feed_chunks(conn->parser, data, len, data, &body);
        if (taken < 0) {
            conn->err = (int)taken;
            conn->fault = pst_answer_fault(conn->parser);
            return;
        }
        conn->excess = (size_t)taken < len;
    } else if (answer->framing.kind != PST_BODY_UNTIL_CLOSE && len > conn->body_left) {
        conn->excess = true;
        body = (size_t)conn->body_left;
    }
    conn->in = (struct pst_str){data, body};
    conn->in_is_scratch = body > 0;
}

/* Moves what the consumer left of the scratch to the connection's own memory. */
static int keep_rest(struct pst_upconn *conn)
{
    if (!conn->in_is_scratch)
        return 0;
    conn->in_is_scratch = false;
    if (conn->rest_cap < conn->in.len) {
        size_t cap = conn->in.len < REST_KEEP ? REST_KEEP : conn->in.len;
        free(conn->rest);
        conn->rest = malloc(cap);
        conn->rest_cap = conn->rest != NULL ? cap : 0;
        if (conn->rest == NULL) {
            conn->err = -PST_ENOMEM;
            return -PST_ENOMEM;
        }
    }
    memcpy(conn->rest, conn->in.p, conn->in.len);
    conn->in.p = conn->rest;
    return 0;
}

static void head_is_complete(struct pst_upconn *conn, char *rest, size_t rest_len)
{
    uint64_t exchange = conn->exchange;
    take_rest(conn, rest, rest_len);
    bool no_body = pst_answer_state(conn->parser) == PST_ANSWER_DONE && conn->in.len == 0;
    upconn_move(conn, no_body ? PST_UPCONN_DONE : PST_UPCONN_BODY);
    conn->handlers->on_head(conn, conn->arg);
    if (upconn_is_still(conn, exchange))
        (void)keep_rest(conn); /* without memory the next read says so */
}

void receive_head(struct pst_upconn *conn)
{
    char *scratch = conn->pool->scratch;
    while (conn->state == PST_UPCONN_HEAD && conn->readable) {
        ssize_t n = receive(conn, scratch, SCRATCH_BYTES);
        if (n == -PST_EAGAIN)
            return;
        if (n <= 0) {
            upconn_fail(conn, -PST_ERESET,
                        n == 0 ? "closed before the answer's head was whole" : "connection reset");
            return;
        }
        ssize_t taken = pst_answer_feed_head(conn->parser, scratch, (size_t)n);
        if (taken < 0) {
            upconn_fail(conn, (int)taken, pst_answer_fault(conn->parser));
            return;
        }
        if (pst_answer_state(conn->parser) != PST_ANSWER_HEAD) {
            head_is_complete(conn, scratch + taken, (size_t)(n - taken));
            return;
        }
    }
}

static ssize_t broken(struct pst_upconn *conn, int err, const char *fault)
{
    upconn_fail(conn, err, fault);
    return err;
}

static ssize_t would_wait(struct pst_upconn *conn)
{
    conn->wants_read = true;
    return -PST_EAGAIN;
}

static ssize_t read_rest(struct pst_upconn *conn, void *buf, size_t cap)
{
    size_t n = conn->in.len < cap ? conn->in.len : cap;
    memcpy(buf, conn->in.p, n);
    conn->in = pst_str_skip(conn->in, n);
    if (conn->in.len == 0)
        conn->in_is_scratch = false;
    if (pst_answer_head(conn->parser)->framing.kind == PST_BODY_LENGTH)
        conn->body_left -= n;
    return (ssize_t)n;
}

static ssize_t read_length(struct pst_upconn *conn, void *buf, size_t cap)
{
    /* One byte more than is left, where there is room: the read is then short at the end of the body and
     * shows that the socket is drained, or it finds what should not be there. */
    size_t want = cap > conn->body_left ? (size_t)conn->body_left + 1 : cap;
    ssize_t n = receive(conn, buf, want);
    if (n == -PST_EAGAIN)
        return would_wait(conn);
    if (n <= 0)
        return broken(conn, -PST_ERESET, "closed in the middle of the body");
    if ((uint64_t)n > conn->body_left) {
        conn->excess = true;
        n = (ssize_t)conn->body_left;
    }
    conn->body_left -= (uint64_t)n;
    return n;
}

static ssize_t read_until_close(struct pst_upconn *conn, void *buf, size_t cap)
{
    ssize_t n = receive(conn, buf, cap);
    if (n == -PST_EAGAIN)
        return would_wait(conn);
    if (n < 0)
        return broken(conn, -PST_ERESET, "connection reset in the middle of the body");
    if (n == 0)
        upconn_move(conn, PST_UPCONN_DONE);
    return n;
}

static ssize_t read_chunked(struct pst_upconn *conn, char *buf, size_t cap)
{
    size_t body = 0;
    while (body == 0 && pst_answer_state(conn->parser) == PST_ANSWER_CHUNKS) {
        ssize_t n = receive(conn, buf, cap);
        if (n == -PST_EAGAIN)
            return would_wait(conn);
        if (n <= 0)
            return broken(conn, -PST_ERESET, "closed in the middle of a chunked body");
        ssize_t taken = pst_answer_feed_chunks(conn->parser, buf, (size_t)n, buf, &body);
        if (taken < 0)
            return broken(conn, (int)taken, pst_answer_fault(conn->parser));
        conn->excess = taken < n;
    }
    return (ssize_t)body;
}

/* Whether nothing of the body is left to be read; by the closing of the connection only read_until_close()
 * knows. */
static bool body_is_over(const struct pst_upconn *conn)
{
    const struct pst_answer *answer = pst_answer_head(conn->parser);
    if (conn->in.len > 0)
        return false;
    return answer->framing.kind == PST_BODY_CHUNKED  ? pst_answer_state(conn->parser) == PST_ANSWER_DONE
           : answer->framing.kind == PST_BODY_LENGTH ? conn->body_left == 0
                                                     : false;
}

ssize_t pst_upconn_read(struct pst_upconn *conn, void *buf, size_t cap)
{
    ssize_t n;
    if (conn->state == PST_UPCONN_DONE)
        return 0;
    if (conn->state == PST_UPCONN_BODY && conn->err < 0)
        upconn_fail(conn, conn->err, conn->fault);
    if (conn->state != PST_UPCONN_BODY || cap == 0)
        return conn->err < 0 ? conn->err : -PST_EINVAL;
    if (conn->in.len > 0)
        n = read_rest(conn, buf, cap);
    else if (pst_answer_head(conn->parser)->framing.kind == PST_BODY_LENGTH)
        n = read_length(conn, buf, cap);
    else if (pst_answer_head(conn->parser)->framing.kind == PST_BODY_CHUNKED)
        n = read_chunked(conn, buf, cap);
    else
        n = read_until_close(conn, buf, cap);
    if (conn->state == PST_UPCONN_BODY && body_is_over(conn))
        upconn_move(conn, PST_UPCONN_DONE);
    return n;
}

bool pst_upconn_body_buffered(struct pst_upconn *conn, struct pst_str *ret_all)
{
    if (conn->state == PST_UPCONN_DONE) {
        *ret_all = PST_STR("");
        return true;
    }
    if (conn->state != PST_UPCONN_BODY || conn->err < 0)
        return false;
    bool whole = pst_answer_head(conn->parser)->framing.kind == PST_BODY_CHUNKED
                     ? pst_answer_state(conn->parser) == PST_ANSWER_DONE
                     : pst_answer_head(conn->parser)->framing.kind == PST_BODY_LENGTH &&
                           conn->body_left == conn->in.len;
    if (!whole || keep_rest(conn) < 0)
        return false;
    *ret_all = conn->in;
    conn->in.len = 0;
    conn->body_left = 0;
    upconn_move(conn, PST_UPCONN_DONE);
    return true;
}
