/* SPDX-License-Identifier: Apache-2.0 */
/* One GET of a small document: the keys of an identity provider, the container's /status. Blocking, bounded
 * in time and size: not on a worker. Any thread; calls share nothing. For https, pst_tls_init() must have
 * run. */
#ifndef POSTERN_FETCH_FETCH_H
#define POSTERN_FETCH_FETCH_H

#include "postern/base/buf.h"
#include "postern/base/err.h"
#include "postern/fetch/dial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_FETCH_TIMEOUT_MS 10000
#define PST_FETCH_MAX_BYTES  ((size_t)1024 * 1024)

/* All zero is fine: https only, system's roots, no proxy, the bounds above. */
struct pst_fetch_options {
    uint64_t timeout_ms; /* for all of it, looking up the name included */
    size_t max_bytes;    /* of the body */
    const char *ca_file; /* PEM: roots to trust besides the system's; NULL or "": none */
    const char *proxy;   /* "http://[user:password@]host:port", asked to CONNECT; NULL or "": direct */
    const char *accept;  /* Accept's value; NULL: anything */
    bool allow_http;     /* http:// too, never through the proxy: for the container */
    const struct pst_dial_pins *pins; /* NULL: none */
};

struct pst_fetch_answer {
    unsigned status;        /* 200 to 599, not 3xx */
    char content_type[128]; /* as sent, cut when longer */
    char version[64];       /* what Server says */
    int64_t date_us;        /* Date, 0 without a readable one */
    int64_t max_age_s;      /* Cache-Control's max-age; -1 without, 0 for no-store and no-cache */
    struct pst_buf body;
};

/* What went wrong, a sentence with the host in it, for the log. Never holds credentials, nor the URL's
 * query. */
struct pst_fetch_why {
    char text[768];
};

/* 0: an answer came whole, whatever its status; pst_fetch_answer_done() afterwards. Redirects are not
 * followed but an error, since they would lead to where nobody configured. -PST_EPARSE (URL or proxy),
 * -PST_EINVAL (ca_file), -PST_ENOENT, -PST_EAGAIN (name), -PST_EREFUSED, -PST_ETIMEOUT, -PST_ERESET (cut off
 * in the middle), -PST_ETLS, -PST_EACCES (redirect; proxy refused), -PST_EPROTO (rubbish), -PST_ELIMIT (too
 * large), -PST_ENOMEM. */
int pst_fetch_get(const char *url, const struct pst_fetch_options *options,
                  struct pst_fetch_answer *ret_answer, struct pst_fetch_why *ret_why) PST_MUSTCHECK;
void pst_fetch_answer_done(struct pst_fetch_answer *answer);

/* An HTTP date, "Mon, 23 Nov 2026 20:47:04 GMT" (RFC 9110 section 5.6.7, its preferred form only).
 * 0, or -PST_EPARSE. */
int pst_http_date_parse(struct pst_str text, int64_t *ret_real_us) PST_MUSTCHECK;

#endif
