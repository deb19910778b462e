/* SPDX-License-Identifier: Apache-2.0 */
/* The keys: /admin/v1/keys and below. */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"

#include <stdio.h>
#include <string.h>

#define GRACE_DEFAULT_S 86400
#define GRACE_MAX_S     (30 * 86400)

/* A text that only an import has; a secret's value is not repeated. */
static struct pst_str import_field(struct admin_request *r, const char *name)
{
    const json_t *value = json_object_get(r->input, name);
    if (value == NULL)
        return PST_STR("");
    if (!json_is_string(value) || json_string_length(value) == 0)
        admin_invalid(r, name, strcmp(name, "id") == 0 ? value : NULL, "a text that is not empty");
    return (struct pst_str){json_string_value(value), json_string_length(value)};
}

static void make(struct admin_request *r, const struct pst_key_new *request)
{
    struct pst_key_made made;
    struct pst_why why = {0};
    int err = pst_keys_make(r->admin->keys, request, &made, &why);
    if (err < 0) {
        const char *field = why.field != NULL && strcmp(why.field, "secret") == 0 ? "key1" : why.field;
        admin_fail_err(r, err, field, why.text);
        return;
    }
    snprintf(r->location, sizeof(r->location), "/admin/v1/keys/%s", made.id);
    admin_key_answer(r, 201, pst_str_of(made.id), made.secrets);
    pst_wipe(&made, sizeof(made));
}

static void read_and_make(struct admin_request *r, bool importing)
{
    static admin_names none = {NULL}, imports = {"id", "key1", "key2", NULL};
    struct admin_key_fields given;
    admin_key_fields_read(r, ADMIN_KEY_FIELDS_NEW, importing ? imports : none, &given);
    const struct pst_key_row *row = &given.row;
    struct pst_key_new request = {.name = row->name,
                                  .note = row->note,
                                  .tags = row->tags,
                                  .scopes = row->scopes,
                                  .networks = row->networks,
                                  .limits = row->limits,
                                  .expires_us = row->expires_us,
                                  .not_before_us = row->not_before_us};
    if (importing) {
        request.id = import_field(r, "id");
        request.imports[0] = import_field(r, "key1");
        request.imports[1] = import_field(r, "key2");
        if (json_object_get(r->input, "key1") == NULL)
            admin_invalid(r, "key1", NULL, "is needed");
    }
    if (!admin_failed(r))
        make(r, &request);
    admin_key_fields_done(&given);
}

void admin_keys_create(struct admin_request *r)
{
    if (MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Idempotency-Key") != NULL)
        admin_fail(r, 400, "BadHeader", "Idempotency-Key is not taken by this version.");
    else
        read_and_make(r, false);
}

void admin_keys_import(struct admin_request *r)
{
    read_and_make(r, true);
}

/* List */

static bool read_sort(struct admin_request *r, struct pst_keys_filter *filter)
{
    static const char *const orders[] = {
        [PST_KEYS_BY_CREATED] = "created", [PST_KEYS_BY_ID] = "id",           [PST_KEYS_BY_NAME] = "name",
        [PST_KEYS_BY_EXPIRES] = "expires", [PST_KEYS_BY_UPDATED] = "updated",
    };
    const char *text = admin_query(r, "sort");
    if (text == NULL)
        return true;
    filter->descending = text[0] == '-';
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(text + filter->descending, orders[i]) == 0) {
            filter->order = (enum pst_keys_order)i;
            return true;
        }
    }
    admin_fail(r, 400, "BadParameter", "sort is one of created, id, name, expires, updated, or -created ...");
    return false;
}

static bool read_filter(struct admin_request *r, struct pst_keys_filter *filter)
{
    const char *state = admin_query(r, "state");
    if (state != NULL && strcmp(state, "active") == 0) {
        filter->states = 1 << PST_KEY_STATE_ACTIVE;
    } else if (state != NULL && strcmp(state, "disabled") == 0) {
        filter->states = 1 << PST_KEY_STATE_DISABLED;
    } else if (state != NULL) {
        admin_fail(r, 400, "BadParameter", "state is active or disabled.");
        return false;
    }
    filter->text = pst_str_of(admin_query(r, "text"));
    filter->name = pst_str_of(admin_query(r, "name"));
    filter->limit = 50;
    return admin_query_time(r, "expires_before", &filter->expires_before_us) && read_sort(r, filter) &&
           admin_query_number(r, "limit", 1, 500, &filter->limit) &&
           admin_query_number(r, "cursor", 0, INT64_MAX, &filter->offset);
}

struct listing {
    struct admin_request *r;
    json_t *items;
};

static int add_key(const struct pst_key_row *row, void *arg)
{
    struct listing *listing = arg;
    json_t *key = admin_key_json(listing->r, row);
    return key != NULL && json_array_append_new(listing->items, key) == 0 ? 0 : -PST_ENOMEM;
}

void admin_keys_list(struct admin_request *r)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_keys_filter filter = {0};
    uint64_t total = 0;
    if (!read_filter(r, &filter))
        return;
    struct listing listing = {r, json_array()};
    int err = pst_keys_count(store, &filter, &total);
    if (err == 0)
        err = pst_keys_list(store, &filter, add_key, &listing);
    if (err < 0) {
        json_decref(listing.items);
        admin_fail_err(r, err, NULL, pst_keys_why(store));
        return;
    }
    uint64_t next = filter.offset + json_array_size(listing.items);
    char cursor[PST_U64_TEXT_MAX + 1];
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)next);
    r->status = 200;
    r->output = json_pack("{s:o, s:s?, s:I}", "items", listing.items, "next_cursor",
                          next < total && json_array_size(listing.items) > 0 ? cursor : NULL, "total",
                          (json_int_t)total);
}

/* One key */

void admin_key_get(struct admin_request *r)
{
    admin_key_answer(r, 200, r->params[0], NULL);
}

/* Whether the key still is what If-Match names; inside a transaction. */
static bool still_matches(struct admin_request *r)
{
    const char *wanted = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "If-Match");
    if (wanted == NULL || strcmp(wanted, "*") == 0)
        return true;
    admin_key_answer(r, 200, r->params[0], NULL);
    bool same = strcmp(wanted, r->etag) == 0;
    r->etag[0] = '\0';
    if (r->status == 200 && !same)
        admin_fail(r, 412, "PreconditionFailed",
                   "Somebody changed the key meanwhile: read it again, then try again.");
    if (r->status == 200) {
        json_decref(r->output);
        r->output = NULL;
    }
    return r->status == 200;
}

/* Begins a change of the key that If-Match names; false: the answer has been made. */
static bool begin_matched(struct admin_request *r)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    int err = pst_keys_begin(store);
    if (err < 0) {
        admin_fail_err(r, err, NULL, pst_keys_why(store));
        return false;
    }
    if (still_matches(r))
        return true;
    pst_keys_rollback(store);
    return false;
}

/* Ends it with what the service said. */
static bool end_matched(struct admin_request *r, int err, const struct pst_why *why)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    if (err < 0) {
        pst_keys_rollback(store);
        admin_fail_err(r, err, why->field, why->text);
        return false;
    }
    err = pst_keys_commit(store);
    if (err < 0)
        admin_fail_err(r, err, NULL, pst_keys_why(store));
    return err == 0;
}

void admin_key_change(struct admin_request *r)
{
    static admin_names none = {NULL};
    if (MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "If-Match") == NULL) {
        admin_fail(r, 428, "PreconditionRequired",
                   "Send If-Match with the ETag that was read, or * to change the key whatever it is now.");
        return;
    }
    struct admin_key_fields given;
    struct pst_why why = {0};
    admin_key_fields_read(r, ADMIN_KEY_FIELDS_NEW | PST_KEYS_SET_STATE, none, &given);
    given.row.id = r->params[0];
    if (!admin_failed(r) && begin_matched(r)) {
        int err = given.what != 0 ? pst_keys_change(r->admin->keys, &given.row, given.what, 0, &why) : 0;
        if (end_matched(r, err, &why))
            admin_key_answer(r, 200, r->params[0], NULL);
    }
    admin_key_fields_done(&given);
}

void admin_key_delete(struct admin_request *r)
{
    struct pst_why why = {0};
    if (begin_matched(r) && end_matched(r, pst_keys_remove(r->admin->keys, r->params[0], &why), &why))
        r->status = 204;
}

static int slot_number(struct pst_str name)
{
    return pst_str_eq(name, PST_STR("key1")) ? 1 : pst_str_eq(name, PST_STR("key2")) ? 2 : 0;
}

void admin_key_rotate(struct admin_request *r)
{
    static admin_names known = {"secret", "grace_seconds", NULL};
    const json_t *grace = json_object_get(r->input, "grace_seconds");
    const json_t *name = json_object_get(r->input, "secret");
    json_int_t grace_s = grace != NULL ? json_integer_value(grace) : GRACE_DEFAULT_S;
    int slot = json_is_string(name) ? slot_number(pst_str_of(json_string_value(name))) : 0;
    admin_refuse_unknown(r, known);
    if (slot == 0)
        admin_invalid(r, "secret", name, "key1 or key2");
    if (grace != NULL && (!json_is_integer(grace) || grace_s < 0 || grace_s > GRACE_MAX_S))
        admin_invalid(r, "grace_seconds", grace, "a whole number from 0 to 2592000 (30 days)");
    if (admin_failed(r))
        return;
    struct pst_secret secrets[2] = {0};
    struct pst_why why = {0};
    int err =
        pst_keys_rotate(r->admin->keys, r->params[0], slot, grace_s * 1000000, &secrets[slot - 1], &why);
    if (err < 0)
        admin_fail_err(r, err, NULL, why.text);
    else
        admin_key_answer(r, 200, r->params[0], secrets);
    pst_wipe(secrets, sizeof(secrets));
}

void admin_key_revoke(struct admin_request *r)
{
    int slot = slot_number(r->params[1]);
    if (slot == 0) {
        admin_fail(r, 404, "NotFound", "A key has the secrets key1 and key2.");
        return;
    }
    struct pst_why why = {0};
    int err = pst_keys_revoke(r->admin->keys, r->params[0], slot, &why);
    if (err < 0)
        admin_fail_err(r, err, NULL, why.text);
    else
        admin_key_answer(r, 200, r->params[0], NULL);
}
