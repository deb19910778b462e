/* SPDX-License-Identifier: Apache-2.0 */
/* One drain: records out of the rings, their lines into the access log (once, whatever becomes of the rest),
 * rows and sums into usage.db, places moved on, all in one transaction; then, and only then, the rings' room
 * is given back. */
#include "ledger_private.h"
#include "postern/base/clock.h"
#include "postern/base/log.h"
#include "postern/base/num.h"
#include "postern/usage/route.h"

#include <string.h>
#include <time.h>

#define HOUR_US   (INT64_C(3600) * 1000000)
#define MINUTE_US (INT64_C(60) * 1000000)

/* What a file says of itself is not believed when it cannot be. */
static void mend(struct source *source)
{
    const char *path = source->journal->path;
    if (!journal_mend_head(source->journal, source->drained))
        pst_warn("usage",
                 "%s: the head is damaged; %llu records were recovered by their checksums, there may have "
                 "been more",
                 path, (unsigned long long)(journal_head(source->journal) - source->drained));
    source->lost_is_sound = journal_lost_is_sound(source->journal);
    if (!source->lost_is_sound)
        pst_warn("usage", "%s: the number of requests that did not fit is damaged", path);
}

static uint64_t lost_of(const struct source *source)
{
    uint64_t lost = pst_journal_lost(source->journal);
    bool sound = !source->orphan || source->lost_is_sound;
    return sound && lost > source->lost ? lost : source->lost;
}

static int learn_cursor(struct pst_ledger *ledger, struct source *source)
{
    if (source->known)
        return 0;
    int err =
        pst_usage_store_cursor(ledger->store, source->journal->head->uuid, &source->drained, &source->lost);
    if (err < 0)
        return err;
    if (err == 0) { /* usage.db does not know it: it is new, or usage.db is; then what the ring says holds */
        source->drained = journal_drained_hint(source->journal);
        source->lost = source->drained > 0 ? pst_journal_lost(source->journal) : 0;
    }
    if (source->orphan)
        mend(source);
    uint64_t head = journal_head(source->journal);
    source->seen_lost = source->lost;
    source->logged = source->orphan ? pst_access_log_recover(ledger->log, source->journal)
                                    : journal_logged(source->journal);
    if (source->logged < source->drained || source->logged > head)
        source->logged = source->drained;
    source->known = true;
    return 0;
}

/* Copies records into the batch. */
static int collect(struct pst_ledger *ledger, struct source *source)
{
    source->next = source->drained;
    source->next_lost = source->lost;
    source->damaged = 0;
    int err = learn_cursor(ledger, source);
    if (err < 0)
        return err;
    uint64_t head = journal_head(source->journal);
    uint64_t capacity = source->journal->head->capacity;
    source->next = source->drained;
    source->next_lost = lost_of(source);
    if (head - source->next > capacity) { /* usage.db is from before: it was restored */
        source->damaged = head - capacity - source->next;
        source->next = head - capacity;
    }
    for (; source->next < head && ledger->n_batch < PST_LEDGER_BATCH; source->next++) {
        struct pst_usage_record *record = &ledger->batch[ledger->n_batch];
        if (!journal_read(source->journal, source->next, record)) {
            source->damaged++;
            continue;
        }
        ledger->from[ledger->n_batch] = source->journal;
        ledger->number[ledger->n_batch] = source->next;
        ledger->names[ledger->n_batch] = journal_names(source->journal, record);
        ledger->in_log[ledger->n_batch++] = source->next < source->logged;
    }
    return 0;
}

static uint64_t new_losses(const struct source *source)
{
    return source->next_lost - source->lost + source->damaged;
}

/* The access log */

/* Before the rows: a crash in between must not lose the lines, and a drain that fails must not repeat them.
 */
static void log_batch(struct pst_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_batch; i++) {
        if (!ledger->in_log[i])
            pst_access_log_add(ledger->log, ledger->from[i], ledger->number[i], &ledger->batch[i],
                               &ledger->names[i]);
    }
    pst_access_log_flush(ledger->log);
    for (size_t i = 0; i < ledger->n_sources; i++) {
        struct source *source = &ledger->sources[i];
        if (source->known && source->next > source->logged)
            source->logged = source->next;
    }
    atomic_store(&ledger->log_dropped, pst_access_log_dropped(ledger->log));
}

/* While rows cannot be written, the records behind the batch still get their lines. */
static void log_waiting(struct pst_ledger *ledger)
{
    struct pst_usage_record *record = &ledger->batch[0]; /* will be collected again */
    for (size_t i = 0; i < ledger->n_sources; i++) {
        struct source *source = &ledger->sources[i];
        uint64_t head = source->known ? journal_head(source->journal) : 0;
        for (; source->logged < head; source->logged++) {
            if (!journal_read(source->journal, source->logged, record))
                continue;
            const struct pst_usage_names names = journal_names(source->journal, record);
            pst_access_log_add(ledger->log, source->journal, source->logged, record, &names);
        }
    }
    pst_access_log_flush(ledger->log);
    atomic_store(&ledger->log_dropped, pst_access_log_dropped(ledger->log));
}

/* Numbers of names */

static int key_number(struct pst_ledger *ledger, const struct pst_usage_record *record, int64_t *ret_number)
{
    struct pst_str id = pst_str_of(record->key_id);
    int64_t number = id.len == 0 ? 0 : names_find(&ledger->keys, id);
    if (number < 0) {
        int err = pst_usage_store_key(ledger->store, id, &number);
        if (err == 0)
            err = names_add(&ledger->keys, id, number);
        if (err < 0)
            return err;
    }
    *ret_number = number;
    return 0;
}

/* Routes are learnt from requests that were let in: who has no key must not be able to use the bound up. */
static bool may_teach(const struct pst_usage_record *record)
{
    return record->end != PST_END_REFUSED && record->end != PST_END_BAD_REQUEST &&
           record->end != PST_END_LIMIT && record->end != PST_END_CLIENT_TIMEOUT;
}

static int learn_route_number(struct pst_ledger *ledger, struct pst_str route, int64_t *ret_number)
{
    int err = pst_usage_store_route(ledger->store, route, ret_number);
    return err < 0 ? err : names_add(&ledger->routes, route, *ret_number);
}

static int route_number_of(struct pst_ledger *ledger, const struct pst_usage_record *record,
                           int64_t *ret_number)
{
    char text[PST_ROUTE_SIZE];
    struct pst_str route = {text, pst_route_of((struct pst_str){record->path, record->path_len}, text)};
    int64_t number = names_find(&ledger->routes, route);
    if (number >= 0) {
        *ret_number = number;
        return 0;
    }
    if (may_teach(record) && ledger->routes.n < PST_ROUTES_MAX)
        return learn_route_number(ledger, route, ret_number);
    if (may_teach(record))
        atomic_fetch_add(&ledger->routes_other, 1);
    route = PST_STR(PST_ROUTE_OTHER);
    number = names_find(&ledger->routes, route);
    if (number < 0)
        return learn_route_number(ledger, route, ret_number);
    *ret_number = number;
    return 0;
}

static int route_number(struct pst_ledger *ledger, const struct pst_usage_record *record, int64_t *ret_number)
{
    struct pst_str path = {record->path, record->path_len};
    if (ledger->last_route > 0 &&
        pst_str_eq(path, (struct pst_str){ledger->last_path, ledger->last_path_len})) {
        *ret_number = ledger->last_route;
        return 0;
    }
    int err = route_number_of(ledger, record, ret_number);
    if (err < 0 || !may_teach(record))
        return err;
    memcpy(ledger->last_path, path.p, path.len);
    ledger->last_path_len = path.len;
    ledger->last_route = *ret_number;
    return 0;
}

static int word_number(struct pst_ledger *ledger, struct pst_str word, int64_t *ret_number)
{
    int64_t number = word.len == 0 ? 0 : names_find(&ledger->words, word);
    if (number < 0) {
        int err = pst_usage_store_name(ledger->store, word, &number);
        if (err == 0)
            err = names_add(&ledger->words, word, number);
        if (err < 0)
            return err;
    }
    *ret_number = number;
    return 0;
}

static int find_numbers(struct pst_ledger *ledger, const struct pst_usage_record *record,
                        const struct pst_usage_names *names, struct numbers *ret)
{
    int err = key_number(ledger, record, &ret->key);
    if (err == 0)
        err = route_number(ledger, record, &ret->route);
    if (err == 0)
        err = word_number(ledger, names->error, &ret->error);
    if (err == 0)
        err = word_number(ledger, names->endpoint, &ret->endpoint);
    return err < 0 ? err : word_number(ledger, names->rule, &ret->rule);
}

/* Rows */

/* 32 hex digits become 16 bytes; any other id stays text. */
static void set_request_id(struct pst_usage_row *row, const struct pst_usage_record *record,
                           uint8_t bytes[static 16])
{
    struct pst_str id = {record->request_id, record->request_id_len};
    bool hex = id.len == 32 && pst_hex_decode(id, bytes, 16) == 0;
    for (size_t i = 0; hex && i < id.len; i++)
        hex = id.p[i] < 'A' || id.p[i] > 'F'; /* upper case would not come back as it was */
    row->request_id = hex ? (const void *)bytes : id.p;
    row->request_id_len = hex ? 16 : id.len;
    row->request_id_is_text = !hex;
}

static int add_row(struct pst_ledger *ledger, const struct pst_usage_record *record,
                   const struct numbers *numbers)
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = memcmp(record->client, v4_prefix, sizeof(v4_prefix)) == 0;
    uint8_t id_bytes[16];
    struct pst_usage_row row = {
        .time_us = record->time_us,
        .duration_us = record->duration_us,
        .ttfb_us = record->ttfb_us,
        .bytes_in = record->bytes_in,
        .bytes_out = record->bytes_out,
        .key = numbers->key,
        .route = numbers->route,
        .error = numbers->error,
        .endpoint = numbers->endpoint,
        .rule = numbers->rule,
        .what = (record->status & 1023u) | (uint64_t)(record->method & 15) << 10 |
                (uint64_t)(record->secret_slot & 3) << 16 | (uint64_t)(record->end & 15) << 18 |
                (uint64_t)(record->tls & 15) << 22 |
                (uint64_t)((record->flags & PST_USAGE_OLD_SECRET) != 0) << 26 |
                (uint64_t)record->client_port << 32 | (uint64_t)record->attempts << 48,
        .client = v4 ? record->client + 12 : record->client,
        .client_len = v4 ? 4 : 16,
    };
    set_request_id(&row, record, id_bytes);
    return pst_usage_store_add(ledger->store, &row);
}

/* Last uses are gathered: a key that is busy is written once a batch, not once a request. */
static int flush_uses(struct pst_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_uses; i++) {
        const struct last_use *use = &ledger->uses[i];
        int err = pst_usage_store_touch(ledger->store, use->key, use->slot, use->time_us);
        if (err == 0 && use->old_minute > 0)
            err = pst_usage_store_add_old(ledger->store, use->key, use->slot, use->old_minute,
                                          use->old_requests, use->time_us);
        if (err < 0)
            return err;
    }
    ledger->n_uses = 0;
    return 0;
}

static struct last_use *find_use(struct pst_ledger *ledger, const struct last_use *wanted)
{
    for (size_t i = 0; i < ledger->n_uses; i++) {
        struct last_use *use = &ledger->uses[i];
        if (use->key == wanted->key && use->slot == wanted->slot && use->old_minute == wanted->old_minute)
            return use;
    }
    return NULL;
}

static int note_use(struct pst_ledger *ledger, const struct pst_usage_record *record, int64_t key)
{
    /* A refused request with a known key (disabled, expired) is no use of it. */
    if (key == 0 || record->end == PST_END_REFUSED)
        return 0;
    bool old = (record->flags & PST_USAGE_OLD_SECRET) != 0;
    const struct last_use wanted = {
        .key = key,
        .slot = record->secret_slot,
        .time_us = record->time_us,
        .old_minute = old ? record->time_us / MINUTE_US : 0,
        .old_requests = old && (record->flags & PST_USAGE_GOES_ON) == 0,
    };
    struct last_use *use = find_use(ledger, &wanted);
    if (use != NULL) {
        use->time_us = record->time_us > use->time_us ? record->time_us : use->time_us;
        use->old_requests += wanted.old_requests;
        return 0;
    }
    int err = ledger->n_uses == sizeof(ledger->uses) / sizeof(ledger->uses[0]) ? flush_uses(ledger) : 0;
    if (err == 0)
        ledger->uses[ledger->n_uses++] = wanted;
    return err;
}

static int write_record(struct pst_ledger *ledger, size_t i)
{
    const struct pst_usage_record *record = &ledger->batch[i];
    struct numbers numbers = {0};
    int err = find_numbers(ledger, record, &ledger->names[i], &numbers);
    bool skip = numbers.key == 0 && ledger->skip_keyless > 0;
    ledger->skip_keyless -= skip;
    ledger->dropped_keyless += skip;
    if (err == 0 && !skip)
        err = add_row(ledger, record, &numbers);
    if (err < 0)
        return err;
    rollup_add(&ledger->rollup, record, &numbers);
    return note_use(ledger, record, numbers.key);
}

static int write_places(struct pst_ledger *ledger)
{
    int64_t hour = pst_clock_real_us() / HOUR_US;
    for (size_t i = 0; i < ledger->n_sources; i++) {
        struct source *source = &ledger->sources[i];
        if (source->next == source->drained && source->next_lost == source->lost)
            continue;
        int err =
            new_losses(source) > 0 ? pst_usage_store_add_loss(ledger->store, hour, new_losses(source)) : 0;
        if (err == 0)
            err = pst_usage_store_set_cursor(ledger->store, source->journal->head->uuid, source->next,
                                             source->next_lost);
        if (err < 0)
            return err;
    }
    return 0;
}

/* A worker may have the same CPU, and requests wait as long as it is lent to us. So a batch is written in
 * pieces of well under a millisecond, with pauses; not when so much waits that the journals could fill up. */
#define PIECE_RECORDS  64
#define PIECE_PAUSE_NS 50000
#define HURRY_FROM_LAG (2 * PST_LEDGER_BATCH)

static void breathe(const struct pst_ledger *ledger, size_t n_done)
{
    const struct timespec pause = {.tv_nsec = PIECE_PAUSE_NS};
    if (n_done % PIECE_RECORDS == PIECE_RECORDS - 1 &&
        atomic_load_explicit(&ledger->lag, memory_order_relaxed) < HURRY_FROM_LAG)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Rows that this batch would add only to take them away again are not added. */
static void count_keyless(struct pst_ledger *ledger)
{
    uint64_t n = 0;
    for (size_t i = 0; i < ledger->n_batch; i++)
        n += ledger->batch[i].key_id[0] == '\0';
    ledger->skip_keyless = n > ledger->options.keep_keyless ? n - ledger->options.keep_keyless : 0;
    ledger->dropped_keyless = 0;
}

static int bound_keyless(struct pst_ledger *ledger)
{
    uint64_t dropped = 0;
    int err = pst_usage_store_bound_keyless(ledger->store, ledger->options.keep_keyless, &dropped);
    ledger->dropped_keyless += dropped;
    return err < 0 ? err : 0;
}

static int write_all(struct pst_ledger *ledger)
{
    int err = pst_usage_store_begin(ledger->store);
    if (err < 0)
        return err;
    rollup_clear(&ledger->rollup);
    ledger->n_uses = 0;
    count_keyless(ledger);
    for (size_t i = 0; err == 0 && i < ledger->n_batch; i++) {
        err = write_record(ledger, i);
        breathe(ledger, i);
    }
    if (err == 0)
        err = rollup_write(&ledger->rollup, ledger->store);
    if (err == 0)
        err = flush_uses(ledger);
    if (err == 0)
        err = bound_keyless(ledger);
    if (err == 0)
        err = write_places(ledger);
    if (err == 0)
        err = pst_usage_store_commit(ledger->store);
    if (err < 0) {
        pst_usage_store_rollback(ledger->store);
        /* Numbers that were made in this transaction are gone with it. */
        names_clear(&ledger->keys);
        names_clear(&ledger->routes);
        names_clear(&ledger->words);
        ledger->last_route = 0;
    }
    return err;
}

static void learn_route(void *arg, struct pst_str path, int64_t number)
{
    struct names *routes = arg;
    if (names_find(routes, path) < 0 && names_add(routes, path, number) < 0)
        pst_debug("usage", "no memory for a route's name");
}

/* After a failure, and at the start, the dictionary of routes is as full as usage.db says. */
static int learn_routes(struct pst_ledger *ledger)
{
    return ledger->routes.n > 0 ? 0 : pst_usage_store_routes(ledger->store, learn_route, &ledger->routes);
}

static bool something_to_write(const struct pst_ledger *ledger)
{
    if (ledger->n_batch > 0)
        return true;
    for (size_t i = 0; i < ledger->n_sources; i++) {
        const struct source *source = &ledger->sources[i];
        if (source->next != source->drained || source->next_lost != source->lost)
            return true;
    }
    return false;
}

static void say_losses(const struct source *source)
{
    const char *path =
        pst_journal_crash_safe(source->journal) ? source->journal->path : "a journal in memory";
    if (source->damaged > 0)
        pst_warn("usage", "%s: %llu records were damaged or missing and are not counted", path,
                 (unsigned long long)source->damaged);
    if (source->orphan && source->next_lost > source->lost)
        pst_warn("usage", "%s: %llu requests of the previous run were not counted: its journal was full",
                 path, (unsigned long long)(source->next_lost - source->lost));
}

/* Also when nothing can be written: a ring is full then soonest. */
static void watch_losses(struct pst_ledger *ledger)
{
    uint64_t more = 0;
    for (size_t i = 0; i < ledger->n_sources; i++) {
        struct source *source = &ledger->sources[i];
        uint64_t lost = pst_journal_lost(source->journal);
        if (!source->known || source->orphan || lost <= source->seen_lost)
            continue;
        more += lost - source->seen_lost;
        source->seen_lost = lost;
    }
    losses_note(&ledger->losses, more, pst_clock_mono_us());
}

static void finish(struct pst_ledger *ledger)
{
    for (size_t i = 0; i < ledger->n_sources; i++) {
        struct source *source = &ledger->sources[i];
        say_losses(source);
        atomic_fetch_add(&ledger->lost, new_losses(source));
        source->drained = source->next;
        source->lost = source->next_lost;
        journal_release(source->journal, source->drained);
    }
    atomic_fetch_add(&ledger->requests, ledger->n_batch);
    atomic_fetch_add(&ledger->keyless_dropped, ledger->dropped_keyless);
}

static void note_result(struct pst_ledger *ledger, int err)
{
    bool was_failing = atomic_load(&ledger->failing);
    if (err < 0) {
        atomic_fetch_add(&ledger->errors, 1);
        if (!was_failing)
            pst_error("usage", "usage cannot be written to the database and waits in the journals: %s",
                      pst_usage_store_why(ledger->store));
    } else if (was_failing) {
        pst_info("usage", "usage is written to the database again");
    }
    atomic_store(&ledger->failing, err < 0);
}

/* For other threads, which must not look at the sources. */
static void count_waiting(struct pst_ledger *ledger)
{
    uint64_t lag = 0;
    unsigned in_memory = 0;
    for (size_t i = 0; i < ledger->n_sources; i++) {
        lag += pst_journal_lag(ledger->sources[i].journal);
        in_memory += !pst_journal_crash_safe(ledger->sources[i].journal);
    }
    atomic_store(&ledger->lag, lag);
    atomic_store(&ledger->volatile_journals, in_memory);
}

static int write_batch(struct pst_ledger *ledger)
{
    uint64_t begin = pst_clock_mono_us();
    int err = learn_routes(ledger);
    if (err == 0)
        err = write_all(ledger);
    if (err < 0)
        return err;
    finish(ledger);
    atomic_fetch_add(&ledger->commits, 1);
    atomic_fetch_add(&ledger->commit_us, pst_clock_mono_us() - begin);
    return 0;
}

int pst_ledger_drain(struct pst_ledger *ledger)
{
    int err = 0;
    ledger->n_batch = 0;
    watch_losses(ledger);
    for (size_t i = 0; err == 0 && i < ledger->n_sources; i++)
        err = collect(ledger, &ledger->sources[(ledger->first_source + i) % ledger->n_sources]);
    ledger->first_source = ledger->n_sources > 0 ? (ledger->first_source + 1) % ledger->n_sources : 0;
    if (err == 0) {
        log_batch(ledger);
        bool work = something_to_write(ledger);
        if (work)
            err = write_batch(ledger);
        if (work)
            note_result(ledger, err);
    } else {
        note_result(ledger, err);
    }
    if (err < 0)
        log_waiting(ledger);
    else
        ledger_drop_orphans(ledger);
    count_waiting(ledger);
    return err < 0 ? err : (int)ledger->n_batch;
}
