/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: /admin/v1/audit; and in whose name changes are written into it. */
#include "postern/auth/audit.h"

#include "internal.h"
#include "postern/base/num.h"

#include <stdio.h>
#include <string.h>

void admin_audit_actor(struct admin_request *r)
{
    static const enum pst_actor_kind kinds[] = {
        [CALLER_NOBODY] = PST_ACTOR_SYSTEM,
        [CALLER_SOCKET] = PST_ACTOR_SOCKET,
        [CALLER_TOKEN] = PST_ACTOR_TOKEN,
        [CALLER_SESSION] = PST_ACTOR_SESSION,
        [CALLER_CERTIFICATE] = PST_ACTOR_CERTIFICATE,
    };
    struct pst_actor actor = {.kind = kinds[r->caller.kind]};
    pst_str_clip(pst_str_of(r->caller.id), actor.id, sizeof(actor.id));
    pst_str_clip(pst_str_of(r->caller.name), actor.name, sizeof(actor.name));
    pst_str_clip(pst_str_of(r->caller.address), actor.address, sizeof(actor.address));
    pst_keys_set_actor(r->admin->keys, &actor);
}

static json_t *parsed(struct pst_str text)
{
    json_t *value = text.len > 0 ? json_loadb(text.p, text.len, 0, NULL) : NULL;
    return value != NULL ? value : json_null();
}

struct listing {
    json_t *items;
    uint64_t limit, last;
    bool more;
};

static int add_entry(const struct pst_audit_row *row, void *arg)
{
    struct listing *listing = arg;
    listing->more = json_array_size(listing->items) == listing->limit;
    if (listing->more)
        return 1;
    json_t *actor = json_pack("{s:o, s:o, s:o, s:o}", "kind", admin_text(row->actor_kind), "id",
                              admin_text(row->actor_id), "name", admin_text(row->actor_name), "address",
                              row->address.len > 0 ? admin_text(row->address) : json_null());
    json_t *entry =
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)row->n, "time",
                  admin_time(row->time_us), "actor", actor, "action", admin_text(row->action), "target",
                  admin_text(row->target), "before", parsed(row->before), "after", parsed(row->after));
    listing->last = row->n;
    return entry != NULL && json_array_append_new(listing->items, entry) == 0 ? 0 : -PST_ENOMEM;
}

void admin_audit_list(struct admin_request *r)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    struct pst_audit_filter filter = {.action = pst_str_of(admin_query(r, "action")),
                                      .target = pst_str_of(admin_query(r, "target")),
                                      .actor = pst_str_of(admin_query(r, "actor"))};
    uint64_t limit = 50, total = 0;
    if (!admin_query_time(r, "from", &filter.from_us) || !admin_query_time(r, "to", &filter.to_us) ||
        !admin_query_number(r, "limit", 1, 500, &limit) ||
        !admin_query_number(r, "cursor", 1, INT64_MAX, &filter.before_n))
        return;
    filter.limit = limit + 1; /* one more, to see whether there is one */
    struct listing listing = {.items = json_array(), .limit = limit};
    int err = pst_audit_count(store, &filter, &total);
    if (err == 0)
        err = pst_audit_list(store, &filter, add_entry, &listing);
    if (err < 0) {
        json_decref(listing.items);
        admin_fail_err(r, err, NULL, pst_keys_why(store));
        return;
    }
    char cursor[PST_U64_TEXT_MAX + 1];
    snprintf(cursor, sizeof(cursor), "%llu", (unsigned long long)listing.last);
    r->status = 200;
    r->output = json_pack("{s:o, s:s?, s:I}", "items", listing.items, "next_cursor",
                          listing.more ? cursor : NULL, "total", (json_int_t)total);
}
