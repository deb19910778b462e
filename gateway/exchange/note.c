/* SPDX-License-Identifier: Apache-2.0 */
#include "note.h"

#include <stdlib.h>
#include <string.h>

int note_names_init(struct pst_exchanges *all)
{
    struct pst_journal *journal = all->parts.journal;
    const struct pst_routes *routes = all->parts.settings->routes;
    struct note_names *names = &all->names;
    size_t n_rules = pst_routes_count(routes);
    names->rules = calloc(n_rules + 1, sizeof(names->rules[0]));
    if (names->rules == NULL)
        return -PST_ENOMEM;
    if (journal == NULL)
        return 0;
    for (int id = PST_ERROR_NONE + 1; id < PST_ERROR_MAX; id++)
        names->errors[id] = pst_journal_name(journal, pst_str_of(pst_error_def((enum pst_error_id)id)->name));
    names->endpoint = pst_journal_name(journal, all->parts.settings->endpoint);
    for (size_t i = 1; i <= n_rules; i++) {
        struct pst_str path = pst_routes_at(routes, i)->path;
        names->rules[i] = pst_journal_name(journal, path.len > 0 ? path : PST_STR("/"));
    }
    return 0;
}

void note_names_done(struct pst_exchanges *all)
{
    free(all->names.rules);
}

void note_end(struct exchange *x, enum pst_error_id error, uint8_t end)
{
    x->record.error = error;
    x->record.end = end;
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

static void set_client(struct pst_usage_record *record, const struct pst_peer *peer)
{
    memcpy(record->client, peer->address, sizeof(record->client));
    record->client_port = peer->port;
    record->tls = peer->tls_1_3 ? PST_USAGE_TLS_13 : PST_USAGE_TLS_12;
}

void note_append(struct pst_exchanges *all, const struct pst_usage_record *record)
{
    pst_traffic_note(&all->parts.stats->traffic, record);
    if (all->parts.journal != NULL && pst_journal_append(all->parts.journal, record) < 0)
        count(&all->parts.stats->records_lost);
}

/* A client that left before the head was complete asked for nothing yet. */
static bool was_asked(const struct exchange *x)
{
    return x->request.began || x->record.status != 0;
}

void note_prepare(struct exchange *x, struct pst_usage_record *record)
{
    const struct pst_exchanges *all = x->all;
    *record = (struct pst_usage_record){
        .time_us = x->record.start_real_us,
        .duration_us = exchange_age_us(x),
        .ttfb_us = x->record.ttfb_us,
        .bytes_in = x->record.bytes_in,
        .bytes_out = x->record.bytes_out,
        .status = x->record.status,
        .method = (uint8_t)pst_usage_method_of(x->request.method),
        .secret_slot = x->identity.key.secret_slot,
        .end = x->record.end,
        .error = all->names.errors[x->record.error],
        .rule = all->names.rules[x->route->number],
        .endpoint = x->attempt.n > 0 ? all->names.endpoint : 0,
        .attempts = x->attempt.n,
        .flags = x->identity.key.old_secret ? PST_USAGE_OLD_SECRET : 0,
        .http = x->request.http_1_0 ? PST_USAGE_HTTP_10 : PST_USAGE_HTTP_11,
    };
    set_client(record, x->stream->peer);
    pst_usage_set_key_id(record, pst_str_of(x->identity.key.id));
    pst_usage_set_request_id(record, x->request.id_str);
    struct pst_str query;
    pst_usage_set_path(record, x->request.target.path.len > 0
                                   ? x->request.target.path
                                   : pst_str_cut(x->request.raw_target, '?', &query));
}

void note_exchange(struct exchange *x)
{
    if (!was_asked(x))
        return;
    struct pst_usage_record record;
    note_prepare(x, &record);
    note_append(x->all, &record);
}

void note_refusal(struct pst_exchanges *all, const struct pst_peer *peer, enum pst_error_id id,
                  struct pst_str request_id, uint64_t body_bytes)
{
    struct pst_usage_record record = {
        .time_us = pst_loop_real_us(all->parts.loop),
        .duration_us = 1,
        .ttfb_us = 1,
        .bytes_out = body_bytes,
        .status = pst_error_def(id)->status,
        .end = note_end_of_error(id),
        .error = all->names.errors[id],
    };
    set_client(&record, peer);
    pst_usage_set_request_id(&record, request_id);
    note_append(all, &record);
}
