/* SPDX-License-Identifier: Apache-2.0 */
/* The admin tokens: /admin/v1/tokens. */
#include "internal.h"

#include <string.h>

static const char *role_text(enum pst_admin_role role)
{
    return role == PST_ADMIN_ADMIN ? "admin" : "viewer";
}

static int add_token(const struct pst_admin_token_row *row, void *arg)
{
    json_t *item = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "id", row->id, "name", row->name, "role",
                             role_text(row->role), "created", admin_time(row->created_us), "expires",
                             admin_time(row->expires_us), "last_used", admin_time(row->used_us), "revoked",
                             admin_time(row->revoked_us));
    return item != NULL && json_array_append_new(arg, item) == 0 ? 0 : -PST_ENOMEM;
}

void admin_tokens_list_route(struct admin_request *r)
{
    struct pst_keys_store *store = pst_keys_service_store(r->admin->keys);
    json_t *items = json_array();
    int err = pst_admin_tokens_list(store, add_token, items);
    if (err < 0) {
        json_decref(items);
        admin_fail_err(r, err, NULL, pst_keys_why(store));
        return;
    }
    r->status = 200;
    r->output = json_pack("{s:o}", "items", items);
}

static enum pst_admin_role read_role(struct admin_request *r)
{
    const json_t *role = json_object_get(r->input, "role");
    const char *text = json_string_value(role);
    if (text != NULL && strcmp(text, "admin") == 0)
        return PST_ADMIN_ADMIN;
    if (text == NULL || strcmp(text, "viewer") != 0)
        admin_invalid(r, "role", role, "must be admin or viewer");
    return PST_ADMIN_VIEWER;
}

void admin_tokens_create(struct admin_request *r)
{
    static admin_names known = {"name", "role", "expires", NULL};
    if (!admin_session_may_change_access(r))
        return;
    admin_refuse_unknown(r, known);
    struct pst_str name = admin_text_field(r, "name", false);
    enum pst_admin_role role = read_role(r);
    int64_t expires_us = admin_time_field(r, "expires");
    if (json_object_get(r->input, "name") == NULL)
        admin_invalid(r, "name", NULL, "is required");
    if (admin_failed(r))
        return;
    struct pst_admin_token_made made;
    struct pst_why why = {0};
    int err = pst_admin_token_make(r->admin->keys, name, role, expires_us, &made, &why);
    if (err < 0) {
        admin_fail_err(r, err, why.field, why.text);
        return;
    }
    r->status = 201;
    r->output = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o}", "id", made.id, "name", admin_text(name), "role",
                          role_text(role), "created", admin_time(made.created_us), "expires",
                          admin_time(expires_us), "token", admin_text(pst_secret_str(&made.token)));
    pst_wipe(&made, sizeof(made));
}

void admin_tokens_revoke_route(struct admin_request *r)
{
    struct pst_why why = {0};
    if (!admin_session_may_change_access(r))
        return;
    int err = pst_admin_token_revoke(r->admin->keys, r->params[0], &why);
    if (err < 0)
        admin_fail_err(r, err, why.field, why.text);
    else
        r->status = 204;
}
