/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a finished exchange: a record of fixed size, filled by the worker, copied into its journal
 * and read by the keeper. Its layout is that of the journal files: changing it means a new
 * PST_JOURNAL_VERSION, and a reader for the one before (gateway/usage/journal_v1.c). Errors, rules, endpoints
 * and units stand in it as numbers that pst_journal_name() gave: the journal file says what they mean, so a
 * later version of Postern, with other errors and other settings, reads them right. Holds neither a key nor a
 * query string. Any thread. */
#ifndef POSTERN_USAGE_RECORD_H
#define POSTERN_USAGE_RECORD_H

#include "postern/base/err.h"
#include "postern/base/str.h"

#include <stdint.h>

enum pst_usage_method {
    PST_USAGE_OTHER = 0,
    PST_USAGE_GET,
    PST_USAGE_HEAD,
    PST_USAGE_POST,
    PST_USAGE_PUT,
    PST_USAGE_PATCH,
    PST_USAGE_DELETE,
    PST_USAGE_OPTIONS,
    PST_USAGE_TRACE,
    PST_USAGE_CONNECT,
    PST_USAGE_METHODS
};

/* How an exchange ended. The texts are stable: they are in access logs. */
enum pst_usage_end {
    PST_END_OK = 0,           /* "ok": the response went out whole, whatever its status */
    PST_END_REFUSED,          /* "refused": no key, or one that may not */
    PST_END_BAD_REQUEST,      /* "bad_request": the client's request cannot be forwarded */
    PST_END_LIMIT,            /* "limit": a size, rate or count bound */
    PST_END_CLIENT_LEFT,      /* "client_left": before the response was out */
    PST_END_CLIENT_TIMEOUT,   /* "client_timeout": head, body or reading of the response too slow */
    PST_END_UPSTREAM_REFUSED, /* "upstream_refused": no connection to the container */
    PST_END_UPSTREAM_TIMEOUT, /* "upstream_timeout" */
    PST_END_UPSTREAM_BROKE,   /* "upstream_broke": reset, closed early, or an invalid response */
    PST_END_SHUTDOWN,         /* "shutdown": cut because Postern stops */
    PST_END_INTERNAL,         /* "internal": our fault, no memory for instance */
    PST_USAGE_ENDS
};

enum pst_usage_http { PST_USAGE_HTTP_NONE = 0, PST_USAGE_HTTP_10 = 10, PST_USAGE_HTTP_11 = 11 };
enum pst_usage_tls { PST_USAGE_TLS_NONE = 0, PST_USAGE_TLS_12 = 12, PST_USAGE_TLS_13 = 13 };

/* flags */
#define PST_USAGE_PATH_CUT   1 /* the path was longer than PST_USAGE_PATH_SIZE */
#define PST_USAGE_STREAM     2 /* a WebSocket's note: time, bytes and duration since the note before */
#define PST_USAGE_GOES_ON    4 /* beside STREAM: not its last note, so that it is not counted as a request */
#define PST_USAGE_OLD_SECRET 8 /* the secret had been rotated away, and its grace period ran */

#define PST_USAGE_KEY_ID_SIZE     16
#define PST_USAGE_REQUEST_ID_SIZE 64
#define PST_USAGE_PATH_SIZE       160
#define PST_USAGE_TRACE_ID_SIZE   16
#define PST_USAGE_UNITS           4

struct pst_usage_record {
    int64_t time_us;      /* real time at which the request began */
    uint64_t duration_us; /* to the end of the exchange */
    uint64_t ttfb_us;     /* to the first byte of the response going out; 0: there was none */
    uint64_t bytes_in;    /* body bytes from the client */
    uint64_t bytes_out;   /* body bytes to the client */
    uint16_t status;      /* sent to the client; 0: none was */
    uint16_t client_port;
    uint8_t method;      /* enum pst_usage_method */
    uint8_t secret_slot; /* 1, 2; 0: no key matched, or it was proven without a secret */
    uint8_t end;         /* enum pst_usage_end */
    uint8_t tls;         /* enum pst_usage_tls */
    uint8_t http;        /* enum pst_usage_http */
    uint8_t flags;       /* PST_USAGE_PATH_CUT and so on */
    uint8_t request_id_len;
    uint8_t path_len;
    uint32_t check;    /* the journal's own, 0 in what is appended: tells a whole record from a torn one */
    uint16_t error;    /* the name of Postern's error that it ended with; 0: none */
    uint16_t rule;     /* the path of the rule of `routes` that it fell under; 0: none */
    uint16_t endpoint; /* where it was forwarded to; 0: it was not */
    uint8_t attempts;  /* how often it was forwarded; stays at 255 */
    uint8_t unused;
    uint16_t unit[PST_USAGE_UNITS]; /* what was metered; 0: the slot is free. Nothing fills these yet, nor */
    uint64_t amount[PST_USAGE_UNITS]; /* how much of it, nor the two below */
    uint8_t trace_id[PST_USAGE_TRACE_ID_SIZE];
    uint32_t queue_ms;
    uint32_t unused_too;
    uint8_t client[16];                         /* IPv6, or IPv4 as ::ffff:a.b.c.d */
    char key_id[PST_USAGE_KEY_ID_SIZE];         /* terminated; empty: no key */
    char request_id[PST_USAGE_REQUEST_ID_SIZE]; /* not terminated */
    char path[PST_USAGE_PATH_SIZE];             /* as sent, without the query; not terminated; the last: only
                                                   what is used of it is copied */
};
_Static_assert(sizeof(struct pst_usage_record) == 384, "the journal's records have a fixed size");

/* What a record's numbers stand for; empty: 0, or not known. */
struct pst_usage_names {
    struct pst_str error, rule, endpoint;
};

/* Each cuts what is too long; set_path drops what follows a '?' too, whatever the caller thought it passed.
 */
void pst_usage_set_key_id(struct pst_usage_record *record, struct pst_str id);
void pst_usage_set_request_id(struct pst_usage_record *record, struct pst_str id);
void pst_usage_set_path(struct pst_usage_record *record, struct pst_str path);
void pst_usage_set_ipv4(struct pst_usage_record *record, const uint8_t address[static 4]);

/* Case-sensitive, as methods are (RFC 9110 section 9.1); unknown ones are OTHER. */
enum pst_usage_method pst_usage_method_of(struct pst_str name);
/* "GET" …; OTHER and anything out of range is "OTHER". Static. */
const char *pst_usage_method_text(unsigned method);
/* "2xx" of 2 and so on; "none" of 0 and anything out of range. Static. */
const char *pst_usage_class_text(unsigned status_class);
/* "ok" …; out of range is "unknown". Static. */
const char *pst_usage_end_text(unsigned end);
/* "TLSv1.3", "HTTP/1.1"; anything else is "". Static. */
const char *pst_usage_tls_text(unsigned tls);
const char *pst_usage_http_text(unsigned http);

#endif
