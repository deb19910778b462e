/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a body. */
#include "internal.h"
#include "postern/base/clock.h"

#include <string.h>

void admin_refuse_unknown(struct admin_request *r, const char *const *known)
{
    const char *name;
    json_t *value;
    json_object_foreach(r->input, name, value)
    {
        const char *const *at = known;
        while (*at != NULL && strcmp(*at, name) != 0)
            at++;
        if (*at == NULL) /* its value may be a secret in the wrong place */
            admin_invalid(r, name, NULL, "unknown field");
    }
}

struct pst_str admin_text_field(struct admin_request *r, const char *name, bool secret)
{
    const json_t *value = json_object_get(r->input, name);
    if (value == NULL)
        return PST_STR("");
    if (json_is_string(value) && json_string_length(value) > 0)
        return (struct pst_str){json_string_value(value), json_string_length(value)};
    if (!json_is_string(value) || strcmp(name, "note") != 0)
        admin_invalid(r, name, secret ? NULL : value, "must be a non-empty string");
    return PST_STR("");
}

int64_t admin_time_field(struct admin_request *r, const char *name)
{
    const json_t *value = json_object_get(r->input, name);
    int64_t us = 0;
    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_string(value) || pst_time_parse(json_string_value(value), &us) < 0 || us <= 0) {
        admin_invalid(r, name, value, ADMIN_TIME_RULE);
        return 0;
    }
    return us;
}
