/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"
#include "postern/base/clock.h"
#include "postern/base/num.h"

#include <stdio.h>
#include <string.h>

bool admin_failed(const struct admin_request *r)
{
    return r->status >= 400;
}

json_t *admin_text(struct pst_str text)
{
    return json_stringn(text.len > 0 ? text.p : "", text.len);
}

json_t *admin_time(int64_t real_us)
{
    char text[PST_TIME_TEXT_SIZE];
    if (real_us == 0)
        return json_null();
    pst_time_format(real_us, text);
    return json_string(text);
}

/* What a client sent may be quoted, and be no UTF-8. */
static void make_readable(char *message)
{
    json_t *text = json_string(message);
    for (char *at = message; text == NULL && *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    }
    json_decref(text);
}

static void set_error(struct admin_request *r, unsigned status, const char *code, const char *message)
{
    json_decref(r->output);
    r->status = status;
    r->output = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "message", message, "request_id",
                          r->request_id);
}

void admin_fail(struct admin_request *r, unsigned status, const char *code, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    make_readable(text);
    set_error(r, status, code, text);
}

void admin_invalid(struct admin_request *r, const char *field, const json_t *value, const char *rule)
{
    if (r->status != 422)
        set_error(r, 422, "ValidationFailed", "Some fields are invalid; see details.");
    json_t *error = json_object_get(r->output, "error");
    json_t *details = json_object_get(error, "details");
    if (details == NULL) {
        details = json_array();
        json_object_set_new(error, "details", details);
    }
    json_t *detail = json_pack("{s:s, s:s}", "field", field, "rule", rule);
    if (value != NULL)
        json_object_set_new(detail, "value", json_deep_copy(value));
    json_array_append_new(details, detail);
}

/* What the body says of a field; a secret is not repeated. */
static const json_t *given(const struct admin_request *r, const char *field)
{
    bool secret = strcmp(field, "key1") == 0 || strcmp(field, "key2") == 0;
    return secret ? NULL : json_object_get(r->input, field);
}

void admin_fail_err(struct admin_request *r, int err, const char *field, const char *text)
{
    switch (-err) {
    case PST_EINVAL:
        field = field != NULL ? field : "body";
        admin_invalid(r, field, given(r, field), text);
        break;
    case PST_ENOENT:
        admin_fail(r, 404, "NotFound", "%s", text);
        break;
    case PST_EEXIST:
        admin_fail(r, 409, "Conflict", "%s", text);
        break;
    default:
        admin_fail(r, 503, "StoreUnavailable", "%s", text);
    }
}

const char *admin_query(const struct admin_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool admin_query_time(struct admin_request *r, const char *name, int64_t *ret_us)
{
    const char *text = admin_query(r, name);
    *ret_us = 0;
    if (text == NULL || (pst_time_parse(text, ret_us) == 0 && *ret_us > 0))
        return true;
    admin_fail(r, 400, "BadParameter",
               "%s must be a time in RFC 3339 (2026-11-23T16:00:00Z; write + as %%2B) or a date, after 1970.",
               name);
    return false;
}

/* As many as a page of the list has at the most. */
#define IDS_MAX 500
/* Longer than any name or tag. */
#define TEXT_MAX 256

bool admin_query_ids(struct admin_request *r, const char *name, struct pst_str *ret)
{
    struct pst_str text = pst_str_of(admin_query(r, name));
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.p[i] == ',';
    *ret = text;
    if (n <= IDS_MAX)
        return true;
    admin_fail(r, 400, "BadParameter", "%s must name at most %d ids.", name, IDS_MAX);
    return false;
}

/* Characters of UTF-8: all bytes but those that go on with one. */
bool admin_query_text(struct admin_request *r, const char *name, struct pst_str *ret)
{
    struct pst_str text = pst_str_of(admin_query(r, name));
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    *ret = text;
    if (n <= TEXT_MAX)
        return true;
    admin_fail(r, 400, "BadParameter", "%s must have at most %d characters.", name, TEXT_MAX);
    return false;
}

bool admin_query_number(struct admin_request *r, const char *name, uint64_t min, uint64_t max,
                        uint64_t *value)
{
    const char *text = admin_query(r, name);
    uint64_t given;
    if (text == NULL)
        return true;
    if (pst_num_u64(pst_str_of(text), &given) == 0 && given >= min && given <= max) {
        *value = given;
        return true;
    }
    admin_fail(r, 400, "BadParameter", "%s must be a number from %llu to %llu.", name,
               (unsigned long long)min, (unsigned long long)max);
    return false;
}
