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
    const struct pst_str text = {json_string_value(value), json_string_length(value)};
    struct pst_why why = {0};
    if (value == NULL)
        return PST_STR("");
    bool is_id = strcmp(name, "id") == 0;
    if (text.len == 0)
        admin_invalid(r, name, is_id ? value : NULL, "must be a non-empty string");
    else if (is_id && !pst_key_is_id(text))
        admin_invalid(r, name, value, "must be 12 characters of 0-9 and a-z");
    else if (!is_id && pst_keys_check_import(text, &why) < 0)
        admin_invalid(r, name, NULL, why.text);
    return text;
}

static void make(struct admin_request *r, const struct pst_key_new *request)
{
    struct pst_key_made made;
    struct pst_why why = {0};
    int err = pst_keys_make(r->admin->keys, request, &made, &why);
    if (err < 0) {
        /* of two that are the same, the second is one too many */
        const char *field = why.field != NULL && strcmp(why.field, "secret") == 0 ? "key2" : why.field;
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
    admin_key_fields_read(r, ADMIN_KEY_FIELDS_NEW, PST_KEYS_SET_NAME, importing ? imports : none, &given);
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
            admin_invalid(r, "key1", NULL, "is required");
    }
    if (!admin_failed(r))
        make(r, &request);
    admin_key_fields_done(&given);
}

static void create(struct admin_request *r)
{
    read_and_make(r, false);
}

void admin_keys_create(struct admin_request *r)
{
    const char *key = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Idempotency-Key");
    if (key != NULL)
        admin_idempotent(r, pst_str_of(key), create);
    else
        create(r);
}

void admin_keys_import(struct admin_request *r)
{
    read_and_make(r, true);
}

/* List */

static bool read_sort(struct admin_request *r, struct pst_keys_filter *filter)
{
    const char *text = admin_query(r, "sort");
    if (text == NULL || pst_keys_order_of(pst_str_of(text), &filter->order, &filter->descending) == 0)
        return true;
    admin_fail(r, 400, "BadParameter",
               "sort must be one of " PST_KEYS_ORDER_TEXTS ", or with - in front for descending.");
    return false;
}

static bool read_state(struct admin_request *r, struct pst_keys_filter *filter)
{
    const char *state = admin_query(r, "state");
    int shown = state != NULL ? pst_key_shown_of(pst_str_of(state)) : 0;
    if (shown < 0) {
        admin_fail(r, 400, "BadParameter", "state must be active, disabled, expired or not_yet.");
        return false;
    }
    filter->shown = state != NULL ? 1u << shown : 0;
    filter->now_us = pst_clock_real_us();
    return true;
}

static bool read_filter(struct admin_request *r, struct pst_keys_filter *filter)
{
    filter->after = pst_str_of(admin_query(r, "cursor"));
    filter->limit = 50;
    if (!admin_query_text(r, "text", &filter->text) || !admin_query_text(r, "name", &filter->name) ||
        !admin_query_text(r, "tag", &filter->tag) || !admin_query_ids(r, "id", &filter->ids) ||
        !read_state(r, filter) || !read_sort(r, filter) ||
        !admin_query_time(r, "expires_before", &filter->expires_before_us) ||
        !admin_query_time(r, "unused_since", &filter->unused_since_us) ||
        !admin_query_number(r, "limit", 1, 500, &filter->limit))
        return false;
    if (filter->unused_since_us != 0 || filter->order == PST_KEYS_BY_LAST_USED)
        filter->usage = r->admin->usage;
    return true;
}

struct listing {
    struct admin_request *r;
    const struct pst_keys_filter *filter;
    uint64_t wanted; /* one more is asked for, to know whether there is another page */
    json_t *items;
    bool more;
    char cursor[PST_KEYS_CURSOR_SIZE]; /* of the last item */
};

static int add_key(const struct pst_key_row *row, void *arg)
{
    struct listing *listing = arg;
    listing->more = json_array_size(listing->items) == listing->wanted;
    if (listing->more)
        return 1;
    json_t *key = admin_key_json(listing->r, row);
    pst_keys_cursor(listing->filter, row, listing->cursor);
    return key != NULL && json_array_append_new(listing->items, key) == 0 ? 0 : -PST_ENOMEM;
}

void admin_keys_list(struct admin_request *r)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_keys_filter filter = {0};
    uint64_t total = 0;
    if (!read_filter(r, &filter))
        return;
    struct listing listing = {.r = r, .filter = &filter, .wanted = filter.limit++, .items = json_array()};
    int err = pst_keys_count(store, &filter, &total);
    if (err == 0)
        err = pst_keys_list(store, &filter, add_key, &listing);
    if (err < 0) {
        json_decref(listing.items);
        if (err == -PST_EPARSE)
            admin_fail(r, 400, "BadParameter", "cursor must be a next_cursor of the same filter and order.");
        else
            admin_fail_err(r, err, NULL, pst_keys_why(store));
        return;
    }
    r->status = 200;
    r->output = json_pack("{s:o, s:s?, s:I}", "items", listing.items, "next_cursor",
                          listing.more ? listing.cursor : NULL, "total", (json_int_t)total);
}

/* One key */

void admin_key_get(struct admin_request *r)
{
    admin_key_answer(r, 200, r->params[0], NULL);
}

/* If-Match is a list; a weak tag never matches (RFC 9110 section 13.1.1). */
static bool names_tag(struct pst_str wanted, const char *etag)
{
    while (wanted.len > 0) {
        struct pst_str one = pst_str_trim(pst_str_cut(wanted, ',', &wanted));
        if (pst_str_eq(one, pst_str_of(etag)))
            return true;
    }
    return false;
}

/* Whether the key still is what If-Match names; inside a transaction. */
static bool still_matches(struct admin_request *r)
{
    const char *wanted = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "If-Match");
    if (wanted == NULL || strcmp(wanted, "*") == 0)
        return true;
    admin_key_answer(r, 200, r->params[0], NULL);
    bool same = names_tag(pst_str_of(wanted), r->etag);
    r->etag[0] = '\0';
    if (r->status == 200 && !same)
        admin_fail(r, 412, "PreconditionFailed",
                   "The key has been changed since it was read; read it again, then retry.");
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
    if (err < 0)
        pst_keys_rollback(store);
    if (err == -PST_ENOENT) /* what stands in the id's place may be a secret */
        admin_fail(r, 404, "NotFound", "No key has this id.");
    else if (err < 0)
        admin_fail_err(r, err, why->field, why->text);
    if (err < 0)
        return false;
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
                   "Send If-Match with the ETag you read, or * to overwrite whatever is there.");
        return;
    }
    struct admin_key_fields given;
    struct pst_why why = {0};
    admin_key_fields_read(r, ADMIN_KEY_FIELDS_NEW | PST_KEYS_SET_STATE, 0, none, &given);
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
        admin_invalid(r, "secret", name, "must be key1 or key2");
    if (grace != NULL && (!json_is_integer(grace) || grace_s < 0 || grace_s > GRACE_MAX_S))
        admin_invalid(r, "grace_seconds", grace, "must be a whole number from 0 to 2592000 (30 days)");
    if (admin_failed(r))
        return;
    struct pst_secret secrets[2] = {0};
    struct pst_why why = {0};
    if (!begin_matched(r))
        return;
    int err =
        pst_keys_rotate(r->admin->keys, r->params[0], slot, grace_s * 1000000, &secrets[slot - 1], &why);
    if (end_matched(r, err, &why))
        admin_key_answer(r, 200, r->params[0], secrets);
    pst_wipe(secrets, sizeof(secrets));
}

void admin_key_revoke(struct admin_request *r)
{
    int slot = slot_number(r->params[1]);
    if (slot == 0) {
        admin_fail(r, 404, "NotFound", "No such secret; a key has key1 and key2.");
        return;
    }
    struct pst_why why = {0};
    if (begin_matched(r) && end_matched(r, pst_keys_revoke(r->admin->keys, r->params[0], slot, &why), &why))
        admin_key_answer(r, 200, r->params[0], NULL);
}
