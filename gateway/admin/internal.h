/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: a request on its way through, and how it is answered. A request
 * belongs to its listener's thread, while it is suspended to a reader's; what is in struct pst_admin is
 * touched under its lock. */
#ifndef POSTERN_ADMIN_INTERNAL_H
#define POSTERN_ADMIN_INTERNAL_H

#include "caller.h"
#include "guesses.h"
#include "listener.h"
#include "postern/admin/admin.h"
#include "postern/auth/keys.h"
#include "postern/base/buf.h"
#include "postern/db/usage_store.h"
#include "postern/http/request_id.h"
#include "readers.h"

#include "sessions.h"

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ADMIN_PARAMS_MAX 2

struct pst_admin {
    struct pst_admin_parts parts;
    int64_t started_us;
    struct admin_listener listeners[ADMIN_LISTENERS_MAX];
    size_t n_listeners;
    struct pst_certificate_rules *roles; /* NULL: clients are not asked for certificates */

    /* A request holds it while it is judged and handled; not while its body comes or its answer goes. */
    pthread_mutex_t lock;
    struct pst_keys *keys;
    struct pst_usage_store *usage;
    bool usage_unread; /* the last look at it failed, and that has been logged */
    struct pst_request_ids ids;
    struct admin_sessions sessions;
    struct admin_guesses guesses;

    /* Not under the lock. */
    atomic_bool stopping;
    struct admin_readers readers;
    atomic_uint exports; /* large answers in files, on their way */
};

struct admin_route;

struct admin_request {
    struct pst_admin *admin;
    const struct admin_listener *listener;
    struct MHD_Connection *connection;
    const char *method; /* NULL until the head is there */
    bool target_is_plain;
    const struct admin_route *route; /* NULL: a file of the page */
    uint8_t address[16];
    struct admin_caller caller;
    struct pst_str params[ADMIN_PARAMS_MAX]; /* the path's {} in order */
    struct pst_buf body;
    size_t dropped; /* bytes of a body that is too large */
    json_t *input;  /* the body, of routes that take one */
    struct pst_list waiting;
    struct pst_usage_store *usage; /* the reader's that handles it */

    unsigned status;
    json_t *output;                  /* NULL: no body */
    struct pst_str literal;          /* a body that is there already; static */
    struct pst_buf text;             /* a body of the request's own; empty: none */
    int file;                        /* a body in a file, ours until the answer is queued; -1: none */
    bool is_export;                  /* that file is a large one, and counted */
    const char *type;                /* of the body; NULL: JSON */
    const struct admin_asset *asset; /* NULL: the answer is no file of the page */
    bool packed;                     /* `literal` is compressed */
    char etag[24];
    char location[64];
    char allow[48]; /* methods, of a 405 */
    char cookie[192];
    unsigned retry_after_s;
    bool unauthorized; /* tell how to authenticate */
    char request_id[PST_REQUEST_ID_SIZE];
};

/* What a request's query or body may name; ends with NULL. */
typedef const char *const admin_names[];

#define ADMIN_TAKES_BODY  1u
#define ADMIN_READS_USAGE 2u /* handled by a reader, and not under the lock */

struct admin_route {
    const char *method;
    const char *pattern; /* "{}" is one segment */
    const char *const *query;
    unsigned what; /* ADMIN_TAKES_BODY, ADMIN_READS_USAGE */
    enum admin_needs needs;
    void (*handle)(struct admin_request *r);
};

/* daemon.c: fields of every response of REST, whatever it says; ends with a NULL name. */
struct admin_header {
    const char *name, *value;
};
extern const struct admin_header admin_rest_headers[];

/* head.c. Whether the target's path, as it came, is the one that decoding shows. */
bool admin_target_is_plain(const char *target);
/* The path of a target that libmicrohttpd has decoded; it refuses one of another host (400). */
const char *admin_head_path(struct admin_request *r, const char *path);
/* Refuses what can be read in two ways (400, 404). */
void admin_head_check(struct admin_request *r);

/* route.c. The head is there: finds who may handle it and whether he who asks may; a refusal is made here,
 * and so is the answer with a file of the page. */
void admin_admit(struct admin_request *r, const char *path);
/* The body is there: looks at it and at the query. Not under the lock. */
void admin_read(struct admin_request *r);
/* Asks once more whether he who asks may, and calls the handler. */
void admin_handle(struct admin_request *r);

/* reply.c. Each sets the answer; the text is for people. */
void admin_fail(struct admin_request *r, unsigned status, const char *code, const char *fmt, ...)
    PST_PRINTF(4, 5);
/* Adds a broken rule to a 422; `value` may be NULL (a secret, or not there). */
void admin_invalid(struct admin_request *r, const char *field, const json_t *value, const char *rule);
/* From an error of the service or a store; `field` is the body's, of -PST_EINVAL. */
void admin_fail_err(struct admin_request *r, int err, const char *field, const char *text);
bool admin_failed(const struct admin_request *r);
/* A time in RFC 3339, or null for 0. */
json_t *admin_time(int64_t real_us);
json_t *admin_text(struct pst_str text);
/* Reads a query parameter; NULL when it is not there. */
const char *admin_query(const struct admin_request *r, const char *name);
/* Time given as a query parameter; 0 when absent. False: the answer has been made. */
bool admin_query_time(struct admin_request *r, const char *name, int64_t *ret_us);
/* Ids separated by commas; empty when absent. */
bool admin_query_ids(struct admin_request *r, const char *name, struct pst_str *ret);
/* A text to be looked for; empty when absent. */
bool admin_query_text(struct admin_request *r, const char *name, struct pst_str *ret);
bool admin_query_number(struct admin_request *r, const char *name, uint64_t min, uint64_t max,
                        uint64_t *value);

/* fields.c: of the JSON body; what breaks a rule is noted in the answer. */
void admin_refuse_unknown(struct admin_request *r, const char *const *known);
struct pst_str admin_text_field(struct admin_request *r, const char *name, bool secret);
#define ADMIN_TIME_RULE "must be a time in RFC 3339 (2026-11-23T16:00:00Z) after 1970, or null"
int64_t admin_time_field(struct admin_request *r, const char *name);

/* idempotency.c: calls `make`, unless the same was asked before. */
void admin_idempotent(struct admin_request *r, struct pst_str key, void (*make)(struct admin_request *r));

/* The handlers. */
void admin_keys_list(struct admin_request *r);
void admin_keys_create(struct admin_request *r);
void admin_keys_import(struct admin_request *r);
void admin_key_get(struct admin_request *r);
void admin_key_change(struct admin_request *r);
void admin_key_delete(struct admin_request *r);
void admin_key_rotate(struct admin_request *r);
void admin_key_revoke(struct admin_request *r);
/* Changes from now on are the caller's, in the audit trail. */
void admin_audit_actor(struct admin_request *r);
void admin_audit_list(struct admin_request *r);
void admin_usage_get(struct admin_request *r);
void admin_requests_list(struct admin_request *r);
/* What sums may be grouped by, in the order of CSV's columns. */
struct admin_usage_group {
    unsigned bit; /* PST_BY_… */
    const char *name;
};
#define ADMIN_USAGE_GROUPS 9
extern const struct admin_usage_group admin_usage_groups[ADMIN_USAGE_GROUPS];
/* How sums of usage are written into an answer, line by line. */
struct admin_usage_format {
    const char *name; /* of the query's parameter `format` */
    const char *type;
    uint64_t lines_max;
    void (*head)(FILE *file, const struct pst_usage_query *query);
    /* `n` counts from 0. An error ends the answer. */
    int (*line)(FILE *file, unsigned by, uint64_t n, const struct pst_usage_line *line);
    void (*tail)(FILE *file);
};
extern const struct admin_usage_format admin_usage_csv, admin_usage_json;
/* The answer is out, or nobody is there to read it: its file is no longer. */
void admin_usage_done(struct admin_request *r);
/* "key1", "key2", "none", by the slot of a line. Static. */
const char *admin_secret_name(uint32_t slot);
void admin_metrics_get(struct admin_request *r);
void admin_status_get(struct admin_request *r);
void admin_settings_get(struct admin_request *r);
void admin_openapi_get(struct admin_request *r);
void admin_session_open_route(struct admin_request *r);
void admin_session_confirm_route(struct admin_request *r);
/* Whether it may make and end tokens and sessions: a session that has not shown its token lately may not
 * (403). */
bool admin_session_may_change_access(struct admin_request *r);
void admin_session_get(struct admin_request *r);
void admin_session_close_route(struct admin_request *r);
void admin_sessions_list(struct admin_request *r);
void admin_sessions_end(struct admin_request *r);
void admin_tokens_list_route(struct admin_request *r);
void admin_tokens_create(struct admin_request *r);
void admin_tokens_revoke_route(struct admin_request *r);

/* key_fields.c: what a body says about a key. The texts are the body's or `text`'s. */
#define ADMIN_KEY_FIELDS_MAX 9
#define ADMIN_KEY_FIELDS_RULE                                                                                \
    (PST_KEYS_SET_TAGS | PST_KEYS_SET_SCOPES | PST_KEYS_SET_NETWORKS | PST_KEYS_SET_LIMITS)
#define ADMIN_KEY_FIELDS_NEW                                                                                 \
    (PST_KEYS_SET_NAME | PST_KEYS_SET_NOTE | PST_KEYS_SET_EXPIRES | PST_KEYS_SET_NOT_BEFORE |                \
     ADMIN_KEY_FIELDS_RULE)
struct admin_key_fields {
    struct pst_key_row row;
    unsigned what; /* PST_KEYS_SET_..., those that were given */
    char *text[ADMIN_KEY_FIELDS_MAX];
};
/* Reads those of `allowed`, of which `needed` must be there; `others` are names that somebody else reads.
 * What is wrong is in the answer. */
void admin_key_fields_read(struct admin_request *r, unsigned allowed, unsigned needed,
                           const char *const *others, struct admin_key_fields *ret);
void admin_key_fields_done(struct admin_key_fields *f);

/* key_json.c: how a key looks. NULL: no memory. */
json_t *admin_key_json(struct admin_request *r, const struct pst_key_row *row);
/* Answers with the key as it is now, its ETag, and `secrets` under their names (NULL or empty: none). */
void admin_key_answer(struct admin_request *r, unsigned status, struct pst_str id,
                      const struct pst_secret secrets[2]);

/* Made from web/openapi.json. */
extern const unsigned char admin_openapi[];
extern const size_t admin_openapi_len;

#endif
