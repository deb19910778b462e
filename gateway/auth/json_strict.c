/* SPDX-License-Identifier: Apache-2.0 */
#include "json_strict.h"

#include <stdio.h>

/* Before the parser, which goes one level of the stack deeper with each bracket. Text that is not JSON may be
 * counted wrongly; the parser refuses it then. */
static bool is_shallow(struct pst_str text, unsigned max_depth)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '[') && ++depth > max_depth)
            return false;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

json_t *pst_json_strict(struct pst_str text, unsigned max_depth, char *ret_error)
{
    json_error_t error = {.text = "is nested too deeply"};
    json_t *object = NULL;
    if (text.len > 0 && is_shallow(text, max_depth)) {
        object = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, &error);
        if (object && !json_is_object(object)) {
            json_decref(object);
            object = NULL;
            snprintf(error.text, sizeof(error.text), "is not an object");
        }
    }
    if (!object && ret_error)
        snprintf(ret_error, JSON_ERROR_TEXT_LENGTH, "%s", text.len > 0 ? error.text : "is empty");
    return object;
}

struct pst_str pst_json_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value))
        return (struct pst_str){NULL, 0};
    return (struct pst_str){json_string_value(value), json_string_length(value)};
}
