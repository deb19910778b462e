/* SPDX-License-Identifier: Apache-2.0 */
/* Postern's own refusals: one table from error id to status, code, message and headers, in the shape
 * Azure's services use: {"error":{"code":"…","message":"…"}}. The wording for keys is Azure's own; SDKs and
 * people search for it. docs/http.md lists the table. Static data and pure functions, any thread. */
#ifndef POSTERN_HTTP_ERROR_H
#define POSTERN_HTTP_ERROR_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/http/field.h"

#include <stdbool.h>
#include <stdint.h>

enum pst_error_id {
    PST_ERROR_NONE, /* 0: nothing to refuse */

    /* Who is it. */
    PST_ERROR_KEY_MISSING, /* 401 */
    PST_ERROR_KEY_WRONG,   /* 401, also one that is not known: the client is not told which */
    /* Who is told one of these has the right secret. */
    PST_ERROR_KEY_EXPIRED,   /* 401, the key, or the grace of a secret that was replaced */
    PST_ERROR_KEY_NOT_YET,   /* 401 */
    PST_ERROR_KEY_DISABLED,  /* 401, by an administrator */
    PST_ERROR_KEY_CONFLICT,  /* 400, two different keys in one request */
    PST_ERROR_KEY_OFF,       /* 403, a key, where only tokens and certificates are taken */
    PST_ERROR_KEY_SCOPE,     /* 403, the key's scopes do not permit method or path */
    PST_ERROR_PATH_SPELLING, /* 400, routes depend on the path, and it could be read in two ways */
    PST_ERROR_KEY_SPELLING,  /* 403, the key has scopes, and the path could be read in two ways */
    PST_ERROR_KEY_NETWORK,   /* 403, the key's networks do not have the client's address */
    PST_ERROR_TOKEN_WRONG,   /* 401, a token of an issuer that is not good: the client is not told why */
    PST_ERROR_TOKEN_DENIED,  /* 401, a good token that stands for no key that may be used */
    PST_ERROR_TOKEN_KEYS,    /* 503, its issuer's keys could not be had yet */
    PST_ERROR_CERTIFICATE_MISSING, /* 403, a client certificate is asked for */
    PST_ERROR_CERTIFICATE_WRONG,   /* 403, expired, revoked, of no CA of ours: the log says which */
    PST_ERROR_CERTIFICATE_DENIED,  /* 403, a valid one that stands for no key that may be used */
    PST_ERROR_NO_REDIRECT,         /* 404, the Speech SDK's question for another host */
    PST_ERROR_ORIGIN,              /* 403, a preflight from a page that is not allowed */
    PST_ERROR_JOB,                 /* 404, a job of another key: it is not said that it is there */

    /* The request line and head. */
    PST_ERROR_METHOD,             /* 501, CONNECT, TRACE or not a token */
    PST_ERROR_TARGET,             /* 400, bytes that may not stand in a request target */
    PST_ERROR_TARGET_ESCAPE,      /* 400, a bad %-escape, or %00 in the path */
    PST_ERROR_QUERY_ESCAPE,       /* 400, a bad %-escape in a query that may carry a credential */
    PST_ERROR_TARGET_FORM,        /* 400, neither /path nor http(s)://host/path (nor * of OPTIONS) */
    PST_ERROR_TARGET_TOO_LONG,    /* 414 */
    PST_ERROR_HEAD_TOO_LARGE,     /* 431 */
    PST_ERROR_HOST,               /* 400, Host missing, repeated or malformed */
    PST_ERROR_FIELD_NAME,         /* 400, not a token */
    PST_ERROR_FIELD_VALUE,        /* 400, control characters in a value */
    PST_ERROR_HTTP_VERSION,       /* 505 */
    PST_ERROR_MALFORMED,          /* 400, what libmicrohttpd refuses itself */
    PST_ERROR_LENGTH_AND_CHUNKED, /* 400, Content-Length beside Transfer-Encoding */
    PST_ERROR_LENGTH_REPEATED,    /* 400, several Content-Length, as fields or as a list */
    PST_ERROR_LENGTH_VALUE,       /* 400, not a decimal number */
    PST_ERROR_CODING_REPEATED,    /* 400, several Transfer-Encoding, or chunked not last or twice */
    PST_ERROR_CODING_UNKNOWN,     /* 501, a transfer coding other than chunked */
    PST_ERROR_CODING_HTTP10,      /* 400, Transfer-Encoding in HTTP/1.0 */
    PST_ERROR_EXPECT,             /* 417, an expectation other than 100-continue */

    /* The body. */
    PST_ERROR_BODY_TOO_LARGE,         /* 413 */
    PST_ERROR_KEYLESS_BODY_TOO_LARGE, /* 413, without a key */
    PST_ERROR_KEYLESS_BODY_TOO_SLOW,  /* 408, without a key */
    PST_ERROR_BODY_MALFORMED,         /* 400, a chunk that is not one */
    PST_ERROR_REQUEST_TIMEOUT,        /* 408, head or body did not arrive in time */
    PST_ERROR_BODY_TOO_SLOW,          /* 408, below the minimum data rate */

    PST_ERROR_WEBSOCKET,         /* 400, an opening handshake that RFC 6455 does not allow */
    PST_ERROR_WEBSOCKET_VERSION, /* 426, of another version than 13 */

    /* What Postern or the container cannot do now. */
    PST_ERROR_TOO_MANY_CONNECTIONS, /* 503, bound of client connections */
    PST_ERROR_TOO_MANY_WEBSOCKETS,  /* 503, bound of streams */
    PST_ERROR_UPSTREAM_BUSY, /* 503, all connections to the container in use, the queue full or too slow */
    PST_ERROR_UPSTREAM_SHARE,
    PST_ERROR_UPSTREAM_REFUSED,         /* 503, nobody listens there (yet): it starts, or it is down */
    PST_ERROR_UPSTREAM_UNRESOLVED,      /* 503, its name has no address */
    PST_ERROR_UPSTREAM_RESET,           /* 502, closed or broke the connection before its answer */
    PST_ERROR_UPSTREAM_RUBBISH,         /* 502, what came is not an HTTP answer */
    PST_ERROR_UPSTREAM_CONNECT_TIMEOUT, /* 504 */
    PST_ERROR_UPSTREAM_TIMEOUT,         /* 504, no answer in time */
    PST_ERROR_SHUTTING_DOWN,            /* 503 */
    PST_ERROR_INTERNAL,                 /* 500, out of memory and the like */
    PST_ERROR_MAX
};

struct pst_error_def {
    uint16_t status;
    uint16_t retry_after_s;       /* 0: no Retry-After */
    bool close;                   /* the connection cannot go on: what follows is not a request */
    const char *name;             /* short stable name for logs and counters: "key_missing" */
    const char *code;             /* error.code of the body */
    const char *message;          /* error.message: what was wrong and what to do; plain ASCII */
    const char *www_authenticate; /* or NULL */
};

/* PST_ERROR_NONE and what is out of range have PST_ERROR_INTERNAL's. */
const struct pst_error_def *pst_error_def(enum pst_error_id id);

/* Appends the body. 0, -PST_ELIMIT or -PST_ENOMEM (the buffer is marked). */
int pst_error_body(enum pst_error_id id, struct pst_buf *out);
/* How a service words it. */
struct pst_error_style {
    struct pst_str path;    /* the request's: the Translator's codes are numbers */
    struct pst_str message; /* instead of the error's own; empty: that */
    bool flat;              /* {"statusCode": 401, "message": "..."}, but for the Translator */
};
int pst_error_body_as(enum pst_error_id id, const struct pst_error_style *style,
                      struct pst_buf *out) PST_MUSTCHECK;
/* The same for any code and message (limits and the admin side have their own). */
int pst_error_body_custom(struct pst_str code, struct pst_str message, struct pst_buf *out);

#define PST_ERROR_FIELDS_MAX 8
#define PST_ERROR_NUMBER_MAX 8

/* Room for the fields' texts; lives as long as the fields are used. */
struct pst_error_fields {
    struct pst_field storage[PST_ERROR_FIELDS_MAX];
    char retry_after[PST_ERROR_NUMBER_MAX];
    struct pst_fields fields;
};

/* The answer's fields without Content-Length and Date: Content-Type, X-Request-Id and apim-request-id (when
 * `request_id` is not empty; not copied), WWW-Authenticate, Retry-After, Connection: close,
 * Cache-Control: no-store; of a 426 Upgrade and Sec-WebSocket-Version. */
void pst_error_fields(enum pst_error_id id, struct pst_str request_id, struct pst_error_fields *ret);

/* The refusal for a failure of the container's side, from what pool and connection report. `connecting`:
 * it came from the lease, not from the exchange. */
enum pst_error_id pst_error_from_upstream(int err, bool connecting);

#endif
