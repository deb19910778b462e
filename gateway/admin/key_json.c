/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/clock.h"

#include <stdio.h>

#define ROW_MAX_BYTES (512 * 1024)

static json_t *masked(struct pst_str prefix, struct pst_str last4)
{
    char text[2 * PST_KEYS_SHOWN_MAX + 8];
    snprintf(text, sizeof(text), PST_STR_FMT "…" PST_STR_FMT, PST_STR_ARG(prefix), PST_STR_ARG(last4));
    return json_string(text);
}

/* The secret before it, while it works, and who still comes with it. */
static json_t *old_json(struct admin_request *r, const struct pst_key_row *row, int i, int64_t now_us)
{
    const struct pst_key_slot *slot = &row->slot[i];
    struct pst_usage_old old = {0};
    if (!slot->old_digest.set || slot->old_valid_until_us <= now_us)
        return json_null();
    if (pst_usage_store_old_uses(r->admin->usage, row->id, i + 1, slot->created_us, &old) < 0)
        old = (struct pst_usage_old){0}; /* as with its last use */
    return json_pack("{s:o, s:o, s:I, s:o}", "masked", masked(PST_STR(""), slot->old_last4), "valid_until",
                     admin_time(slot->old_valid_until_us), "requests", (json_int_t)old.requests, "last_used",
                     admin_time(old.last_us));
}

static json_t *slot_json(struct admin_request *r, const struct pst_key_row *row, int i, int64_t last_used_us,
                         int64_t now_us)
{
    const struct pst_key_slot *slot = &row->slot[i];
    if (!slot->digest.set)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:b, s:o}", "masked", masked(slot->prefix, slot->last4), "created",
                     admin_time(slot->created_us), "last_used", admin_time(last_used_us), "imported",
                     slot->imported, "old", old_json(r, row, i, now_us));
}

/* JSON that the store keeps as text, or `otherwise` (which is taken over). */
static json_t *stored(struct pst_str text, json_t *otherwise)
{
    json_t *value = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    if (value == NULL)
        return otherwise;
    json_decref(otherwise);
    return value;
}

json_t *admin_key_json(struct admin_request *r, const struct pst_key_row *row)
{
    struct pst_usage_last used;
    int64_t now_us = pst_clock_real_us();
    /* A key is shown without its last use rather than not at all. */
    if (pst_usage_store_last_used(r->admin->usage, row->id, &used) < 0)
        used = (struct pst_usage_last){0};
    json_t *key = json_pack("{s:o, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", //
                            "id", admin_text(row->id), "name", admin_text(row->name),  //
                            "note", admin_text(row->note), "tags", stored(row->tags, json_array()), "state",
                            pst_key_row_state(row, now_us), "enabled", row->state == PST_KEY_STATE_ACTIVE,
                            "created", admin_time(row->created_us), "updated", admin_time(row->updated_us),
                            "last_used", admin_time(used.any_us), "expires", admin_time(row->expires_us),
                            "not_before", admin_time(row->not_before_us));
    if (key == NULL)
        return NULL;
    json_object_set_new(key, "scopes", stored(row->scopes, json_array()));
    json_object_set_new(key, "networks", stored(row->networks, json_array()));
    json_object_set_new(key, "limits", stored(row->limits, json_object()));
    json_object_set_new(key, "secrets",
                        json_pack("{s:o, s:o}", "key1", slot_json(r, row, 0, used.slot_us[0], now_us), "key2",
                                  slot_json(r, row, 1, used.slot_us[1], now_us)));
    return key;
}

void admin_key_answer(struct admin_request *r, unsigned status, struct pst_str id,
                      const struct pst_secret secrets[2])
{
    static const char *const names[] = {"key1", "key2"};
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 4096, ROW_MAX_BYTES);
    int err = pst_keys_get(store, id, &arena, &row);
    if (err == 0) {
        r->status = status;
        r->output = admin_key_json(r, &row);
        for (int i = 0; secrets != NULL && i < 2; i++) {
            if (secrets[i].len > 0)
                json_object_set_new(r->output, names[i], admin_text(pst_secret_str(&secrets[i])));
        }
        snprintf(r->etag, sizeof(r->etag), "\"%llu\"", (unsigned long long)row.change_seq);
    } else if (err == -PST_ENOENT) {
        admin_fail(r, 404, "NotFound", "No key has this id.");
    } else {
        admin_fail_err(r, err, NULL, pst_keys_why(store));
    }
    pst_arena_done(&arena);
}
