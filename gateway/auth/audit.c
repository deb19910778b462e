/* SPDX-License-Identifier: Apache-2.0 */
#include "postern/auth/audit.h"

#include "change.h"
#include "keys_private.h"
#include "postern/base/arena.h"
#include "postern/base/buf.h"
#include "postern/base/clock.h"

#include <stdio.h>
#include <string.h>

/* A key's texts at their longest. */
#define ROW_BYTES_MAX ((size_t)512 * 1024)

/* How a key looks */

static json_t *json_time(int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE];
    if (time_us == 0)
        return json_null();
    pst_time_format(time_us, text);
    return json_string(text);
}

static json_t *json_slot(const struct pst_key_slot *slot)
{
    char shown[2 * PST_KEYS_SHOWN_MAX + 8];
    if (!slot->digest.set)
        return json_null();
    snprintf(shown, sizeof(shown), PST_STR_FMT "\xE2\x80\xA6" PST_STR_FMT, PST_STR_ARG(slot->prefix),
             PST_STR_ARG(slot->last4));
    return json_pack("{s:s, s:o, s:b, s:o}", "shown", shown, "created_at", json_time(slot->created_us),
                     "imported", slot->imported, "old_valid_until",
                     json_time(slot->old_digest.set ? slot->old_valid_until_us : 0));
}

/* The store's text as JSON; null for nothing, or what is no JSON. */
static json_t *json_rule(struct pst_str text)
{
    json_t *value = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    return value != NULL ? value : json_null();
}

/* Everything that people set, and of the secrets what may be shown. */
static json_t *json_key(const struct pst_key_row *row)
{
    return json_pack(
        "{s:s%, s:s%, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", row->name.p, row->name.len,
        "note", row->note.p, row->note.len, "enabled", row->state == PST_KEY_STATE_ACTIVE, "expires_at",
        json_time(row->expires_us), "not_before", json_time(row->not_before_us), "tags", json_rule(row->tags),
        "scopes", json_rule(row->scopes), "networks", json_rule(row->networks), "limits",
        json_rule(row->limits), "key1", json_slot(&row->slot[0]), "key2", json_slot(&row->slot[1]));
}

/* The key as it is, or *ret NULL when there is none. */
static int read_key(struct pst_keys *keys, struct pst_str id, json_t **ret, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    struct pst_arena arena;
    struct pst_key_row row;
    *ret = NULL;
    pst_arena_init(&arena, 4096, ROW_BYTES_MAX);
    int err = pst_keys_get(store, id, &arena, &row);
    if (err == 0) {
        *ret = json_key(&row);
        err = *ret == NULL ? -PST_ENOMEM : 0;
    }
    pst_arena_done(&arena);
    if (err == -PST_ENOENT)
        return 0;
    return err < 0
               ? pst_why_set(why, err, NULL, "%s", err == -PST_ENOMEM ? "out of memory" : pst_keys_why(store))
               : 0;
}

/* Leaves what differs. */
static void drop_common(json_t *before, json_t *after)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(before, next, name, value)
    {
        json_t *other = json_object_get(after, name);
        if (other == NULL || !json_equal(value, other))
            continue;
        json_object_del(after, name);
        json_object_del(before, name);
    }
}

/* Writing it down */

static int append(struct pst_keys *keys, const char *action, struct pst_str target, struct pst_str before,
                  struct pst_str after, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    const struct pst_audit_event event = {
        .actor = pst_keys_actor(keys),
        .action = pst_str_of(action),
        .target = target,
        .before = before,
        .after = after,
        .time_us = pst_clock_real_us(),
    };
    int err = pst_audit_append(store, &event);
    return err < 0 ? pst_why_set(why, err, NULL, "%s", pst_keys_why(store)) : 0;
}

static int add_piece(const char *text, size_t len, void *arg)
{
    return pst_buf_add(arg, text, len);
}

/* NULL is nothing. */
static int add_json(struct pst_buf *buf, const json_t *value)
{
    return value == NULL || json_dump_callback(value, add_piece, buf, JSON_COMPACT) == 0 ? 0 : -PST_ENOMEM;
}

static int append_json(struct pst_change *change, struct pst_str target, json_t *after, struct pst_why *why)
{
    struct pst_buf texts[2];
    if (change->before != NULL && after != NULL)
        drop_common(change->before, after);
    pst_buf_init(&texts[0], PST_AUDIT_JSON_MAX);
    pst_buf_init(&texts[1], PST_AUDIT_JSON_MAX);
    int err = add_json(&texts[0], change->before);
    if (err == 0)
        err = add_json(&texts[1], after);
    err = err < 0 ? pst_why_set(why, err, NULL, "out of memory")
                  : append(change->keys, change->action, target, pst_buf_str(&texts[0]),
                           pst_buf_str(&texts[1]), why);
    pst_buf_done(&texts[0]);
    pst_buf_done(&texts[1]);
    return err;
}

int pst_audit_note(struct pst_keys *keys, const char *action, struct pst_str target, struct pst_str before,
                   struct pst_str after, struct pst_why *why)
{
    return append(keys, action, target, before, after, why);
}

/* The frame */

static int finish(struct pst_change *change, int err, struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(change->keys);
    json_decref(change->before);
    change->before = NULL;
    if (!change->own)
        return err;
    if (err < 0) {
        pst_keys_rollback(store);
        return err;
    }
    err = pst_keys_commit(store);
    return err < 0 ? pst_why_set(why, err, NULL, "%s", pst_keys_why(store)) : 0;
}

int pst_change_begin(struct pst_change *change, struct pst_keys *keys, const char *action, struct pst_str id,
                     struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(keys);
    *change = (struct pst_change){.keys = keys, .action = action, .own = !pst_keys_in_transaction(store)};
    int err = change->own ? pst_keys_begin(store) : 0;
    if (err < 0)
        return pst_why_set(why, err, NULL, "%s", pst_keys_why(store));
    err = id.len > 0 ? read_key(keys, id, &change->before, why) : 0;
    return err < 0 ? finish(change, err, why) : 0;
}

int pst_change_end(struct pst_change *change, int err, struct pst_str id, struct pst_why *why)
{
    json_t *after = NULL;
    if (pst_keys_is_bulk(change->keys))
        return finish(change, err, why);
    if (err == 0)
        err = read_key(change->keys, id, &after, why);
    if (err == 0)
        err = append_json(change, id, after, why);
    json_decref(after);
    return finish(change, err, why);
}

int pst_change_drop(struct pst_change *change)
{
    json_decref(change->before);
    change->before = NULL;
    if (change->own)
        pst_keys_rollback(pst_keys_service_store(change->keys));
    return 0;
}

int pst_change_end_with(struct pst_change *change, int err, struct pst_str target, json_t *after,
                        struct pst_why *why)
{
    if (err == 0 && after == NULL)
        err = pst_why_set(why, -PST_ENOMEM, NULL, "out of memory");
    if (err == 0)
        err = append_json(change, target, after, why);
    json_decref(after);
    return finish(change, err, why);
}
