/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the keys, and what of a key may be shown. */
#include "postern/auth/audit.h"
#include "postern/base/clock.h"
#include "postern/db/usage_store.h"

#include "key_internal.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whoever runs the command. A container's user often has no name. */
static void set_actor(struct pst_keys *keys)
{
    struct pst_actor actor = {.kind = PST_ACTOR_CLI};
    const struct passwd *user = getpwuid(getuid());
    snprintf(actor.id, sizeof(actor.id), "%u", (unsigned)getuid());
    if (user != NULL)
        pst_str_clip(pst_str_of(user->pw_name), actor.name, sizeof(actor.name));
    pst_keys_set_actor(keys, &actor);
}

int key_session_open(struct key_session *session, bool make)
{
    session->keys = NULL;
    if (pst_cmd_settings(&session->args, &session->settings) < 0)
        return PST_EXIT_FAILED;
    int err = pst_keys_service_open(session->settings.data_dir, make, &session->keys, &session->why);
    if (err == 0) {
        set_actor(session->keys);
        return -1;
    }
    pst_cmd_error("%s", session->why.text);
    pst_settings_done(&session->settings);
    return PST_EXIT_FAILED;
}

void key_session_close(struct key_session *session)
{
    pst_keys_service_close(session->keys);
    pst_settings_done(&session->settings);
}

int key_failed(const struct key_session *session, const struct pst_usage *usage, int err)
{
    static const char *const options[] = {"id",    "name", "note",   "expires",  "not_before",
                                          "grace", "tags", "scopes", "networks", "limits"};
    for (size_t i = 0; err == -PST_EINVAL && i < sizeof(options) / sizeof(options[0]); i++) {
        if (session->why.field != NULL && strcmp(session->why.field, options[i]) == 0)
            return pst_cmd_wrong_usage(usage, "%s", session->why.text);
    }
    pst_cmd_error("%s", session->why.text);
    return PST_EXIT_FAILED;
}

int key_store_failed(const struct key_session *session)
{
    pst_cmd_error("%s", pst_keys_why(pst_keys_service_store(session->keys)));
    return PST_EXIT_FAILED;
}

/* Keys that have a name. */
#define NAMED_SHOWN 8
struct named {
    size_t n;
    char ids[NAMED_SHOWN][PST_KEYS_ID_MAX + 1];
};

static int add_named(const struct pst_key_row *row, void *arg)
{
    struct named *named = arg;
    if (named->n++ < NAMED_SHOWN)
        pst_str_clip(row->id, named->ids[named->n - 1], sizeof(named->ids[0]));
    return 0;
}

static void say_ambiguous(const char *word, const struct named *named)
{
    char ids[NAMED_SHOWN * (PST_KEYS_ID_MAX + 2) + 1] = "";
    size_t used = 0;
    for (size_t i = 0; i < named->n && i < NAMED_SHOWN; i++)
        used += (size_t)snprintf(ids + used, sizeof(ids) - used, "%s%s", i > 0 ? ", " : "", named->ids[i]);
    pst_cmd_error("%zu keys are named \"%s\": use an id: %s%s", named->n, word, ids,
                  named->n > NAMED_SHOWN ? ", ..." : "");
}

static int find_by_name(struct pst_keys_store *store, const char *word, char id[static PST_KEYS_ID_MAX + 1])
{
    struct named named = {0};
    const struct pst_keys_filter filter = {.name = pst_str_of(word)};
    int err = filter.name.len > 0 ? pst_keys_list(store, &filter, add_named, &named) : 0;
    if (err < 0 || named.n == 0)
        return err < 0 ? err : -PST_ENOENT;
    if (named.n > 1) {
        say_ambiguous(word, &named);
        return -PST_EEXIST;
    }
    pst_str_clip(pst_str_of(named.ids[0]), id, PST_KEYS_ID_MAX + 1);
    return 0;
}

int key_find_in(struct pst_keys_store *store, const char *word, char id[static PST_KEYS_ID_MAX + 1])
{
    struct pst_arena arena;
    struct pst_key_row row;
    struct pst_str given = pst_str_of(word);
    if (pst_str_starts(given, PST_STR(PST_KEY_PREFIX)))
        given = pst_str_skip(given, sizeof(PST_KEY_PREFIX) - 1);
    pst_arena_init(&arena, 4096, PST_KEY_ROW_BYTES_MAX);
    int err = given.len <= PST_KEY_ID_LEN ? pst_keys_get(store, given, &arena, &row) : -PST_ENOENT;
    pst_arena_done(&arena);
    if (err == 0)
        pst_str_clip(given, id, PST_KEYS_ID_MAX + 1);
    return err == -PST_ENOENT ? find_by_name(store, word, id) : err;
}

int key_unknown(const char *word)
{
    if (strlen(word) <= PST_KEY_ID_LEN)
        pst_cmd_error("there is no key with the id or name \"%s\"; `postern key list` lists them", word);
    else
        pst_cmd_error(
            "there is no key with this id or name; `postern key list` lists them. If that was a secret, "
            "rotate it: others on this machine can see arguments");
    return PST_EXIT_FAILED;
}

int key_find(struct key_session *session, const char *word, struct pst_str *ret_id)
{
    int err = key_find_in(pst_keys_service_store(session->keys), word, session->id);
    if (err == 0) {
        *ret_id = pst_str_of(session->id);
        return -1;
    }
    if (err == -PST_ENOENT)
        return key_unknown(word);
    return err == -PST_EEXIST ? PST_EXIT_FAILED : key_store_failed(session);
}

int key_read(struct key_session *session, struct pst_str id, struct pst_arena *arena, struct pst_key_row *ret)
{
    int err = pst_keys_get(pst_keys_service_store(session->keys), id, arena, ret);
    if (err == 0)
        return -1;
    if (err != -PST_ENOENT)
        return key_store_failed(session);
    pst_cmd_error("there is no key \"" PST_STR_FMT "\"; `postern key list` lists them", PST_STR_ARG(id));
    return PST_EXIT_FAILED;
}

/* Showing */

void key_shown_text(struct pst_str prefix, struct pst_str last4, char text[static PST_KEY_SHOWN_TEXT_SIZE])
{
    snprintf(text, PST_KEY_SHOWN_TEXT_SIZE, PST_STR_FMT "%s" PST_STR_FMT, PST_STR_ARG(prefix),
             last4.len > 0 ? "\xE2\x80\xA6" : "", PST_STR_ARG(last4));
}

json_t *key_json_time(int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE];
    if (time_us == 0)
        return json_null();
    pst_time_format(time_us, text);
    return json_string(text);
}

static bool in_grace(const struct pst_key_slot *slot, int64_t now_us)
{
    return slot->old_digest.set && slot->old_valid_until_us > now_us;
}

static json_t *json_slot(const struct pst_key_slot *slot, int64_t now_us)
{
    if (!slot->digest.set)
        return json_null();
    char shown[PST_KEY_SHOWN_TEXT_SIZE];
    key_shown_text(slot->prefix, slot->last4, shown);
    return json_pack("{s:s, s:o, s:b, s:o}", "shown", shown, "created_at", key_json_time(slot->created_us),
                     "imported", slot->imported, "old_valid_until",
                     key_json_time(in_grace(slot, now_us) ? slot->old_valid_until_us : 0));
}

/* As the database has it; null for no rule, or one that is no JSON. */
static void add_rules(json_t *object, const struct pst_key_row *row)
{
    const struct {
        const char *name;
        struct pst_str text;
    } rules[] = {
        {"tags", row->tags}, {"scopes", row->scopes}, {"networks", row->networks}, {"limits", row->limits}};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct pst_str text = rules[i].text;
        json_t *value = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;
        json_object_set_new(object, rules[i].name, value != NULL ? value : json_null());
    }
}

static void print_rule(const char *label, struct pst_str text)
{
    if (text.len > 0)
        printf("%-12s " PST_STR_FMT "\n", label, PST_STR_ARG(text));
}

/* What was counted of a slot: its last use, and requests that still come with the secret before it. */
static void add_use(json_t *slot, const struct pst_key_slot *row, const struct key_use *use, int i,
                    int64_t now_us)
{
    if (!json_is_object(slot))
        return;
    json_object_set_new(slot, "last_used_at", key_json_time(use->last.slot_us[i]));
    if (!in_grace(row, now_us))
        return;
    json_object_set_new(slot, "old_requests", json_integer((json_int_t)use->old[i].requests));
    json_object_set_new(slot, "old_last_used_at", key_json_time(use->old[i].last_us));
}

json_t *key_json(const struct pst_key_row *row, const struct key_use *use)
{
    int64_t now_us = pst_clock_real_us();
    json_t *object =
        json_pack("{s:s%, s:s%, s:s%, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id", row->id.p, row->id.len,
                  "name", row->name.p, row->name.len, "note", row->note.p, row->note.len, "state",
                  pst_key_row_state(row, now_us), "created_at", key_json_time(row->created_us), "updated_at",
                  key_json_time(row->updated_us), "expires_at", key_json_time(row->expires_us), "not_before",
                  key_json_time(row->not_before_us), "key1", json_slot(&row->slot[0], now_us), "key2",
                  json_slot(&row->slot[1], now_us));
    add_rules(object, row);
    if (object == NULL || use == NULL)
        return object;
    json_object_set_new(object, "last_used_at", key_json_time(use->last.any_us));
    add_use(json_object_get(object, "key1"), &row->slot[0], use, 0, now_us);
    add_use(json_object_get(object, "key2"), &row->slot[1], use, 1, now_us);
    return object;
}

bool key_read_use(struct pst_usage_store *store, const struct pst_key_row *row, struct key_use *ret)
{
    *ret = (struct key_use){0};
    int err = store != NULL ? pst_usage_store_last_used(store, row->id, &ret->last) : -PST_ENOENT;
    for (int i = 0; err == 0 && i < 2; i++) {
        if (row->slot[i].old_digest.set)
            err = pst_usage_store_old_uses(store, row->id, i + 1, row->slot[i].created_us, &ret->old[i]);
    }
    return err == 0;
}

/* False when nothing counts what is used, in this data_dir. */
static bool open_and_read_use(const char *data_dir, const struct pst_key_row *row, struct key_use *ret)
{
    struct pst_usage_store *store = NULL;
    if (pst_usage_store_open(data_dir, PST_DB_READ, &store, NULL) < 0)
        return false;
    bool counted = key_read_use(store, row, ret);
    pst_usage_store_close(store);
    return counted;
}

static void print_time(const char *label, int64_t time_us, const char *unset)
{
    char text[PST_TIME_TEXT_SIZE];
    if (time_us != 0)
        pst_time_format(time_us, text);
    printf("%-12s %s\n", label, time_us != 0 ? text : unset);
}

static void print_old(const struct pst_key_slot *slot, const struct pst_usage_old *old)
{
    char until[PST_TIME_TEXT_SIZE], last[PST_TIME_TEXT_SIZE];
    pst_time_format(slot->old_valid_until_us, until);
    printf("%-12s the previous one (\xE2\x80\xA6" PST_STR_FMT ") works until %s", "",
           PST_STR_ARG(slot->old_last4), until);
    if (old != NULL && old->requests == 0) {
        printf(", not used since the rotation");
    } else if (old != NULL) {
        pst_time_format(old->last_us, last);
        printf(",\n%-12s %llu request%s used it since the rotation, the last one %s", "",
               (unsigned long long)old->requests, old->requests == 1 ? "" : "s", last);
    }
    puts("");
}

/* `use`: NULL when nobody counts that. */
static void print_slot(const char *label, const struct pst_key_row *row, int i, const struct key_use *use)
{
    const struct pst_key_slot *slot = &row->slot[i];
    if (!slot->digest.set) {
        printf("%-12s none\n", label);
        return;
    }
    char shown[PST_KEY_SHOWN_TEXT_SIZE];
    char time[PST_TIME_TEXT_SIZE];
    key_shown_text(slot->prefix, slot->last4, shown);
    pst_time_format(slot->created_us, time);
    printf("%-12s %s, %s %s", label, shown, slot->imported ? "imported" : "created", time);
    if (use != NULL && use->last.slot_us[i] > 0) {
        pst_time_format(use->last.slot_us[i], time);
        printf(", last used %s", time);
    }
    puts(use != NULL && use->last.slot_us[i] == 0 ? ", never used" : "");
    if (in_grace(slot, pst_clock_real_us()))
        print_old(slot, use != NULL ? &use->old[i] : NULL);
}

static void print_fields(const struct pst_key_row *row, const struct key_use *use)
{
    int64_t now_us = pst_clock_real_us();
    printf("%-12s " PST_STR_FMT "\n", "id", PST_STR_ARG(row->id));
    printf("%-12s " PST_STR_FMT "\n", "name", PST_STR_ARG(row->name));
    if (row->note.len > 0)
        printf("%-12s " PST_STR_FMT "\n", "note", PST_STR_ARG(row->note));
    printf("%-12s %s\n", "state", pst_key_row_state(row, now_us));
    print_time("created", row->created_us, "-");
    print_time("updated", row->updated_us, "-");
    print_time("not before", row->not_before_us, "-");
    print_time("expires", row->expires_us, "never");
    print_rule("tags", row->tags);
    print_rule("scopes", row->scopes);
    print_rule("networks", row->networks);
    print_rule("limits", row->limits);
    print_slot("key1", row, 0, use);
    print_slot("key2", row, 1, use);
}

int key_print(struct key_session *session, struct pst_str id, bool as_json)
{
    struct pst_arena arena;
    struct pst_key_row row;
    pst_arena_init(&arena, 4096, PST_KEY_ROW_BYTES_MAX);
    int done = key_read(session, id, &arena, &row);
    if (done < 0) {
        struct key_use use;
        bool counted = open_and_read_use(session->settings.data_dir, &row, &use);
        if (as_json) {
            done = pst_cmd_print_json(key_json(&row, counted ? &use : NULL));
        } else {
            print_fields(&row, counted ? &use : NULL);
            done = pst_cmd_finish();
        }
    }
    pst_arena_done(&arena);
    return done;
}

/* Lists */

void key_table_time(struct pst_table *table, int64_t time_us)
{
    char text[PST_TIME_TEXT_SIZE] = "-";
    if (time_us != 0)
        pst_time_format(time_us, text);
    pst_table_cell(table, text);
}

static int list_json(const struct key_listing *listing, struct key_session *session)
{
    json_t *array = json_array();
    if (listing->add(pst_keys_service_store(session->keys), array, NULL) == 0)
        return pst_cmd_print_json(array);
    json_decref(array);
    return key_store_failed(session);
}

static int list_table(const struct key_listing *listing, struct key_session *session)
{
    struct pst_table *table = pst_table_new(listing->columns, listing->n_columns);
    if (table == NULL) {
        pst_cmd_error("out of memory");
        return PST_EXIT_FAILED;
    }
    int err = listing->add(pst_keys_service_store(session->keys), NULL, table);
    pst_table_print(table, stdout);
    return err < 0 ? key_store_failed(session) : pst_cmd_finish();
}

int key_listing_run(const struct key_listing *listing, const bool *as_json, int argc, char **argv)
{
    struct key_session session;
    int done = pst_cmd_parse(listing->usage, argc, argv, &session.args);
    if (done < 0)
        done = key_session_open(&session, false);
    if (done >= 0)
        return done;
    done = *as_json ? list_json(listing, &session) : list_table(listing, &session);
    key_session_close(&session);
    return done;
}
