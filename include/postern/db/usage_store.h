/* SPDX-License-Identifier: Apache-2.0 */
/* Usage on disk: usage.db. Rows of single requests, sums by hour and by day, when a key was last used, and
 * how far each journal has been written down.
 *
 * The keeper writes (one store, one thread, everything between begin and commit); readers open stores of
 * their own and never wait for it. Times are real microseconds since 1970; hours and days count since 1970
 * (UTC). Errors: -PST_EBUSY, -PST_EFULL, -PST_EIO, -PST_EACCES, -PST_EVERSION, -PST_EDB, -PST_ENOMEM;
 * pst_usage_store_why() has the sentence. */
#ifndef POSTERN_DB_USAGE_STORE_H
#define POSTERN_DB_USAGE_STORE_H

#include "postern/base/err.h"
#include "postern/base/str.h"
#include "postern/db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PST_USAGE_FILE       "usage.db"
#define PST_USAGE_UUID_BYTES 16

struct pst_usage_store;

int pst_usage_store_open(const char *data_dir, enum pst_db_mode mode, struct pst_usage_store **ret,
                         struct pst_db_why *ret_why) PST_MUSTCHECK;
/* NULL is fine. */
void pst_usage_store_close(struct pst_usage_store *store);
const char *pst_usage_store_why(const struct pst_usage_store *store);
/* From any thread: what is being read, and all that is read later, ends soon with an error. */
void pst_usage_store_cancel(struct pst_usage_store *store);

/* --- Writing --- */

int pst_usage_store_begin(struct pst_usage_store *store) PST_MUSTCHECK;
int pst_usage_store_commit(struct pst_usage_store *store) PST_MUSTCHECK;
void pst_usage_store_rollback(struct pst_usage_store *store);

/* A journal's place. 1; or 0, and 0 in both, for one that is not known. */
int pst_usage_store_cursor(struct pst_usage_store *store, const uint8_t uuid[static PST_USAGE_UUID_BYTES],
                           uint64_t *ret_drained, uint64_t *ret_lost) PST_MUSTCHECK;
int pst_usage_store_set_cursor(struct pst_usage_store *store, const uint8_t uuid[static PST_USAGE_UUID_BYTES],
                               uint64_t drained, uint64_t lost) PST_MUSTCHECK;
/* Removes the places of journals that are gone: those for which `keep` says no. */
typedef bool pst_usage_keep_fn(void *arg, const uint8_t uuid[static PST_USAGE_UUID_BYTES]);
int pst_usage_store_keep_cursors(struct pst_usage_store *store, pst_usage_keep_fn *keep,
                                 void *arg) PST_MUSTCHECK;

/* The numbers that rows name keys and routes by; made when they are new. The empty key id is 0. */
int pst_usage_store_key(struct pst_usage_store *store, struct pst_str id, int64_t *ret_number) PST_MUSTCHECK;
int pst_usage_store_route(struct pst_usage_store *store, struct pst_str path,
                          int64_t *ret_number) PST_MUSTCHECK;
/* Those of errors, endpoints and rules; the empty one is 0, and so is any when there are PST_USAGE_NAMES_MAX.
 */
#define PST_USAGE_NAMES_MAX 65535
int pst_usage_store_name(struct pst_usage_store *store, struct pst_str text,
                         int64_t *ret_number) PST_MUSTCHECK;
/* All routes there are, for a start with a filled dictionary. */
int pst_usage_store_routes(struct pst_usage_store *store,
                           void (*fn)(void *arg, struct pst_str path, int64_t number),
                           void *arg) PST_MUSTCHECK;

struct pst_usage_row {
    int64_t time_us;
    uint64_t duration_us;
    uint64_t ttfb_us;
    uint64_t bytes_in;
    uint64_t bytes_out;
    int64_t key;
    int64_t route;
    int64_t error, endpoint, rule; /* names */
    uint64_t what; /* status | method << 10 | slot << 16 | end << 18 | tls << 22 | old secret << 26 |
                      port << 32 | attempts << 48 */
    const uint8_t *client;
    size_t client_len; /* 4 or 16 */
    const void *request_id;
    size_t request_id_len;
    bool request_id_is_text;
};
int pst_usage_store_add(struct pst_usage_store *store, const struct pst_usage_row *row) PST_MUSTCHECK;
/* Forgets the oldest rows without a key (key 0) when there are more than `max`, at most some thousand of
 * them; sums are not touched. Within a transaction. Returns 1 when more wait, 0 when not; *ret_dropped says
 * how many went. */
int pst_usage_store_bound_keyless(struct pst_usage_store *store, uint64_t max,
                                  uint64_t *ret_dropped) PST_MUSTCHECK;

/* A group of requests that agree in all but time and amount. */
struct pst_usage_sum {
    int64_t hour; /* its day is hour / 24 */
    int64_t key;
    int64_t route;
    uint32_t method;
    uint32_t status;
    uint32_t slot;
    int64_t error, endpoint; /* names */
    uint64_t requests;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t duration_us;
    uint64_t duration_max_us;
    uint64_t ttfb_us;
};
/* Adds it to the hour's and to the day's sum. */
int pst_usage_store_add_sum(struct pst_usage_store *store, const struct pst_usage_sum *sum) PST_MUSTCHECK;
/* Moves "last used" forward, never back. Slot 1 or 2; 0: proven without a secret. */
int pst_usage_store_touch(struct pst_usage_store *store, int64_t key, int slot,
                          int64_t time_us) PST_MUSTCHECK;
/* Adds requests that came, in this minute since 1970, with the secret that slot 1 or 2 had before. */
int pst_usage_store_add_old(struct pst_usage_store *store, int64_t key, int slot, int64_t minute,
                            uint64_t requests, int64_t last_us) PST_MUSTCHECK;
int pst_usage_store_add_loss(struct pst_usage_store *store, int64_t hour, uint64_t requests) PST_MUSTCHECK;

/* How long it is known which requests came with an old secret: the longest grace period, and a day. */
#define PST_USAGE_OLD_DAYS 31
/* Forgets what is older than these moments (0: keep all), and uses of old secrets before `old_minute_before`,
 * at most some thousand rows of each; returns 1 when more waits, 0 when not. A transaction of its own. */
int pst_usage_store_forget(struct pst_usage_store *store, int64_t raw_before_us, int64_t hour_before,
                           int64_t day_before, int64_t old_minute_before) PST_MUSTCHECK;

/* --- Reading --- */

enum pst_usage_by {
    PST_BY_KEY = 1 << 0,
    PST_BY_SECRET = 1 << 1,
    PST_BY_HOUR = 1 << 2,
    PST_BY_DAY = 1 << 3,
    PST_BY_ROUTE = 1 << 4,
    PST_BY_STATUS = 1 << 5,
    PST_BY_METHOD = 1 << 6,
    PST_BY_CLASS = 1 << 7, /* of the status */
    PST_BY_ERROR = 1 << 8,
    PST_BY_ENDPOINT = 1 << 9,
};

struct pst_usage_query {
    unsigned by;          /* bits above */
    int64_t from_us;      /* 0: since the beginning; down to its hour */
    int64_t to_us;        /* 0: until now; up to its hour */
    struct pst_str key;   /* of this key only, or of these, separated by commas; empty: of all */
    struct pst_str route; /* of this one only; empty: of all */
    uint32_t status;      /* likewise; 0: all */
    struct pst_str error; /* of those that ended with it; empty: all */
    uint64_t lines_max;   /* the first ones of the order; 0: all */
};

/* One line of the answer; what is not grouped by is empty or 0. Slices live until the callback returns. */
struct pst_usage_line {
    struct pst_str key;
    struct pst_str route;
    int64_t time_us; /* the hour's or the day's beginning */
    uint32_t slot;
    uint32_t status;
    uint32_t method;
    uint32_t status_class;   /* 1 to 5; 0: no response was sent */
    struct pst_str error;    /* empty: none */
    struct pst_str endpoint; /* empty: not forwarded */
    uint64_t requests;
    uint64_t errors; /* status 400 and above, and none at all */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t duration_us;
    uint64_t duration_max_us;
    uint64_t ttfb_us;
};
/* Non-zero stops; a negative result is passed on. */
typedef int pst_usage_line_fn(const struct pst_usage_line *line, void *arg);

int pst_usage_store_sums(struct pst_usage_store *store, const struct pst_usage_query *query,
                         pst_usage_line_fn *fn, void *arg) PST_MUSTCHECK;
/* Single requests, newest first. */
struct pst_usage_request_query {
    int64_t from_us;      /* 0: since the beginning */
    int64_t to_us;        /* 0: until now */
    struct pst_str key;   /* of this key only; empty: of all */
    struct pst_str route; /* likewise */
    uint32_t status;      /* likewise; 0: all */
    struct pst_str error; /* likewise */
    uint64_t before;      /* from where the page before ended; 0: the newest */
    uint64_t limit;
};
struct pst_usage_request {
    struct pst_usage_row row; /* numbers and bits; its slices live until the callback returns */
    struct pst_str key;
    struct pst_str route;
    struct pst_str error, endpoint, rule;
};
typedef int pst_usage_request_fn(const struct pst_usage_request *request, void *arg);
/* One page. Looks at no more than some hundred thousand rows, so a page of a rare key may have fewer than
 * `limit`, or none, and still another one behind it: *ret_next is its `before`, 0 at the end. */
int pst_usage_store_requests(struct pst_usage_store *store, const struct pst_usage_request_query *query,
                             pst_usage_request_fn *fn, void *arg, uint64_t *ret_next) PST_MUSTCHECK;

/* When a key was last used, 0: never. */
struct pst_usage_last {
    int64_t any_us;     /* in whatever way */
    int64_t slot_us[2]; /* its first and second secret, an old one of the slot too */
};
int pst_usage_store_last_used(struct pst_usage_store *store, struct pst_str key_id,
                              struct pst_usage_last *ret) PST_MUSTCHECK;
/* Requests with the secret that slot 1 or 2 had before, since its minute of `since_us` (the rotation). */
struct pst_usage_old {
    uint64_t requests;
    int64_t last_us; /* 0: there was none */
};
int pst_usage_store_old_uses(struct pst_usage_store *store, struct pst_str key_id, int slot, int64_t since_us,
                             struct pst_usage_old *ret) PST_MUSTCHECK;
/* Requests that were served and could not be counted. */
int pst_usage_store_losses(struct pst_usage_store *store, uint64_t *ret_requests) PST_MUSTCHECK;

#endif
