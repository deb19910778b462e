/* SPDX-License-Identifier: Apache-2.0 */
/* A key's fields as a body gives them. Here their types are checked; what they may say is the key service's
 * to know (auth/keys.h). */
#include "internal.h"
#include "postern/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum kind { TEXT, TIME, LIST, OBJECT, SWITCH };

static const struct field {
    const char *name;
    unsigned bit;
    enum kind kind;
    size_t offset; /* in struct pst_key_row */
} fields[] = {
    {"name", PST_KEYS_SET_NAME, TEXT, offsetof(struct pst_key_row, name)},
    {"note", PST_KEYS_SET_NOTE, TEXT, offsetof(struct pst_key_row, note)},
    {"tags", PST_KEYS_SET_TAGS, LIST, offsetof(struct pst_key_row, tags)},
    {"expires", PST_KEYS_SET_EXPIRES, TIME, offsetof(struct pst_key_row, expires_us)},
    {"not_before", PST_KEYS_SET_NOT_BEFORE, TIME, offsetof(struct pst_key_row, not_before_us)},
    {"scopes", PST_KEYS_SET_SCOPES, LIST, offsetof(struct pst_key_row, scopes)},
    {"networks", PST_KEYS_SET_NETWORKS, LIST, offsetof(struct pst_key_row, networks)},
    {"limits", PST_KEYS_SET_LIMITS, OBJECT, offsetof(struct pst_key_row, limits)},
    {"enabled", PST_KEYS_SET_STATE, SWITCH, offsetof(struct pst_key_row, state)},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))
_Static_assert(N_FIELDS <= ADMIN_KEY_FIELDS_MAX, "a text for each");

static const struct field *find(const char *name)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    }
    return NULL;
}

/* Members that are null say the same as members that are not there. */
static void drop_nulls(json_t *object)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        if (json_is_null(value))
            json_object_del(object, name);
    }
}

/* The store keeps rules as JSON text, and none as no text. */
static int read_rules(struct admin_key_fields *f, size_t n, json_t *value, struct pst_str *ret)
{
    if (json_is_object(value))
        drop_nulls(value);
    if (json_array_size(value) == 0 && json_object_size(value) == 0)
        return 0;
    f->text[n] = json_dumps(value, JSON_COMPACT);
    *ret = pst_str_of(f->text[n]);
    return f->text[n] != NULL ? 0 : -PST_ENOMEM;
}

static const char *read_value(struct admin_key_fields *f, const struct field *field, json_t *value)
{
    void *at = (char *)&f->row + field->offset;
    int64_t time_us = 0;
    switch (field->kind) {
    case TEXT:
        if (!json_is_string(value))
            return "must be a string";
        *(struct pst_str *)at = (struct pst_str){json_string_value(value), json_string_length(value)};
        return NULL;
    case TIME:
        if (!json_is_null(value) && (!json_is_string(value) ||
                                     pst_time_parse(json_string_value(value), &time_us) < 0 || time_us <= 0))
            return ADMIN_TIME_RULE;
        *(int64_t *)at = time_us;
        return NULL;
    case LIST:
    case OBJECT:
        if (field->kind == LIST ? !json_is_array(value) : !json_is_object(value))
            return field->kind == LIST ? "must be a list" : "must be an object";
        return read_rules(f, (size_t)(field - fields), value, at) == 0 ? NULL : "out of memory";
    case SWITCH:
        f->row.state = json_is_true(value) ? PST_KEY_STATE_ACTIVE : PST_KEY_STATE_DISABLED;
        return json_is_boolean(value) ? NULL : "must be true or false";
    }
    return NULL;
}

static bool is_named(const struct admin_request *r, const char *field)
{
    size_t i;
    const json_t *detail;
    json_array_foreach(json_object_get(json_object_get(r->output, "error"), "details"), i, detail)
    {
        const char *name = json_string_value(json_object_get(detail, "field"));
        if (name != NULL && strcmp(name, field) == 0)
            return true;
    }
    return false;
}

/* Field by field, so that all that break their rules are named at once; a rule about two is named once. */
static void check_fields(struct admin_request *r, const struct pst_key_row *row, unsigned what)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        struct pst_why why = {0};
        if ((fields[i].bit & what) == 0 || pst_keys_check(row, fields[i].bit, &why) != -PST_EINVAL)
            continue;
        const char *field = why.field != NULL ? why.field : fields[i].name;
        if (!is_named(r, field))
            admin_invalid(r, field, json_object_get(r->input, field), why.text);
    }
}

void admin_key_fields_read(struct admin_request *r, unsigned allowed, unsigned needed,
                           const char *const *others, struct admin_key_fields *ret)
{
    const char *name;
    json_t *value;
    unsigned readable = 0;
    *ret = (struct admin_key_fields){0};
    json_object_foreach(r->input, name, value)
    {
        const struct field *field = find(name);
        const char *const *other = others;
        while (*other != NULL && strcmp(*other, name) != 0)
            other++;
        if (*other != NULL)
            continue;
        if (field == NULL || (field->bit & allowed) == 0) {
            /* its value may be a secret in the wrong place */
            admin_invalid(r, name, NULL, "unknown field");
            continue;
        }
        const char *rule = read_value(ret, field, value);
        if (rule != NULL)
            admin_invalid(r, name, value, rule);
        else
            readable |= field->bit;
        ret->what |= field->bit;
    }
    check_fields(r, &ret->row, readable | (needed & ~ret->what));
}

void admin_key_fields_done(struct admin_key_fields *f)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        free(f->text[i]);
}
