/* SPDX-License-Identifier: Apache-2.0 */
/* What is noted of each exchange, in the worker's journal. */
#include "internal.h"
#include "websocket.h"

#include <stdlib.h>
#include <string.h>

int note_names_init(struct pst_front *front)
{
    struct pst_journal *journal = front->parts.journal;
    const struct pst_routes *routes = front->parts.settings->routes;
    struct note_names *names = &front->names;
    size_t n_rules = pst_routes_count(routes);
    names->rules = calloc(n_rules + 1, sizeof(names->rules[0]));
    if (names->rules == NULL)
        return -PST_ENOMEM;
    if (journal == NULL)
        return 0;
    for (int id = PST_ERROR_NONE + 1; id < PST_ERROR_MAX; id++)
        names->errors[id] = pst_journal_name(journal, pst_str_of(pst_error_def((enum pst_error_id)id)->name));
    names->endpoint = pst_journal_name(journal, front->parts.settings->endpoint);
    for (size_t i = 1; i <= n_rules; i++) {
        struct pst_str path = pst_routes_at(routes, i)->path;
        names->rules[i] = pst_journal_name(journal, path.len > 0 ? path : PST_STR("/"));
    }
    return 0;
}

void note_names_done(struct pst_front *front)
{
    free(front->names.rules);
}

void note_end(struct exchange *x, enum pst_error_id error, uint8_t end)
{
    x->error = error;
    x->end = end;
}

uint8_t note_end_of_error(enum pst_error_id id)
{
    switch (id) {
    case PST_ERROR_NONE:
        return PST_END_OK;
    case PST_ERROR_KEY_MISSING:
    case PST_ERROR_KEY_WRONG:
    case PST_ERROR_KEY_EXPIRED:
    case PST_ERROR_KEY_NOT_YET:
    case PST_ERROR_KEY_DISABLED:
    case PST_ERROR_KEY_CONFLICT:
    case PST_ERROR_KEY_OFF:
    case PST_ERROR_KEY_SCOPE:
    case PST_ERROR_KEY_SPELLING:
    case PST_ERROR_KEY_NETWORK:
    case PST_ERROR_TOKEN_WRONG:
    case PST_ERROR_TOKEN_DENIED:
    case PST_ERROR_TOKEN_KEYS:
    case PST_ERROR_CERTIFICATE_MISSING:
    case PST_ERROR_CERTIFICATE_WRONG:
    case PST_ERROR_CERTIFICATE_DENIED:
    case PST_ERROR_ORIGIN:
    case PST_ERROR_JOB:
        return PST_END_REFUSED;
    case PST_ERROR_TARGET_TOO_LONG:
    case PST_ERROR_HEAD_TOO_LARGE:
    case PST_ERROR_BODY_TOO_LARGE:
    case PST_ERROR_KEYLESS_BODY_TOO_LARGE:
    case PST_ERROR_TOO_MANY_CONNECTIONS:
    case PST_ERROR_TOO_MANY_WEBSOCKETS:
    case PST_ERROR_UPSTREAM_BUSY:
    case PST_ERROR_UPSTREAM_SHARE:
        return PST_END_LIMIT;
    case PST_ERROR_REQUEST_TIMEOUT:
    case PST_ERROR_BODY_TOO_SLOW:
    case PST_ERROR_KEYLESS_BODY_TOO_SLOW:
        return PST_END_CLIENT_TIMEOUT;
    case PST_ERROR_UPSTREAM_REFUSED:
    case PST_ERROR_UPSTREAM_UNRESOLVED:
        return PST_END_UPSTREAM_REFUSED;
    case PST_ERROR_UPSTREAM_RESET:
    case PST_ERROR_UPSTREAM_RUBBISH:
        return PST_END_UPSTREAM_BROKE;
    case PST_ERROR_UPSTREAM_CONNECT_TIMEOUT:
    case PST_ERROR_UPSTREAM_TIMEOUT:
        return PST_END_UPSTREAM_TIMEOUT;
    case PST_ERROR_SHUTTING_DOWN:
        return PST_END_SHUTDOWN;
    case PST_ERROR_INTERNAL:
        return PST_END_INTERNAL;
    default:
        return PST_END_BAD_REQUEST;
    }
}

static void set_client(struct pst_usage_record *record, const struct client *client)
{
    memcpy(record->client, client->address, sizeof(record->client));
    record->client_port = client->port;
    if (client->session != NULL) {
        const char *version = pst_session_version(client->session);
        record->tls = strcmp(version, "TLSv1.3") == 0 ? PST_USAGE_TLS_13 : PST_USAGE_TLS_12;
    }
}

static void append(struct pst_front *front, const struct pst_usage_record *record)
{
    pst_traffic_note(&front->parts.stats->traffic, record);
    if (front->parts.journal != NULL && pst_journal_append(front->parts.journal, record) < 0)
        count(&front->parts.stats->records_lost);
}

/* A client that left before the head was complete asked for nothing yet. */
static bool was_asked(const struct exchange *x)
{
    return x->began || x->status != 0;
}

void note_prepare(struct exchange *x, struct pst_usage_record *record)
{
    const struct pst_front *front = x->client->front;
    *record = (struct pst_usage_record){
        .time_us = x->start_real_us,
        .duration_us = exchange_age_us(x),
        .ttfb_us = x->ttfb_us,
        .bytes_in = x->bytes_in,
        .bytes_out = x->bytes_out,
        .status = x->status,
        .method = (uint8_t)pst_usage_method_of(x->method),
        .secret_slot = x->key.secret_slot,
        .end = x->end,
        .error = front->names.errors[x->error],
        .rule = front->names.rules[x->route->number],
        .endpoint = x->attempts > 0 ? front->names.endpoint : 0,
        .attempts = x->attempts,
        .flags = x->key.old_secret ? PST_USAGE_OLD_SECRET : 0,
        .http = x->http_1_0 ? PST_USAGE_HTTP_10 : PST_USAGE_HTTP_11,
    };
    set_client(record, x->client);
    pst_usage_set_key_id(record, pst_str_of(x->key.id));
    pst_usage_set_request_id(record, x->request_id_str);
    struct pst_str query;
    pst_usage_set_path(record,
                       x->target.path.len > 0 ? x->target.path : pst_str_cut(x->raw_target, '?', &query));
}

void note_exchange(struct exchange *x)
{
    if (!was_asked(x))
        return;
    struct pst_usage_record record;
    note_prepare(x, &record);
    append(x->client->front, &record);
}

/* A note says what was used since the one before, so that sums of them are right, whenever they are made. */
void note_stream(struct exchange *x, bool last)
{
    struct websocket *ws = x->websocket;
    struct pst_front *front = x->client->front;
    uint64_t now = now_us(front);
    struct pst_usage_record record = ws->record;
    record.flags |= last ? PST_USAGE_STREAM : PST_USAGE_STREAM | PST_USAGE_GOES_ON;
    record.time_us = pst_loop_real_us(front->parts.loop) - (int64_t)(now - ws->noted_us);
    record.duration_us = now > ws->noted_us ? now - ws->noted_us : 1;
    record.bytes_in = x->bytes_in - ws->noted_in;
    record.bytes_out = x->bytes_out - ws->noted_out;
    record.end = x->end;
    record.error = front->names.errors[x->error];
    record.ttfb_us = last ? x->ttfb_us : 0;
    append(front, &record);
    ws->noted_us = now;
    ws->noted_in = x->bytes_in;
    ws->noted_out = x->bytes_out;
}

void note_refusal(struct client *client, enum pst_error_id id, struct pst_str request_id, uint64_t body_bytes)
{
    struct pst_front *front = client->front;
    struct pst_usage_record record = {
        .time_us = pst_loop_real_us(front->parts.loop),
        .duration_us = 1,
        .ttfb_us = 1,
        .bytes_out = body_bytes,
        .status = pst_error_def(id)->status,
        .end = note_end_of_error(id),
        .error = front->names.errors[id],
    };
    set_client(&record, client);
    pst_usage_set_request_id(&record, request_id);
    append(front, &record);
}
