/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 exchange on a connection that a lease lends (pool.h). Owned by the worker's loop thread; the
 * pointer is good until the lease ends (give_back or discard).
 *
 *     CONNECTING ──▶ LEASED ──start──▶ HEAD ──final head──▶ BODY ──end──▶ DONE
 *                    ▲    │              │ └───── no body ─────────────────▶│
 *              lease │    │ give_back    ▼                   ▼             │ give_back, when reusable
 *                    │    ▼            FAILED ◀──────────────┘             │
 *                     IDLE ◀───────────────────────────────────────────────┘
 *     every state ──▶ CLOSED: discard, give_back of what is not reusable; IDLE also by its limit, data or EOF
 *
 * Sending and receiving do not wait for each other: the answer may come before the request is sent whole.
 * Callbacks come from the loop only, never from inside one of the functions below; any function, discard
 * included, may be called inside a callback, and none comes after the lease ended. */
#ifndef POSTERN_UPSTREAM_CONN_H
#define POSTERN_UPSTREAM_CONN_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/http/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pst_upconn;

enum pst_upconn_state {
    PST_UPCONN_CONNECTING,
    PST_UPCONN_IDLE,
    PST_UPCONN_LEASED,
    PST_UPCONN_HEAD,
    PST_UPCONN_BODY,
    PST_UPCONN_DONE,
    PST_UPCONN_FAILED,
    PST_UPCONN_CLOSED,
    PST_UPCONN_STATE_MAX
};

struct pst_upconn_handlers {
    /* After a send took less than it was given: it will take more now. */
    void (*on_writable)(struct pst_upconn *conn, void *arg);
    /* The final head is there (pst_upconn_head), once. The request may not be sent whole yet: stop sending or
     * go on, but the connection is not reusable unless all of it is sent. */
    void (*on_head)(struct pst_upconn *conn, void *arg);
    /* After a read said -PST_EAGAIN: bytes, the end, or an error may be read now. */
    void (*on_body)(struct pst_upconn *conn, void *arg);
    /* Failed before its head, once: -PST_ERESET (closed or broken), -PST_EPROTO (rubbish; pst_upconn_fault),
     * -PST_ELIMIT (head too large), -PST_ENOMEM. Later failures are told by pst_upconn_read(). */
    void (*on_fail)(struct pst_upconn *conn, int err, void *arg);
};

/* Starts the exchange; `handlers` must outlive it. `flags`: enum pst_answer_flags. Once per lease. */
void pst_upconn_start(struct pst_upconn *conn, const struct pst_upconn_handlers *handlers, void *arg,
                      unsigned flags);

/* Sends; returns how many bytes were taken. Fewer than given (0 too): the socket is full, on_writable will
 * come. -PST_ECLOSED: the container reads no more; stop sending, on_head (an early answer) or on_fail will
 * come, or has come. Before pst_upconn_start() and after the end nothing may be sent. */
ssize_t pst_upconn_send(struct pst_upconn *conn, const void *data, size_t len) PST_MUSTCHECK;
/* Head and first piece of body in one system call; counts over both. */
ssize_t pst_upconn_send2(struct pst_upconn *conn, struct pst_str head, struct pst_str body) PST_MUSTCHECK;
/* All of the request has been taken by the sends above. Without it the connection is not reusable. */
void pst_upconn_request_done(struct pst_upconn *conn);

/* The answer's head; NULL before on_head. Lives until the lease ends. */
const struct pst_answer *pst_upconn_head(const struct pst_upconn *conn);

/* Reads body, decoded, into `buf` (cap > 0): bytes, 0 at its end, -PST_EAGAIN (on_body will come),
 * -PST_ERESET (closed or broken in the middle: the answer is not whole), -PST_EPROTO (a bad chunk),
 * -PST_ELIMIT. The last three stay. With a length it is received straight into `buf`. */
ssize_t pst_upconn_read(struct pst_upconn *conn, void *buf, size_t cap) PST_MUSTCHECK;
/* Whether all that is left of the body has arrived already; then it is taken whole, as one slice that lives
 * until the lease ends (empty when the answer has no body), and the exchange is at its end. */
bool pst_upconn_body_buffered(struct pst_upconn *conn, struct pst_str *ret_all);
/* An upgraded connection only: no more will be sent (half-close). */
void pst_upconn_shutdown(struct pst_upconn *conn);

/* Request sent whole, answer read whole, and both sides may go on. */
bool pst_upconn_reusable(const struct pst_upconn *conn);
enum pst_upconn_state pst_upconn_state(const struct pst_upconn *conn);
/* It served an exchange before this one: if it dies with answer_bytes 0 it was stale, and the request may be
 * repeated on a fresh one (when it may be repeated at all). */
bool pst_upconn_reused(const struct pst_upconn *conn);
/* Bytes of this exchange, as on the wire, interim answers included. */
uint64_t pst_upconn_answer_bytes(const struct pst_upconn *conn);
uint64_t pst_upconn_request_bytes(const struct pst_upconn *conn);
/* When bytes last went either way, on the loop's clock; at first, when the exchange started. */
uint64_t pst_upconn_last_progress_us(const struct pst_upconn *conn);
/* What was wrong with the answer, in a few words; "" when nothing was. Static text. */
const char *pst_upconn_fault(const struct pst_upconn *conn);
/* At which byte of the response, counted from 1; 0: nowhere in particular. */
uint64_t pst_upconn_fault_at(const struct pst_upconn *conn);

#endif
