/* SPDX-License-Identifier: Apache-2.0 */
/* The container's answers, read by llhttp with every lenient flag off, and looked at again by our own rules:
 * HTTP/1.0 or 1.1 only, Content-Length beside Transfer-Encoding, two lengths, codings other than chunked,
 * and Transfer-Encoding in HTTP/1.0 are rubbish (RFC 9112 section 6).
 *
 *     HEAD ──(1xx: skipped, at most PST_ANSWER_INTERIM_MAX)──▶ HEAD
 *      │ final head
 *      ├─ none, length 0 ─────────────────────────────▶ DONE
 *      ├─ length n, until close ──▶ RAW    (the parser steps aside: the connection counts the bytes itself)
 *      └─ chunked ────────────────▶ CHUNKS ─(last chunk, trailers skipped)─▶ DONE
 *     any ──(rubbish)──▶ FAULT
 *
 * One parser per connection, used again for each answer. Not shared between threads. */
#ifndef POSTERN_HTTP_ANSWER_H
#define POSTERN_HTTP_ANSWER_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/http/field.h"
#include "postern/http/framing.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* An answer's head, all of it, at most; the same bound holds for what a chunked body may carry that is not
 * body (chunk extensions, trailers) between two bytes of body. */
#define PST_ANSWER_HEAD_MAX    (64 * 1024)
#define PST_ANSWER_FIELDS_MAX  1024
#define PST_ANSWER_INTERIM_MAX 16

enum pst_answer_state {
    PST_ANSWER_HEAD,
    PST_ANSWER_RAW,
    PST_ANSWER_CHUNKS,
    PST_ANSWER_DONE,
    PST_ANSWER_FAULT
};

/* What a head said. Slices point into the parser and live until its next pst_answer_begin() or free; names,
 * values and reason have a NUL behind them and none inside. */
struct pst_answer {
    uint16_t status; /* 100 to 999; 1xx only for an upgrade that was asked for */
    struct pst_str reason;
    struct pst_fields fields;
    struct pst_framing framing; /* UNTIL_CLOSE for an upgraded connection: raw bytes both ways */
    uint64_t content_length;    /* as declared, also where no body follows (HEAD, 304) */
    bool has_content_length;
    bool http_1_0;
    bool keep_alive;       /* another request may follow, once the body is over */
    bool upgraded;         /* 101, asked for */
    bool names_hop_fields; /* Connection names fields of its own; see pst_answer_field_forwards() */
};

enum pst_answer_flags {
    PST_ANSWER_TO_HEAD = 1 << 0,     /* the request was HEAD: no body follows */
    PST_ANSWER_MAY_UPGRADE = 1 << 1, /* the request asked for an upgrade: 101 is its final answer */
};

struct pst_answer_parser;

/* 0 or -PST_ENOMEM. */
int pst_answer_parser_new(struct pst_answer_parser **ret_parser) PST_MUSTCHECK;
void pst_answer_parser_free(struct pst_answer_parser *parser);
/* Before each answer. Gives back memory that an unusually large head took. */
void pst_answer_begin(struct pst_answer_parser *parser, unsigned flags);

/* In state HEAD: reads as much as belongs to the head. Returns how many bytes were taken (the rest is body,
 * or was sent against the rules); look at the state then. -PST_EPROTO for rubbish, -PST_ELIMIT for a head
 * larger than the bounds, -PST_ENOMEM; the state is FAULT then. */
ssize_t pst_answer_feed_head(struct pst_answer_parser *parser, const char *data, size_t len) PST_MUSTCHECK;

/* In state CHUNKS: decodes body from `data`, all of it or up to the end of the message. `out` has room for
 * `len` bytes and may be `data` itself; *ret_out_len says how much body was found. Returns how many bytes
 * were taken: all, or fewer when the message ended (state DONE). -PST_EPROTO, -PST_ELIMIT (too much that is
 * not body). */
ssize_t pst_answer_feed_chunks(struct pst_answer_parser *parser, const char *data, size_t len, char *out,
                               size_t *ret_out_len) PST_MUSTCHECK;

enum pst_answer_state pst_answer_state(const struct pst_answer_parser *parser);
/* The final head; NULL in state HEAD and for rubbish in the head. */
const struct pst_answer *pst_answer_head(const struct pst_answer_parser *parser);
/* What was wrong, in a few words, for the log; "" without a fault. Static text. */
const char *pst_answer_fault(const struct pst_answer_parser *parser);
/* At which byte of the answer, counted from 1 and over interim answers; 0: it is no single byte's fault. */
uint64_t pst_answer_fault_at(const struct pst_answer_parser *parser);
/* Bytes of heap the parser holds, for tests and the memory budget. */
size_t pst_answer_parser_bytes(const struct pst_answer_parser *parser);

/* Whether a field of the answer goes on to the client. Not: hop-by-hop fields and those Connection names,
 * Content-Length and Transfer-Encoding (written anew), Trailer, X-Request-Id (Postern's own goes back),
 * Alt-Svc (it would lead clients around the gateway). */
bool pst_answer_field_forwards(const struct pst_answer *answer, struct pst_str name);

/* llhttp's version, "9.2.1". */
const char *pst_http_parser_version(void);

#endif
